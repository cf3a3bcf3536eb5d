"""The tables of settings say what the readers do, since the reference documentation is made from them."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from quintet.config.load import load
from quintet.config.schema import (
    CARD_SERVER_SETTINGS,
    COMMUNITY_SETTINGS,
    CONNECTION_SETTINGS,
    INI_KEYS,
    TLS_NAMES,
    IniKey,
    XmlSetting,
)
from quintet.config.settings import Settings

OURS = [key for key in INI_KEYS if key.default and not key.unused and not key.name.startswith("VPMX")]


def settings(
    folder: Path,
    *,
    ini: str = "",
    connection: Mapping[str, str] | None = None,
    server: Mapping[str, str] | None = None,
    anywhere: Mapping[str, str] | None = None,
) -> Settings:
    files = {
        "sametime.ini": ini,
        "StCommunityConfig.xml": (
            f"<R><S {written(anywhere)}/><LDAP><Connection {written(connection)}/></LDAP></R>"
        ),
        "UserInfoConfig.xml": (
            f'<U><Resources><Storage type="LDAP"><StorageDetails {written(server)}/>'
            '<Details><Detail Id="Name" FieldName="cn"/></Details></Storage></Resources>'
            '<ParamsSets><Set SetId="1" params="Name"/></ParamsSets></U>'
        ),
    }
    return load(folder, {}, instead={name: text.encode() for name, text in files.items()})


def written(values: Mapping[str, str] | None) -> str:
    return " ".join(
        f"{name}={quoteattr(value)}" for name, value in ({"HostName": "h"} | dict(values or {})).items()
    )


@pytest.mark.parametrize("key", OURS, ids=lambda key: key.name)
def test_the_default_of_a_key_is_what_counts_without_it(tmp_path: Path, key: IniKey) -> None:
    assert settings(tmp_path, ini=f"[{key.sections[0]}]\n{key.name}={key.default}\n") == settings(tmp_path)


@pytest.mark.parametrize("setting", [s for s in CONNECTION_SETTINGS if s.default], ids=lambda s: s.name)
def test_c44_the_default_of_a_connection_setting_is_what_counts_without_it(
    tmp_path: Path, setting: XmlSetting
) -> None:
    assert settings(tmp_path, connection={setting.name: setting.default}) == settings(tmp_path)


@pytest.mark.parametrize("setting", COMMUNITY_SETTINGS, ids=lambda s: s.name)
def test_c44_the_default_of_an_interval_is_what_counts_without_it(
    tmp_path: Path, setting: XmlSetting
) -> None:
    assert settings(tmp_path, anywhere={setting.name: setting.default}) == settings(tmp_path)


@pytest.mark.parametrize("setting", [s for s in CARD_SERVER_SETTINGS if s.default], ids=lambda s: s.name)
def test_the_default_of_a_card_setting_is_what_counts_without_it(tmp_path: Path, setting: XmlSetting) -> None:
    assert settings(tmp_path, server={setting.name: setting.default}) == settings(tmp_path)


def test_every_key_says_what_it_means_and_where_that_stands() -> None:
    for key in INI_KEYS:
        assert key.meaning
        assert key.source
        assert key.sections


def test_the_tls_keys_are_known_in_every_scope() -> None:
    names = {key.name for key in INI_KEYS}
    assert {scope + name for scope in ("ST_", "STLDAP_", "STMUX_", "STSRV_") for name in TLS_NAMES} <= names

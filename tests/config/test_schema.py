"""The tables of settings say what the readers do, since the reference documentation is made from them."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest

from quintet.config.load import load
from quintet.config.schema import INI_KEYS, TLS_NAMES
from quintet.config.setting import Setting
from quintet.config.settings import Settings
from quintet.config.xml_schema import ANYWHERE, CARD_ELEMENTS, CARD_SERVER, CONNECTION

OURS = [key for key in INI_KEYS if key.default and not key.unused]


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
    return load(folder, {}, overrides={name: text.encode() for name, text in files.items()})


def written(values: Mapping[str, str] | None) -> str:
    return " ".join(
        f"{name}={quoteattr(value)}" for name, value in ({"HostName": "h"} | dict(values or {})).items()
    )


@pytest.mark.parametrize("key", OURS, ids=lambda key: key.name)
def test_the_default_of_a_key_is_what_counts_without_it(tmp_path: Path, key: Setting) -> None:
    allowed = "[Config]\nQUINTET_ALLOW_UNENCRYPTED_GROUPS=1\n" if "Application" in key.sections[0] else ""
    section = f"{allowed}[{key.sections[0]}]\n"
    written, usual = f"{section}{key.name}={key.default}\n", f"{section}{key.name}=\n"
    assert settings(tmp_path, ini=written) == settings(tmp_path, ini=usual)


@pytest.mark.parametrize("setting", [s for s in CONNECTION.values() if s.default], ids=lambda s: s.name)
def test_c44_the_default_of_a_connection_setting_is_what_counts_without_it(
    tmp_path: Path, setting: Setting
) -> None:
    assert settings(tmp_path, connection={setting.name: setting.default}) == settings(tmp_path)


@pytest.mark.parametrize("setting", ANYWHERE.values(), ids=lambda s: s.name)
def test_c44_the_default_of_an_interval_is_what_counts_without_it(tmp_path: Path, setting: Setting) -> None:
    assert settings(tmp_path, anywhere={setting.name: setting.default}) == settings(tmp_path)


@pytest.mark.parametrize("setting", [s for s in CARD_SERVER.values() if s.default], ids=lambda s: s.name)
def test_the_default_of_a_card_setting_is_what_counts_without_it(tmp_path: Path, setting: Setting) -> None:
    assert settings(tmp_path, server={setting.name: setting.default}) == settings(tmp_path)


def test_every_setting_says_what_it_means_and_where_that_is_documented() -> None:
    tables = (CONNECTION, ANYWHERE, *CARD_ELEMENTS.values())
    for setting in (*INI_KEYS, *(setting for table in tables for setting in table.values())):
        assert setting.meaning
        assert setting.source
    assert all(key.sections for key in INI_KEYS)


def test_the_tls_keys_are_known_in_every_scope() -> None:
    names = {key.name for key in INI_KEYS}
    assert {scope + name for scope in ("ST_", "STLDAP_", "STMUX_", "STSRV_") for name in TLS_NAMES} <= names

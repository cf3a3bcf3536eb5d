"""The sections `[Application-NAME]`, and what `quintet check` says of them."""

from pathlib import Path

import pytest

from quintet.config.applications import ApplicationSettings, group_name
from quintet.config.load import check, read
from quintet.diagnostics import Finding, Severity

ENCRYPTED = '<R><LDAP><Connection HostName="h" SSLEnabled="1"/></LDAP></R>'
PLAIN = ENCRYPTED.replace('SSLEnabled="1"', 'SSLEnabled="0"')
MIXED = ENCRYPTED.replace("</LDAP>", '<Connection HostName="i" SSLEnabled="0"/></LDAP>')
WIKI = "[Application-wiki]\nQUINTET_REQUIRED_GROUPS="


def applications(folder: Path, ini: str, **environ: str) -> tuple[ApplicationSettings, ...]:
    files = {"sametime.ini": ini.encode(), "StCommunityConfig.xml": ENCRYPTED.encode()}
    settings, _ = read(folder, environ, overrides=files)
    assert settings is not None
    return settings.web.applications


def codes(folder: Path, ini: str, xml: str = ENCRYPTED, **environ: str) -> set[str]:
    files = {"sametime.ini": ini.encode(), "StCommunityConfig.xml": xml.encode()}
    found = {each.code.name for each in check(folder, environ, overrides=files)}
    return found - {"D5", "Q14", "Q41", "Q94", "Q115"}


def test_an_application_has_what_its_section_says(tmp_path: Path) -> None:
    ini = (
        "[Application-Wiki]\n"
        "QUINTET_REQUIRED_GROUPS=Sales; cn=A\\, B,o=x ;\nQUINTET_SENT_GROUPS=Board, North\n"
        "QUINTET_USER_ATTRIBUTE=mail\nQUINTET_HEADER_ENCODING=Percent\nQUINTET_BASIC_SIGN_IN=1\n"
        "[Application-git]\nQUINTET_BASIC_SIGN_IN=0\n"
    )
    wiki, git = applications(tmp_path, ini)
    assert wiki.required == (group_name("sales"), group_name("cn=A\\, B,o=x"))
    assert wiki.sent == (group_name("Board, North"),)
    assert (wiki.name, wiki.user_attribute, wiki.percent, wiki.basic) == ("wiki", "mail", True, True)
    assert git == ApplicationSettings("git")


def test_variables_name_applications_too_and_hyphens_are_underscores(tmp_path: Path) -> None:
    variable = {"STI__Application_my_wiki__QUINTET_USER_ATTRIBUTE": "mail"}
    (found,) = applications(tmp_path, "[Application-my-wiki]\nQUINTET_USER_ATTRIBUTE=cn\n", **variable)
    assert (found.name, found.user_attribute) == ("my-wiki", "mail")


def test_groups_are_compared_by_name_or_by_dn() -> None:
    by_name, by_dn = group_name("Sales"), group_name("cn=Sales,o=x")
    assert by_name.is_group("SALES", None)
    assert not by_dn.is_group("Sales", group_name("cn=Sales,o=y").dn)
    assert by_dn.is_group("anything", group_name("CN = sales, O=X").dn)


@pytest.mark.parametrize(
    "ini",
    [
        "[Application-]\nQUINTET_BASIC_SIGN_IN=1\n",
        "[Application-a/b]\nQUINTET_BASIC_SIGN_IN=1\n",
        "[Application-wiki]\nQUINTET_BASIC_SIGN_IN=maybe\n",
        "[Application-wiki]\nQUINTET_USER_ATTRIBUTE=u i d\n",
        "[Application-wiki]\nQUINTET_HEADER_ENCODING=latin1\n",
        f"{WIKI}cn=a=\\\n",
        "[Config]\nQUINTET_RETURN_ORIGINS=https://a.example/path\n",
        "[Config]\nQUINTET_RETURN_ORIGINS=*\n",
        "[Config]\nQUINTET_COOKIE_DOMAIN=com\n",
        "[Config]\nQUINTET_COOKIE_DOMAIN=127.0.0.1\n",
    ],
)
def test_a_value_that_can_not_be_read_is_an_error(tmp_path: Path, ini: str) -> None:
    assert codes(tmp_path, ini) & {"Q61", "Q64", "Q66"}


def test_a_key_of_applications_elsewhere_is_misplaced(tmp_path: Path) -> None:
    assert codes(tmp_path, "[Config]\nQUINTET_BASIC_SIGN_IN=1\n") == {Finding.Q55.name}


@pytest.mark.parametrize("ini", ["[Config]\nQUINTET_ADMIN_GROUP=Admins\n", f"{WIKI}x\n"])
def test_what_grants_something_stops_the_start_where_nothing_is_encrypted(tmp_path: Path, ini: str) -> None:
    allowed = f"[Config]\nQUINTET_ALLOW_UNENCRYPTED_GROUPS=1\n{ini}"
    only_passwords = f"[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n{ini}"
    without_http = f"[Config]\nQUINTET_HTTP_PORT=0\n{ini}"
    assert q140(tmp_path, ini, PLAIN) is Severity.ERROR
    assert q140(tmp_path, ini, MIXED) is Severity.WARNING
    assert q140(tmp_path, ini, ENCRYPTED) is None
    for text in (allowed, only_passwords, without_http, "[Config]\n"):
        assert q140(tmp_path, text, PLAIN) is None


def q140(folder: Path, ini: str, xml: str) -> Severity | None:
    files = {"sametime.ini": ini.encode(), "StCommunityConfig.xml": xml.encode()}
    found = (each for each in check(folder, {}, overrides=files) if each.code is Finding.Q140)
    return next((each.severity for each in found), None)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", {"Q141"}),
        ("QUINTET_PUBLIC_URL=https://app.example.com\n", set()),
        ("QUINTET_PUBLIC_URL=https://p.example.com\nQUINTET_COOKIE_DOMAIN=example.com\n", set()),
        ("QUINTET_PUBLIC_URL=https://p.example.org\nQUINTET_COOKIE_DOMAIN=example.com\n", {"Q142"}),
        (
            "QUINTET_PUBLIC_URL=https://p.example.com\nQUINTET_RETURN_ORIGINS=https://a.example.com\n",
            {"Q142"},
        ),
    ],
)
def test_check_says_that_an_application_is_not_reached(
    tmp_path: Path, config: str, expected: set[str]
) -> None:
    assert codes(tmp_path, f"[Config]\n{config}{WIKI}x\n") == expected

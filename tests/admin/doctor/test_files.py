"""Findings that come from the three files alone."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.embedded import sample
from support import small
from support.slapd import Slapd

pytestmark = pytest.mark.real

Make = Callable[..., Path]
Edit = Callable[[Path, str, str], None]

STLDAP = "STLDAP_TLS_TRUST_STORE"


async def test_a_sound_folder_has_no_findings(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder()) == set()


async def test_a_folder_without_cards_is_sound(make_folder: Make, doctor: Any) -> None:
    folder = make_folder()
    (folder / "UserInfoConfig.xml").unlink()

    assert await doctor.codes(folder) == set()


async def test_d42_a_file_whose_name_is_in_another_case_is_examined(make_folder: Make, doctor: Any) -> None:
    folder = make_folder(cards_encrypted=False)
    (folder / "UserInfoConfig.xml").rename(folder / "userinfoconfig.xml")

    assert await doctor.codes(folder) == {"D42", "D6", "D36"}
    assert doctor.one("D42").place.file == "userinfoconfig.xml"


async def test_a_file_with_nearly_the_right_name_is_told(make_folder: Make, doctor: Any) -> None:
    folder = make_folder()
    (folder / "UserInfoConfig.xml").rename(folder / "UserInfoConf.xml")

    assert await doctor.codes(folder) == {"Q41"}
    assert "UserInfoConf.xml" in doctor.one("Q41").fix


async def test_anonymous_connections_to_an_open_directory_are_sound(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(account=None)) == set()


async def test_an_empty_base_is_told_with_the_one_that_the_server_has(make_folder: Make, doctor: Any) -> None:
    bases = {"PersonResolveBase": "", "GroupResolveBase": ""}

    assert await doctor.codes(make_folder(connection=bases)) == {"Q20"}
    assert 'PersonResolveBase="o=example"' in " ".join(each.fix for each in doctor.found)


async def test_an_empty_base_of_the_cards_is_told(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    edit(folder / "UserInfoConfig.xml", 'BaseDN="o=example"', 'BaseDN=""')

    assert await doctor.codes(folder) == {"Q20"}


async def test_a_missing_folder_is_one_error(tmp_path: Path, doctor: Any) -> None:
    assert await doctor.codes(tmp_path / "nowhere") == {"Q40", "Q90"}


async def test_d5_keys_in_another_section_do_not_count(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    edit(folder / "sametime.ini", "[Config]", "[Debug]")

    assert await doctor.codes(folder) == {"D5", "Q90"}
    assert any("[Config]" in each.fix for each in doctor.found)


async def test_d5_no_keys_at_all(make_folder: Make, doctor: Any) -> None:
    folder = make_folder()
    (folder / "sametime.ini").write_text("[Config]\n")

    assert await doctor.codes(folder) == {"D5", "Q90"}
    assert doctor.one("D5").key == "STLDAP_TLS_TRUST_STORE_FILE"


async def test_d5_variables_with_single_underscores_are_told(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(), {f"STI_Config_{STLDAP}_TYPE": "p12"}) == {"D5"}


async def test_d6_d36_cards_in_clear_beside_encrypted_connections(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(cards_encrypted=False)) == {"D6", "D36"}


@pytest.mark.parametrize(
    "encoded",
    [
        "4oCcY249cmVhZGVyLG89ZXhhbXBsZTpyZWFkZXItUXVpbnRldDHigJ0=",
        "Y249cmVhZGVyLG89ZXhhbXBsZTpyZWFkZXItUXVpbnRldDEK",
        "“Y249cmVhZGVyLG89ZXhhbXBsZTpyZWFkZXItUXVpbnRldDE=”",
        "Y249cmVhZGVyLG89ZXhhbXBsZQ==",
    ],
    ids=["quotes inside", "line feed at the end", "quotes around", "no password"],
)
async def test_d10_encoded_account_is_not_what_it_should_be(
    make_folder: Make, edit: Edit, doctor: Any, encoded: str
) -> None:
    folder = make_folder()
    edit(folder / "UserInfoConfig.xml", 'UserName="cn=reader,o=example"', f'UserEncodedAuth="{encoded}"')
    edit(folder / "UserInfoConfig.xml", 'Password="reader-Quintet1"', "")

    assert await doctor.codes(folder) == {"D10", "Q90"}
    assert not any(secret in repr(doctor.found) for secret in (sample.READER_PASSWORD, encoded))


async def test_d10_blanks_around_the_encoded_account(make_folder: Make, edit: Edit, doctor: Any) -> None:
    encoded = base64.b64encode(f"{sample.READER}:{sample.READER_PASSWORD}".encode()).decode()
    folder = make_folder()
    edit(folder / "UserInfoConfig.xml", f'UserName="{sample.READER}"', f'UserEncodedAuth=" {encoded}"')
    edit(folder / "UserInfoConfig.xml", f'Password="{sample.READER_PASSWORD}"', "")

    assert await doctor.codes(folder) == {"D10"}


@pytest.mark.parametrize("name", ["StCommunityConfig.xml", "UserInfoConfig.xml"])
async def test_d15_damaged_xml(make_folder: Make, edit: Edit, doctor: Any, name: str) -> None:
    folder = make_folder()
    edit(folder / name, "(&amp;(objectclass", "(&(objectclass")

    assert await doctor.codes(folder) == {"D15", "Q90"}
    assert doctor.one("D15").place.file == name


async def test_d20_the_id_is_not_the_dn_and_cards_do_not_know(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"UserIdAttribute": "uid"})) == {"D20"}


async def test_d24_organization_name_has_a_value(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"OrganizationName": "Example"})) == {"D24"}


async def test_d25_cards_list_the_servers_in_another_order(
    make_folder: Make, edit: Edit, partner: Slapd, doctor: Any
) -> None:
    folder = make_folder()
    theirs = {
        "localhost": "127.0.0.1",
        'SearchOrder="1"': 'SearchOrder="2"',
        "o=example": "o=partner",
        sample.READER_PASSWORD: small.READER_PASSWORD,
    }
    for name, element, comes_first in (
        ("StCommunityConfig.xml", "<Connection", False),
        ("UserInfoConfig.xml", "<StorageDetails", True),
    ):
        text = (folder / name).read_text(encoding="utf-8")
        line = next(each for each in text.splitlines() if element in each)
        other = re.sub(r'\bPort="\d+', f'Port="{partner.port}', line)
        other = re.sub(r'(?i)sslPort="\d+', f'SSLPort="{partner.tls_port}', other)
        for old, new in theirs.items():
            other = other.replace(old, new)
        edit(folder / name, line, f"{other}\n{line}" if comes_first else f"{line}\n{other}")

    assert await doctor.codes(folder) == {"D25"}


async def test_d30_the_login_filter_has_a_wildcard(make_folder: Make, doctor: Any) -> None:
    folder = make_folder(connection={"UserDnSearchFilter": "(&(objectclass=inetOrgPerson)(uid=%s*))"})

    assert await doctor.codes(folder) == {"D30"}


async def test_d32_an_id_in_another_letter_case(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    edit(folder / "UserInfoConfig.xml", 'params="MailAddress,', 'params="mailAddress,')

    assert await doctor.codes(folder) == {"D32"}


async def test_d34_curly_quotes_round_a_value(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(config={"ST_COMMUNITY_ID": "“sametime”"})) == {"D34"}


async def test_d37_file_and_password_from_different_scopes(
    make_folder: Make, edit: Edit, doctor: Any
) -> None:
    folder = make_folder()
    edit(folder / "sametime.ini", f"{STLDAP}_PASSWORD", "ST_TLS_TRUST_STORE_PASSWORD")

    assert await doctor.codes(folder) == {"D37"}


async def test_d39_a_filter_that_the_mail_shortcut_goes_around(make_folder: Make, doctor: Any) -> None:
    login = {"UserDnSearchFilter": "(&(objectclass=inetOrgPerson)(telephoneNumber=*)(|(uid=%s)(mail=%s)))"}

    assert await doctor.codes(make_folder(connection=login)) == {"D39"}
    off = make_folder(connection=login, directory={"USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES": "0"})
    assert await doctor.codes(off) == set()


async def test_an_error_without_a_row_has_a_code_of_ours(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(config={"STLDAP_TLS_SECURITY_LEVEL": "9"})) == {"Q61"}


async def test_fips_that_cannot_be_kept_is_one_error(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(config={"STLDAP_TLS_FIPS_COMPLIANCE": "1"})) == {"Q87", "Q90"}


# What an earlier doctor told wrongly, because it read its own sentences.


async def test_a_host_called_stockquotes_that_is_not_encrypted_is_no_matter_of_quotes(
    make_folder: Make, edit: Edit, doctor: Any
) -> None:
    folder = make_folder(cards_encrypted=False)
    edit(folder / "UserInfoConfig.xml", 'HostName="localhost"', 'HostName="stockquotes.example.com"')

    codes = await doctor.codes(folder)

    assert "D6" in codes
    assert "D34" not in codes
    assert "stockquotes.example.com" in doctor.one("D6").message


@pytest.mark.parametrize("base", ["ou=people", "people", "ou=a,,o=b"])
async def test_a_bad_dn_has_its_own_code_and_a_fix_that_shows_how_a_dn_is_written(
    make_folder: Make, doctor: Any, base: str
) -> None:
    codes = await doctor.codes(make_folder(connection={"PersonResolveBase": base}))
    if base == "ou=people":
        assert "Q62" not in codes
        return
    assert "Q62" in codes
    assert (doctor.one("Q62").key, "ou=people,o=example" in doctor.one("Q62").fix) == (
        "PersonResolveBase",
        True,
    )


async def test_a_bad_filter_has_its_own_code_and_a_fix_that_shows_how_a_filter_is_written(
    make_folder: Make, doctor: Any
) -> None:
    folder = make_folder(connection={"PersonResolveFilter": "(&(cn=%s*)(memberOf=CN=Testers (1),O=x))"})

    assert "Q63" in await doctor.codes(folder)
    found = doctor.one("Q63")
    assert (found.key, "(cn=%s)" in found.fix, "\\28" in found.fix) == ("PersonResolveFilter", True, True)


async def test_a_missing_trust_store_has_a_fix_that_makes_one(
    make_folder: Make, tmp_path: Path, doctor: Any
) -> None:
    assert await doctor.codes(make_folder(store=tmp_path / "none.p12")) == {"D4", "Q90"}
    assert "quintet trust fetch HOST:PORT" in doctor.one("D4").fix
    assert "ldapConfigSecret" in doctor.one("D4").fix

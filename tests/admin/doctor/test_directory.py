"""Findings about what the directory holds, and how it answers."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import small
from support.slapd import Slapd

pytestmark = pytest.mark.real

Make = Callable[..., Path]
MakeSlapd = Callable[..., Slapd]
Edit = Callable[[Path, str, str], None]


def second(folder: Path, edit: Edit, **changes: str) -> None:
    """A second Connection like the first, but for `changes`."""
    file = folder / "StCommunityConfig.xml"
    line = next(each for each in file.read_text(encoding="utf-8").splitlines() if "<Connection" in each)
    other = line
    for name, value in changes.items():
        other = re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', other, count=1)
    edit(file, line, f"{line}\n{other}")


def person(uid: str, *lines: str) -> bytes:
    text = [
        f"dn: uid={uid},{small.PEOPLE}",
        "objectClass: inetOrgPerson",
        f"uid: {uid}",
        f"cn: {uid}",
        f"sn: {uid}",
    ]
    return ("\n" + "\n".join([*text, *lines]) + "\n").encode()


async def test_d18_strangers_do_not_see_what_cards_need(
    small_folder: Make, make_slapd: MakeSlapd, edit: Edit, doctor: Any
) -> None:
    folder = small_folder(make_slapd(hidden=("title", "telephoneNumber")))
    edit(folder / "UserInfoConfig.xml", f'UserName="{small.READER_DN}"', 'UserName=""')
    edit(folder / "UserInfoConfig.xml", f'Password="{small.READER_PASSWORD}"', 'Password=""')

    assert await doctor.codes(folder) == {"D18"}
    assert "Title" in doctor.one("D18").found
    assert "Telephone" in doctor.one("D18").found


def dressed_as(folder: Path, *lines: str) -> str:
    """Configuration that lets slapd say of itself what another product says."""
    (folder / "root.ldif").write_text("\n".join(["dn:", *lines]) + "\n")
    capabilities = (
        "attributetype ( 1.2.840.113556.1.4.1239 NAME 'supportedCapabilities'"
        " SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )"
    )
    return f"{capabilities}\nrootDSE {folder / 'root.ldif'}"


ACTIVE_DIRECTORY = "supportedCapabilities: 1.2.840.113556.1.4.800"


async def test_c64_d19_active_directory_without_a_base(
    small_folder: Make, make_slapd: MakeSlapd, tmp_path: Path, doctor: Any
) -> None:
    server = make_slapd(head=dressed_as(tmp_path, ACTIVE_DIRECTORY))
    bases = {"PersonResolveBase": "", "GroupResolveBase": "", "UserIdAttribute": "uid"}

    assert await doctor.codes(small_folder(server, connection=bases)) == {"D19", "D20", "Q90"}
    assert 'PersonResolveBase="o=example"' in doctor.one("D19").fix


async def test_d21_the_dn_is_the_id_with_active_directory(
    small_folder: Make, make_slapd: MakeSlapd, tmp_path: Path, doctor: Any
) -> None:
    server = make_slapd(head=dressed_as(tmp_path, ACTIVE_DIRECTORY))

    assert await doctor.codes(small_folder(server)) == {"D21"}


async def test_d23_domino_has_no_base_for_groups(
    small_folder: Make, make_slapd: MakeSlapd, tmp_path: Path, doctor: Any
) -> None:
    server = make_slapd(
        head=dressed_as(tmp_path, "vendorName: IBM Lotus Software", "vendorVersion: Release 12")
    )

    assert await doctor.codes(small_folder(server)) == {"D23"}


async def test_d22_groups_of_another_class(small_folder: Make, small_slapd: Slapd, doctor: Any) -> None:
    unique = {
        "GroupObjectClass": "groupOfUniqueNames",
        "GroupMemberAttribute": "uniqueMember",
        "GroupResolveFilter": "(&(objectclass=groupOfUniqueNames)(cn=%s*))",
        "GroupMembership": "(&(objectclass=groupOfUniqueNames)(uniqueMember=%s))",
    }

    assert await doctor.codes(small_folder(small_slapd, connection=unique)) == {"D22"}
    assert 'GroupObjectClass="groupOfNames" GroupMemberAttribute="member"' in doctor.one("D22").fix


def partner_of(partner: Slapd) -> dict[str, str]:
    return {
        "HostName": "127.0.0.1",
        "Port": str(partner.port),
        "SSLPort": str(partner.tls_port),
        "PersonResolveBase": "o=partner",
        "GroupResolveBase": "o=partner",
        "BindEntryDn": "cn=reader,o=partner",
        "BindEntryPassword": small.READER_PASSWORD,
    }


async def test_two_servers_with_bases_apart_are_sound(
    make_folder: Make, edit: Edit, partner: Slapd, doctor: Any
) -> None:
    folder = make_folder()
    second(folder, edit, SearchOrder="2", **partner_of(partner))

    assert await doctor.codes(folder) == set()


async def test_d25_one_search_order_twice(make_folder: Make, edit: Edit, partner: Slapd, doctor: Any) -> None:
    folder = make_folder()
    second(folder, edit, **partner_of(partner))

    assert await doctor.codes(folder) == {"D25"}


async def test_d26_bases_overlap(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    second(folder, edit, HostName="127.0.0.1", SearchOrder="2", PersonResolveBase=small.PEOPLE)

    assert await doctor.codes(folder) == {"D26"}


async def test_d27_replicas_of_one_directory(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    second(folder, edit, HostName="127.0.0.1", SearchOrder="2")

    assert await doctor.codes(folder) == {"D27"}
    assert 'HostName="localhost,127.0.0.1"' in doctor.one("D27").fix


async def test_d28_a_group_above_1000(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    members = "\n".join(f"member: uid=p{n},{small.PEOPLE}" for n in range(1001))
    group = f"\ndn: cn=all,{small.GROUPS}\nobjectClass: groupOfNames\ncn: all\n{members}\n"
    server = make_slapd(small.LDIF + group.encode())

    assert await doctor.codes(small_folder(server)) == {"D28"}
    assert "1001" in doctor.one("D28").found


async def test_a_group_of_1000_is_sound(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    members = "\n".join(f"member: uid=p{n},{small.PEOPLE}" for n in range(1000))
    group = f"\ndn: cn=all,{small.GROUPS}\nobjectClass: groupOfNames\ncn: all\n{members}\n"

    assert await doctor.codes(small_folder(make_slapd(small.LDIF + group.encode()))) == set()


async def test_d29_somebody_without_mail_and_two_with_the_same(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    more = person("without") + person("twin", "mail: ALICE@example.com")

    assert await doctor.codes(small_folder(make_slapd(small.LDIF + more))) == {"D29"}
    seen = " ".join(each.found for each in doctor.found)
    assert "uid=without" in seen
    assert "alice@example.com" in seen


async def test_d30_given_names_find_several(make_folder: Make, doctor: Any) -> None:
    login = "(&(objectclass=inetOrgPerson)(|(uid=%s)(givenname=%s)(sn=%s)(mail=%s)))"

    assert await doctor.codes(make_folder(connection={"UserDnSearchFilter": login})) == {"D30"}


async def test_d31_a_photo_that_is_too_large_or_no_picture(
    small_folder: Make, make_slapd: MakeSlapd, edit: Edit, doctor: Any
) -> None:
    large = base64.b64encode(b"\xff\xd8\xff" + bytes(46080)).decode()
    more = person("large", "mail: large@example.com", f"jpegPhoto:: {large}")
    folder = small_folder(make_slapd(small.LDIF + more))
    edit(
        folder / "UserInfoConfig.xml",
        "      </Details>",
        '        <Detail Id="Photo" FieldName="jpegPhoto" Type="image/jpeg"/>\n      </Details>',
    )

    assert await doctor.codes(folder) == {"D31"}
    assert "uid=large" in doctor.one("D31").found


async def test_d31_an_address_that_begins_with_https(
    small_folder: Make, make_slapd: MakeSlapd, edit: Edit, doctor: Any
) -> None:
    more = person("url", "mail: url@example.com", "labeledURI: https://photos.example.com/url.jpg")
    folder = small_folder(make_slapd(small.LDIF + more))
    edit(
        folder / "UserInfoConfig.xml",
        "      </Details>",
        '        <Detail Id="PhotoURL" FieldName="labeledURI" Type="text/plain"/>\n      </Details>',
    )

    assert await doctor.codes(folder) == {"D31"}


async def test_d33_somebody_gets_no_card(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    edit(
        folder / "UserInfoConfig.xml",
        'Scope="2"',
        'Scope="2" UserIdAttribute="uid" PersonObjectClass="device"',
    )

    assert await doctor.codes(folder) == {"D33"}


async def test_the_base_does_not_exist(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"PersonResolveBase": "ou=nowhere,o=example"})) == {
        "Q20"
    }


async def test_nobody_is_of_the_class(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"PersonObjectClass": "residentialPerson"})) == {"Q21"}


@pytest.mark.parametrize("setting", ["PersonResolveFilter", "UserDnSearchFilter", "GroupResolveFilter"])
async def test_a_filter_that_finds_nobody(make_folder: Make, doctor: Any, setting: str) -> None:
    useless = {setting: "(&(objectclass=device)(cn=%s))"}

    assert await doctor.codes(make_folder(connection=useless)) == {"Q22"}
    assert setting in doctor.one("Q22").found


async def test_an_attribute_that_never_comes_back(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"EmailAttribute": "rfc822name"})) == {"Q23"}


async def test_a_search_without_an_index_is_refused(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    server = make_slapd(extra="limits * size.unchecked=15")
    filters = {"PersonResolveFilter": "(|(title=%s)(telephoneNumber=%s))"}

    assert await doctor.codes(small_folder(server, connection=filters)) == {"Q24"}


async def test_the_server_cuts_long_answers(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    server = make_slapd(extra="sizelimit 8")

    assert await doctor.codes(small_folder(server)) == {"Q25"}


async def test_the_server_refers_to_another(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    referral = (
        f"\ndn: ou=away,{small.BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: away\n"
        "ref: ldap://other.example.com/ou=away,o=example\n"
    )
    server = make_slapd(small.LDIF + referral.encode())

    assert await doctor.codes(small_folder(server)) == {"Q26"}


async def test_strangers_see_no_mail(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    server = make_slapd(hidden=("mail",))

    assert "Q29" in await doctor.codes(small_folder(server, account=None))


async def test_one_host_name_twice(make_folder: Make, edit: Edit, partner: Slapd, doctor: Any) -> None:
    folder = make_folder()
    second(folder, edit, SearchOrder="2", **partner_of(partner) | {"HostName": "localhost"})

    assert await doctor.codes(folder) == {"Q5"}


async def test_a_group_with_a_member_of_another_place(
    small_folder: Make, make_slapd: MakeSlapd, doctor: Any
) -> None:
    group = f"\ndn: cn=mixed,{small.GROUPS}\nobjectClass: groupOfNames\ncn: mixed\nmember: uid=x,o=partner\n"

    assert await doctor.codes(small_folder(make_slapd(small.LDIF + group.encode()))) == {"Q30"}


async def test_no_groups_at_all(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(connection={"GroupResolveBase": "ou=people,o=example"})) == {"Q28"}


async def test_people_cannot_even_be_listed(small_folder: Make, make_slapd: MakeSlapd, doctor: Any) -> None:
    server = make_slapd(extra="limits * size.unchecked=5")

    assert await doctor.codes(small_folder(server)) == {"Q24"}

"""Directories are recognised by their root DSE, and the settings proposed fit what they hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.init import writing
from quintet.admin.init.proposing import Proposal, contexts_with_people, propose
from quintet.admin.init.writing import SettingsPlan, write
from quintet.cards import Cards
from quintet.config.load import load
from quintet.directory import Directory, Protection
from quintet.embedded.answers import Rules
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Address, Entry, RootDSE, ServerKind, connect
from quintet.ldap.ldif import read_entries
from quintet.tls import Store, new_store
from support import certs, small
from support.slapd import Slapd

AD_ROOT = {
    "vendorName": (),
    "vendorVersion": (),
    "defaultNamingContext": ["DC=corp,DC=example"],
    "namingContexts": ["DC=corp,DC=example", "CN=Configuration,DC=corp,DC=example"],
    "forestFunctionality": ["7"],
    "isGlobalCatalogReady": ["TRUE"],
    "supportedCapabilities": ["1.2.840.113556.1.4.800"],
}
SAMBA_ROOT = AD_ROOT | {"vendorName": ["Samba Team (https://www.samba.org)"]}
DS389_ROOT = {"vendorName": ["389 Project"], "vendorVersion": ["389-Directory/2.3.1"]}
DOMINO_ROOT = {"vendorName": ["HCL"], "vendorVersion": ["Domino 12.0.2"], "namingContexts": ()}

AD = b"""dn: DC=corp,DC=example
objectClass: domain
DC: corp

dn: CN=Users,DC=corp,DC=example
objectClass: container
cn: Users

dn: CN=Administrator,CN=Users,DC=corp,DC=example
objectClass: user
objectClass: person
cn: Administrator
sAMAccountName: Administrator
sAMAccountType: 805306368

dn: OU=Staff,DC=corp,DC=example
objectClass: organizationalUnit
ou: Staff

dn: CN=Ann Ames,OU=Staff,DC=corp,DC=example
objectClass: user
objectClass: person
cn: Ann Ames
sn: Ames
displayName: Ann Ames
sAMAccountName: aames
sAMAccountType: 805306368
distinguishedName: CN=Ann Ames,OU=Staff,DC=corp,DC=example
userPrincipalName: aames@corp.example
mail: ann@corp.example
company: Corp
thumbnailPhoto: x

dn: CN=PC-0001,OU=Staff,DC=corp,DC=example
objectClass: user
objectClass: computer
cn: PC-0001
sAMAccountName: PC-0001$
sAMAccountType: 805306369

dn: OU=Groups,DC=corp,DC=example
objectClass: organizationalUnit
ou: Groups

dn: CN=Sales,OU=Groups,DC=corp,DC=example
objectClass: group
cn: Sales
member: CN=Ann Ames,OU=Staff,DC=corp,DC=example
"""

DS389 = b"""dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=north,ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: north

dn: uid=ann,ou=north,ou=people,dc=example,dc=com
objectClass: person
objectClass: organizationalPerson
objectClass: inetOrgPerson
uid: ann
cn: Ann Ames
sn: Ames
mail: ann@example.com
telephoneNumber: 12

dn: ou=south,ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: south

dn: uid=ben,ou=south,ou=people,dc=example,dc=com
objectClass: person
objectClass: organizationalPerson
objectClass: inetOrgPerson
uid: ben
cn: Ben Burr
sn: Burr
mail: ben@example.com

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=all,ou=groups,dc=example,dc=com
objectClass: groupOfUniqueNames
cn: all
uniqueMember: uid=ann,ou=north,ou=people,dc=example,dc=com
"""

DOMINO = b"""dn: O=Acme
objectClass: organization
O: Acme

dn: CN=Ann Ames,O=Acme
objectClass: dominoPerson
objectClass: inetOrgPerson
cn: Ann Ames
sn: Ames
uid: aames
mail: ann@acme.example

dn: CN=Sales
objectClass: dominoGroup
cn: Sales
member: CN=Ann Ames,O=Acme
"""


async def proposed(ldif: bytes, root: Mapping[str, Sequence[str]]) -> tuple[RootDSE, Proposal]:
    async with (
        EmbeddedServer(read_entries(ldif), rules=Rules(root=root)) as server,
        await connect(Address("127.0.0.1", server.port)) as connection,
    ):
        found = await connection.root_dse()
        return found, await propose(connection, found)


@pytest.mark.parametrize(
    ("told", "product"),
    [
        ({"objectClass": ["top", "OpenLDAProotDSE"]}, ServerKind.OPENLDAP),
        (DS389_ROOT, ServerKind.DIRECTORY_389),
        ({"vendorName": ["Red Hat Directory Server"]}, ServerKind.DIRECTORY_389),
        (AD_ROOT, ServerKind.ACTIVE_DIRECTORY),
        ({"forestFunctionality": ["7"]}, ServerKind.ACTIVE_DIRECTORY),
        ({"isGlobalCatalogReady": ["TRUE"]}, ServerKind.ACTIVE_DIRECTORY),
        (SAMBA_ROOT, ServerKind.SAMBA),
        (DOMINO_ROOT, ServerKind.DOMINO),
        ({"vendorName": ["Lotus Development Corporation"]}, ServerKind.DOMINO),
        ({"dominoServer": ["CN=hub/O=Acme"]}, ServerKind.DOMINO),
        ({"vendorName": ["Somebody"]}, ServerKind.UNKNOWN),
        ({}, ServerKind.UNKNOWN),
    ],
)
def test_a_product_is_recognised_by_its_root(told: Mapping[str, Sequence[str]], product: ServerKind) -> None:
    entry = Entry("", {name: [each.encode() for each in values] for name, values in told.items()})
    assert RootDSE(entry).kind is product


async def test_c64_active_directory_gets_its_naming_context_as_base() -> None:
    root, found = await proposed(AD, AD_ROOT)
    assert root.kind is ServerKind.ACTIVE_DIRECTORY
    assert contexts_with_people(root) == ("DC=corp,DC=example",)
    assert found.person_base == "DC=corp,DC=example"
    assert found.group_base == "OU=Groups,DC=corp,DC=example"
    assert (found.person_class, found.group_class, found.member_attribute) == ("user", "group", "member")
    assert found.user_id_attribute == "distinguishedName"
    assert "(sAMAccountName=%s)" in found.login_filter
    assert "(sAMAccountType=805306368)" in found.person_filter
    assert "(sAMAccountType=805306368)" in found.login_filter
    assert dict(found.details)["Photo"] == "thumbnailPhoto"


async def test_389_with_people_in_two_units_gets_the_container_of_both() -> None:
    root, found = await proposed(DS389, DS389_ROOT)
    assert root.kind is ServerKind.DIRECTORY_389
    assert found.person_base == "ou=people,dc=example,dc=com"
    assert found.group_base == "ou=groups,dc=example,dc=com"
    assert (found.group_class, found.member_attribute) == ("groupOfUniqueNames", "uniqueMember")
    assert found.membership == "(&(objectclass=groupOfUniqueNames)(uniqueMember=%s))"
    assert found.login_filter == "(&(objectclass=inetOrgPerson)(|(uid=%s)(mail=%s)))"


async def test_d23_domino_gets_no_base_for_groups() -> None:
    root, found = await proposed(DOMINO, DOMINO_ROOT)
    assert root.kind is ServerKind.DOMINO
    assert found.group_base == ""
    assert (found.person_class, found.group_class) == ("dominoPerson", "dominoGroup")
    assert "(cn=%s)" in found.login_filter


async def test_an_empty_directory_gets_what_is_usual_and_is_told_to_be_empty() -> None:
    _, found = await proposed(b"dn: o=x\nobjectClass: organization\no: x\n", {})
    assert (found.person_base, found.person_class) == ("o=x", "inetOrgPerson")
    assert len(found.notes) == 2
    assert set(dict(found.details)) == {
        "MailAddress",
        "Name",
        "Title",
        "Location",
        "Telephone",
        "Company",
        "Photo",
    }


@pytest.mark.parametrize(
    ("ldif", "root"), [(AD, AD_ROOT), (AD, SAMBA_ROOT), (DS389, DS389_ROOT), (DOMINO, DOMINO_ROOT)]
)
async def test_what_is_proposed_makes_settings_without_an_error_that_find_a_person(
    tmp_path: Path, ldif: bytes, root: Mapping[str, Sequence[str]]
) -> None:
    async with EmbeddedServer(read_entries(ldif), rules=Rules(root=root)) as server:
        async with await connect(Address("127.0.0.1", server.port)) as connection:
            found = await propose(connection, await connection.root_dse())
        write(
            tmp_path,
            {},
            SettingsPlan("127.0.0.1", server.port, 636, False, Protection.NONE, None, None, False, found),
        )
        settings = load(tmp_path, {})
        assert settings.cards is not None
        async with Directory(settings) as directory, Cards(settings) as cards:
            person = await directory.resolve_login("aames" if ldif != DS389 else "ann")
            groups = await directory.groups_of(person)
            card = await cards.card(person.id)
    assert person.name == "Ann Ames"
    assert len(groups) == 1
    assert card.fields["Name"].value == "Ann Ames"


@pytest.mark.parametrize("failing", ["write_files", "write_stash"])
async def test_when_writing_fails_everything_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    _, found = await proposed(DS389, DS389_ROOT)
    (tmp_path / "ldaptruststore.sth").write_text("old")
    before = contents(tmp_path)
    plan = SettingsPlan("h", 389, 636, False, Protection.ALL, None, _store(), True, found)
    real = getattr(writing, failing)

    def full(first: Any, *others: Any) -> Any:
        if failing == "write_stash" and ".init-" in str(first):
            return real(first, *others)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, failing, full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, {}, plan)
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def _store() -> Store:
    return new_store().with_trusted("ca", certs.authority().certificate)


@pytest.mark.real
async def test_openldap_is_recognised_and_its_units_are_found(small_slapd: Slapd) -> None:
    async with await connect(Address("127.0.0.1", small_slapd.port)) as connection:
        root = await connection.root_dse()
        found = await propose(connection, root)
    assert root.kind is ServerKind.OPENLDAP
    assert contexts_with_people(root) == (small.BASE,)
    assert (found.person_base, found.group_base) == (small.PEOPLE, small.GROUPS)
    assert (found.person_class, found.group_class) == ("inetOrgPerson", "groupOfNames")

"""Business cards out of a real slapd, over a connection of their own: rows C66 to C71, C73, C75."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.cards import Cards
from quintet.config.load import load
from quintet.config.settings import Settings
from quintet.directory import AmbiguousNameError, Service, UnknownNameError, UntrustedServerError
from quintet.embedded import sample
from support import certs, keytool, small
from support.folder import settings_folder
from support.relay import Relay
from support.slapd import Slapd

pytestmark = pytest.mark.real

ALICE = small.person_dn("alice")


def settings_of(folder: Path, **changes: str) -> Settings:
    """The settings, after attributes of the `StorageDetails` were changed or added."""
    path = folder / "UserInfoConfig.xml"
    xml = path.read_text()
    for name, value in changes.items():
        xml, found = re.subn(rf'\b{name}="[^"]*"', f'{name}="{value}"', xml, count=1)
        if not found:
            xml = xml.replace("<StorageDetails ", f'<StorageDetails {name}="{value}" ')
    path.write_text(xml)
    return load(folder, {})


async def test_c68_tls_with_the_store_of_the_storage_whatever_sametime_ini_says(
    tmp_path: Path, small_slapd: Slapd, relay: Relay
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", cards_encrypted=True)
    async with Cards(settings_of(folder), route=relay.route) as cards:
        card = await cards.card("alice")
        (status,) = cards.status()
    assert card.fields["Name"].value == "Alice Adams"
    assert (status.service, status.encrypted, status.bound_as) == (
        Service.BUSINESS_CARD,
        True,
        small.READER_DN,
    )
    assert status.certificate is not None
    assert all(b"Alice" not in each.bytes for each in relay.of(Service.BUSINESS_CARD))


async def test_c68_a_store_without_the_authority_is_not_enough(
    tmp_path: Path, small_slapd: Slapd, relay: Relay
) -> None:
    folder = settings_folder(tmp_path, small_slapd, cards_encrypted=True)
    other = keytool.trust_store(tmp_path / "other.p12", {"other": certs.authority("Somebody else")})
    async with Cards(settings_of(folder, KeyStorePath=str(other)), route=relay.route) as cards:
        with pytest.raises(UntrustedServerError, match=r"quintet trust fetch \S+ --store \S+other\.p12"):
            await cards.card("alice")
    assert all(b"alice" not in each.bytes for each in relay.of(Service.BUSINESS_CARD))


async def test_c66_user_encoded_auth_wins(tmp_path: Path, make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd(anonymous_read=False)
    folder = settings_folder(tmp_path, server, cards_encrypted=True, account=("cn=wrong,o=example", "wrong"))
    encoded = base64.b64encode(f"{small.READER_DN}:{small.READER_PASSWORD}".encode()).decode()
    async with Cards(settings_of(folder, UserEncodedAuth=encoded)) as cards:
        assert (await cards.card("alice")).id == ALICE
        assert cards.status()[0].bound_as == small.READER_DN


@pytest.mark.parametrize(
    ("scope", "base", "found"),
    [
        ("2", small.BASE, True),
        ("1", small.PEOPLE, True),
        ("1", small.BASE, False),
        ("0", ALICE, True),
        ("0", small.PEOPLE, False),
    ],
)
async def test_c67_the_scope_bounds_the_search(
    tmp_path: Path, small_slapd: Slapd, scope: str, base: str, *, found: bool
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None)
    async with Cards(settings_of(folder, Scope=scope, BaseDN=base)) as cards:
        if found:
            assert (await cards.card("alice")).id == ALICE
        else:
            with pytest.raises(UnknownNameError):
                await cards.card("alice")


async def test_c69_an_id_that_is_not_the_dn(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None)
    settings = settings_of(folder, UserIdAttribute="entryUUID", PersonObjectClass="inetOrgPerson")
    async with Cards(settings) as cards:
        by_dn = await cards.card(ALICE)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", by_dn.id)
        assert await cards.card(by_dn.id) == by_dn
        assert await cards.card("alice") == by_dn  # no ID: the search filter finds her
        with pytest.raises(UnknownNameError):
            await cards.card("nobody")


@pytest.mark.parametrize("uid", ["comma", "odd", "jose"])
async def test_odd_names_are_read_by_their_dn_and_by_their_name(
    tmp_path: Path, small_slapd: Slapd, uid: str
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None)
    async with Cards(settings_of(folder)) as cards:
        card = await cards.card(small.person_dn(uid))
        assert card.fields["MailAddress"].value == f"{uid}@example.com"
        assert (await cards.card(str(card.fields["Name"].value))).dn == card.dn


async def test_a_group_is_nobody(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None)
    async with Cards(settings_of(folder)) as cards:
        with pytest.raises(UnknownNameError):
            await cards.card(small.group_dn("engineers"))


async def test_two_john_smiths_have_no_card_by_their_name(tmp_path: Path, slapd: Slapd) -> None:
    folder = settings_folder(tmp_path, slapd, level="none", account=None)
    async with Cards(settings_of(folder)) as cards:
        with pytest.raises(AmbiguousNameError):
            await cards.card("John Smith")
        assert (await cards.card("jsmith")).id != (await cards.card("jsmith2")).id


async def test_c70_c71_c73_the_sample_organisation_shows_whole_cards(tmp_path: Path, slapd: Slapd) -> None:
    folder = settings_folder(tmp_path, slapd, level="none", account=None)
    async with Cards(settings_of(folder)) as cards:
        card = await cards.card("jgross")
        public = await cards.card("jgross", set_id=1, authenticated=False)
    person = next(e for e in sample.entries() if e.attributes.get("uid") == [b"jgross"])
    telephones = (person.attributes.get(name, (b"",))[0].decode() for name in ("telephoneNumber", "mobile"))
    assert card.fields["Telephone"].value == " / ".join(number for number in telephones if number)
    assert set(public.fields) == {"Name"}
    photo = person.attributes.get("jpegPhoto")
    assert ("Photo" in card.fields) is (photo is not None)
    if photo is not None:
        assert (card.fields["Photo"].value, card.fields["Photo"].type) == (photo[0], "image/jpeg")


async def test_c75_a_second_directory_fills_the_gaps(
    tmp_path: Path, small_slapd: Slapd, make_slapd: Callable[..., Slapd]
) -> None:
    """The same people are in both; only the second has a mapping for their telephones."""
    other = make_slapd(small.LDIF.replace(b"title: Engineer\n", b"title: Director\nmobile: +49 170 1\n"))
    first = settings_folder(tmp_path / "first", small_slapd, level="none", account=None)
    second = settings_folder(tmp_path / "second", other, level="none", account=None)
    extra = re.search(r"<Storage .*</Storage>", (second / "UserInfoConfig.xml").read_text(), re.DOTALL)
    assert extra is not None
    path = first / "UserInfoConfig.xml"
    path.write_text(path.read_text().replace("</Resources>", f"{extra[0]}</Resources>"))
    thinner = path.read_text().replace(
        'Id="Telephone" FieldName="telephoneNumber,mobile"', 'Id="X" FieldName="l"', 1
    )
    path.write_text(thinner)
    async with Cards(settings_of(first)) as cards:
        card = await cards.card("alice")
    assert card.fields["Title"].value == "Engineer"
    assert card.fields["Telephone"].value == "+49 30 1000 / +49 170 1"


async def test_a_restarted_server_is_asked_again_unseen(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd()
    folder = settings_folder(tmp_path, server, cards_encrypted=True)
    async with Cards(settings_of(folder)) as cards:
        before = await cards.card("alice")
        server.kill()
        server.restart()
        assert await cards.card("alice") == before
        assert cards.status()[0].reconnects == 1


async def test_where_passwords_are_guarded_the_account_of_clear_cards_is_guarded_too(
    tmp_path: Path, small_slapd: Slapd, relay: Relay
) -> None:
    """C3: under "only passwords" no password is sent unencrypted, and the cards still answer."""
    folder = settings_folder(tmp_path, small_slapd, level="passwords", cards_encrypted=False)
    async with Cards(settings_of(folder), route=relay.route) as cards:
        assert (await cards.card("alice")).id == ALICE
        assert cards.status()[0].bound_as is None
    assert all(small.READER_PASSWORD.encode() not in each.bytes for each in relay.of(Service.BUSINESS_CARD))

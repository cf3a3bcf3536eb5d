"""Cards out of one repository and several, and what becomes of faults: rows C65, C70 and C75."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from quintet.cards import Cards
from quintet.config.settings import CardServer, CardSettings, CardStorage, Detail, Settings
from quintet.directory import (
    AmbiguousNameError,
    DirectoryUnavailableError,
    Searched,
    Step,
    Took,
    UnknownNameError,
    watch,
)
from quintet.embedded.faults import Drop, Silence, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Entry, Scope
from quintet.ldap.dn import DN
from quintet.ldap.filters import Template
from quintet.tls.settings import TlsSettings
from support.directories import card_settings

DETAILS = (
    Detail("MailAddress", ("mail",), "text/plain", " "),
    Detail("Name", ("cn",), "text/plain", " "),
    Detail("Title", ("title",), "text/plain", " "),
    Detail("Telephone", ("telephoneNumber", "mobile"), "text/plain", " / "),
)
ADA = "cn=Ada,o=first"


def person(dn: str, **attributes: str) -> Entry:
    given = {name: [value.encode()] for name, value in attributes.items()}
    return Entry(dn, {"objectClass": [b"top", b"person"], **given})


FIRST = (
    Entry("o=first", {"objectClass": [b"organization"], "o": [b"first"]}),
    person(ADA, cn="Ada", mail="ada@example.com", title="Engineer", employeeNumber="17"),
    person("cn=Bob,o=first", cn="Bob", mail="bob@example.com"),
    person("cn=Twin,o=first", cn="Twin", mail="one@example.com", sn="Twin"),
    person("cn=Twin 2,o=first", cn="Twin", mail="two@example.com", sn="Twin"),
)
SECOND = (
    Entry("o=second", {"objectClass": [b"organization"], "o": [b"second"]}),
    person("uid=x1,o=second", cn="A. Byron", mail="ada@example.com", title="Countess", mobile="22"),
    person("uid=x2,o=second", cn="Only Here", mail="here@example.com", title="Guest"),
)


def storage(server: EmbeddedServer, base: str, **changes: object) -> CardStorage:
    there = CardServer(
        host="localhost",
        port=server.port,
        ssl_port=636,
        ssl_enabled=False,
        account=None,
        base=DN.parse(base),
        scope=Scope.SUBTREE,
        filter=Template("(&(objectclass=person)(|(cn=%s)(mail=%s)))"),
        user_id_attribute=None,
        person_class=None,
    )
    return CardStorage((replace(there, **changes),), DETAILS, TlsSettings(), "MailAddress")  # type: ignore[arg-type]


def settings(*storages: CardStorage, **changes: object) -> Settings:
    sets = {0: ("Name",), 1: ("Title", "Name", "MailAddress", "Telephone")}
    return card_settings(replace(CardSettings(storages, sets), **changes))  # type: ignore[arg-type]


def shown(fields: Mapping[str, object]) -> dict[str, object]:
    return {ident: getattr(field, "value", None) for ident, field in fields.items()}


@pytest.fixture
async def servers() -> AsyncIterator[tuple[EmbeddedServer, EmbeddedServer]]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(EmbeddedServer(FIRST))
        second = await stack.enter_async_context(EmbeddedServer(SECOND))
        yield first, second


Servers = tuple[EmbeddedServer, EmbeddedServer]


async def test_a_card_has_the_fields_of_the_set_in_its_order(servers: Servers) -> None:
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        card = await cards.card("ada@example.com")
    assert (card.id, card.dn) == (ADA, ADA)
    assert list(shown(card.fields).items()) == [
        ("Title", "Engineer"),
        ("Name", "Ada"),
        ("MailAddress", "ada@example.com"),
    ]


async def test_c71_an_anonymous_asker_gets_set_0(servers: Servers) -> None:
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        by_set = await cards.card(ADA, set_id=1, authenticated=False)
        by_id = await cards.card(ADA, only=["Title", "Name"], authenticated=False)
    assert shown(by_set.fields) == shown(by_id.fields) == {"Name": "Ada"}


async def test_a_card_is_found_by_dn_by_name_and_by_id(servers: Servers) -> None:
    by_id = storage(servers[0], "o=first", user_id_attribute="employeeNumber", person_class="person")
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        assert [(await cards.card(user)).id for user in (ADA, "cn = ADA , o=first", "Ada")] == [ADA] * 3
    async with Cards(settings(by_id)) as cards:
        card = await cards.card("17")
        assert (card.id, card.dn) == ("17", ADA)


@pytest.mark.parametrize("user", ["", "Nobody", "cn=Nobody,o=first", "o=first", "*", "\0", "x" * 100_000])
async def test_whom_nobody_knows_has_no_card(servers: Servers, user: str) -> None:
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        with pytest.raises(UnknownNameError):
            await cards.card(user)


async def test_two_people_of_one_name_have_no_card_and_the_log_tells(servers: Servers) -> None:
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        with capture_logs() as logs, pytest.raises(AmbiguousNameError, match="several people"):
            await cards.card("Twin")
    assert [each["log_level"] for each in logs] == ["warning"]
    assert "Twin" not in str(logs)


async def test_c75_a_later_repository_fills_gaps_and_changes_nothing(servers: Servers) -> None:
    both = settings(storage(servers[0], "o=first"), storage(servers[1], "o=second"))
    async with Cards(both) as cards:
        card = await cards.card(ADA)
    assert card.id == ADA
    assert shown(card.fields) == {
        "Title": "Engineer",
        "Name": "Ada",
        "MailAddress": "ada@example.com",
        "Telephone": "22",
    }


async def test_each_field_is_told_with_the_search_and_the_attributes_that_it_came_from(
    servers: Servers,
) -> None:
    both = settings(storage(servers[0], "o=first"), storage(servers[1], "o=second"))
    told: list[Step | Took] = []
    async with Cards(both) as cards:
        with watch(told.append):
            await cards.card(ADA)
        await cards.card(ADA)
    came = [(search, took.fields) for search, took in pairwise(told) if isinstance(took, Took)]
    assert [(search.base, fields) for search, fields in came if isinstance(search, Searched)] == [
        (ADA, {"Name": ("cn",), "MailAddress": ("mail",), "Title": ("title",)}),
        ("o=second", {"Telephone": ("mobile",)}),
    ]


async def test_c75_the_later_repository_is_asked_by_id_first(servers: Servers) -> None:
    both = settings(storage(servers[0], "o=first"), storage(servers[1], "o=second"))
    async with Cards(both) as cards:
        card = await cards.card("here@example.com")
    assert (card.id, shown(card.fields)["Title"]) == ("uid=x2,o=second", "Guest")


async def test_c75_only_by_common_field_asks_the_later_one_by_nothing_else(servers: Servers) -> None:
    both = settings(
        storage(servers[0], "o=first"), storage(servers[1], "o=second"), search_only_by_common_field=True
    )
    async with Cards(both) as cards:
        assert shown((await cards.card(ADA)).fields)["Telephone"] == "22"
        with pytest.raises(UnknownNameError):
            await cards.card("here@example.com")


async def test_c75_the_common_field_links_even_when_it_is_not_shown(servers: Servers) -> None:
    both = settings(storage(servers[0], "o=first"), storage(servers[1], "o=second"))
    async with Cards(both) as cards:
        card = await cards.card(ADA, only=["Telephone"])
    assert shown(card.fields) == {"Telephone": "22"}


async def test_c65_a_full_card_needs_no_later_repository(servers: Servers) -> None:
    both = settings(storage(servers[0], "o=first"), storage(servers[1], "o=second"))
    async with Cards(both) as cards:
        await cards.card(ADA, only=["Title", "Name"])
    assert servers[1].counts["search"] == 0


async def test_c65_servers_of_one_storage_are_asked_in_their_order(servers: Servers) -> None:
    first, second = storage(servers[0], "o=first"), storage(servers[1], "o=second")
    one = replace(first, servers=first.servers + second.servers)
    async with Cards(settings(one)) as cards:
        assert (await cards.card("ada@example.com")).id == ADA
        assert (await cards.card("here@example.com")).id == "uid=x2,o=second"


async def test_c75_a_later_server_of_the_same_storage_fills_gaps_as_one_of_another_storage_does(
    servers: Servers,
) -> None:
    first, second = storage(servers[0], "o=first"), storage(servers[1], "o=second")
    one = replace(first, servers=first.servers + second.servers)
    async with Cards(settings(one)) as cards:
        in_one = await cards.card(ADA)
    async with Cards(settings(first, second)) as cards:
        in_two = await cards.card(ADA)
    assert shown(in_one.fields) == shown(in_two.fields)
    assert (in_one.id, shown(in_one.fields)["Telephone"]) == (ADA, "22")


JOHN, OTHER_JOHN = "cn=John Smith,o=first", "cn=John Smith,o=second"
TWO_JOHNS = (
    (*FIRST, person(JOHN, cn="John Smith", mail="john@first.example")),
    (*SECOND, person(OTHER_JOHN, cn="John Smith", mail="john@second.example", mobile="666")),
)


@pytest.fixture
async def two_johns() -> AsyncIterator[Servers]:
    """Each directory has a John Smith, who is not the other's; only the second one has a telephone."""
    async with EmbeddedServer(TWO_JOHNS[0]) as first, EmbeddedServer(TWO_JOHNS[1]) as second:
        yield first, second


async def test_c65_one_storage_shows_one_person_though_a_later_server_has_another_of_that_name(
    two_johns: Servers,
) -> None:
    first, second = storage(two_johns[0], "o=first"), storage(two_johns[1], "o=second")
    async with Cards(settings(replace(first, servers=first.servers + second.servers))) as cards:
        card = await cards.card("John Smith")
    assert (card.id, shown(card.fields)) == (
        JOHN,
        {"Name": "John Smith", "MailAddress": "john@first.example"},
    )


async def test_c75_a_later_storage_adds_nothing_of_another_person_of_that_name(two_johns: Servers) -> None:
    both = settings(storage(two_johns[0], "o=first"), storage(two_johns[1], "o=second"))
    async with Cards(both) as cards:
        card = await cards.card("John Smith")
        other = await cards.card("john@second.example")
    assert (card.id, "Telephone" in card.fields) == (JOHN, False)
    assert (other.id, shown(other.fields)["Telephone"]) == (OTHER_JOHN, "666")


async def test_c69_c75_a_later_storage_is_asked_by_the_id_of_the_person_found(servers: Servers) -> None:
    """Ada is 17 at home; the other directory knows her by that number, and by another mail address."""
    elsewhere = person("uid=x9,o=second", cn="A. Byron", sn="17", mail="a@second.example", mobile="99")
    namesake = person("uid=x8,o=second", cn="17", mobile="88")
    async with EmbeddedServer((SECOND[0], elsewhere, namesake)) as third:
        first = storage(servers[0], "o=first", user_id_attribute="employeeNumber", person_class="person")
        by_number = storage(third, "o=second", user_id_attribute="sn")
        by_filter = storage(third, "o=second")
        async with Cards(settings(first, by_number)) as cards:
            assert shown((await cards.card(ADA)).fields)["Telephone"] == "99"
        async with Cards(settings(first, by_filter)) as cards:
            assert "Telephone" not in (await cards.card(ADA)).fields


async def test_c75_only_by_common_field_hides_nobody_on_a_second_server_of_the_first_storage(
    servers: Servers,
) -> None:
    first, second = storage(servers[0], "o=first"), storage(servers[1], "o=second")
    one = replace(first, servers=first.servers + second.servers)
    async with Cards(settings(one, search_only_by_common_field=True)) as cards:
        assert (await cards.card("here@example.com")).id == "uid=x2,o=second"


async def test_c65_a_name_that_means_several_people_is_not_guessed_at_a_later_server(
    servers: Servers,
) -> None:
    twin = person("cn=Twin,o=second", cn="Twin", mail="three@example.com")
    async with EmbeddedServer((*SECOND, twin)) as third:
        first, second = storage(servers[0], "o=first"), storage(third, "o=second")
        one = replace(first, servers=first.servers + second.servers)
        for each in (settings(one), settings(first, second)):
            async with Cards(each) as cards:
                with pytest.raises(AmbiguousNameError):
                    await cards.card("Twin")


async def test_c75_a_common_value_that_several_have_fills_nothing(servers: Servers) -> None:
    again = person("uid=x3,o=second", cn="A. B.", mail="ada@example.com", mobile="33")
    async with EmbeddedServer((*SECOND, again)) as third:
        both = settings(storage(servers[0], "o=first"), storage(third, "o=second"))
        async with Cards(both) as cards:
            card = await cards.card(ADA)
    assert (card.id, "Telephone" in card.fields) == (ADA, False)


async def test_c75_a_common_field_of_several_attributes_links_by_the_first_that_has_a_value(
    servers: Servers,
) -> None:
    by_two = (Detail("MailAddress", ("mail", "cn"), "text/plain", " "), *DETAILS[1:])
    first = replace(storage(servers[0], "o=first"), details=by_two)
    async with Cards(settings(first, storage(servers[1], "o=second"))) as cards:
        assert shown((await cards.card(ADA)).fields)["Telephone"] == "22"


async def test_a_connection_that_breaks_is_made_again_and_asked_once_more(servers: Servers) -> None:
    servers[0].faults = failing(Drop(), "search", times=1)
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        assert (await cards.card(ADA)).id == ADA
    assert servers[0].counts["connections"] == 2


async def test_a_second_break_is_told(servers: Servers) -> None:
    servers[0].faults = failing(Drop(), "search")
    async with Cards(settings(storage(servers[0], "o=first"))) as cards:
        with pytest.raises(DirectoryUnavailableError):
            await cards.card(ADA)


async def test_a_server_that_is_down_leaves_what_the_others_know(servers: Servers) -> None:
    servers[1].faults = failing(Drop(), "search")
    both = settings(storage(servers[0], "o=first"), storage(servers[1], "o=second"))
    async with Cards(both) as cards:
        card = await cards.card(ADA)
        assert card.unavailable == ("localhost",)
        assert shown(card.fields)["Title"] == "Engineer"
        with pytest.raises(DirectoryUnavailableError):
            await cards.card("here@example.com")


async def test_an_answer_that_does_not_come_is_given_up_after_the_search_timeout(servers: Servers) -> None:
    servers[0].faults = failing(Silence(), "search")
    async with Cards(settings(storage(servers[0], "o=first"), search_timeout=0.05)) as cards:
        with pytest.raises(DirectoryUnavailableError):
            await cards.card(ADA)


async def test_a_reload_keeps_the_connections_that_it_does_not_touch(servers: Servers) -> None:
    first, second = storage(servers[0], "o=first"), storage(servers[1], "o=second")
    async with Cards(settings(first)) as cards:
        await cards.card(ADA)
        await cards.reload(settings(first, second))
        assert shown((await cards.card(ADA)).fields)["Telephone"] == "22"
        await cards.reload(settings(second))
        assert (await cards.card("here@example.com")).id == "uid=x2,o=second"
        assert len(cards.status()) == 1
    assert servers[0].counts["connections"] == servers[1].counts["connections"] == 1


async def test_without_a_repository_nobody_has_a_card() -> None:
    async with Cards(settings()) as cards:
        with pytest.raises(UnknownNameError):
            await cards.card(ADA)
        assert cards.status() == ()

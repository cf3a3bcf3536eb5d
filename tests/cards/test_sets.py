"""Who sees which fields: row C71."""

import pytest

from quintet.cards.plan import ids_in_set, ids_to_show
from quintet.config.settings import CardSettings, CardStorage, Detail
from quintet.tls.settings import TlsSettings

DETAILS = tuple(Detail(ident, ("cn",), "text/plain", " ") for ident in ("Name", "Company", "Title", "Extra"))
SETTINGS = CardSettings(
    (CardStorage((), DETAILS, TlsSettings(), "MailAddress"),),
    {0: ("Name", "Company"), 1: ("Title", "Name", "Gone"), 7: ("Extra",)},
)


@pytest.mark.parametrize("set_id", [0, 1, 7, 99])
def test_c71_anonymous_askers_get_set_0_whatever_they_ask_for(set_id: int) -> None:
    assert ids_to_show(SETTINGS, set_id=set_id, authenticated=False) == ("Name", "Company")


def test_c71_anonymous_askers_get_no_field_by_id_that_is_not_in_set_0() -> None:
    wanted = ["Title", "Name", "Extra"]
    assert ids_to_show(SETTINGS, set_id=1, only=wanted, authenticated=False) == ("Name",)


@pytest.mark.parametrize(
    ("set_id", "ids"), [(0, ("Name", "Company")), (1, ("Title", "Name")), (7, ("Extra",)), (99, ())]
)
def test_c71_authenticated_askers_get_the_set_that_they_ask_for(set_id: int, ids: tuple[str, ...]) -> None:
    assert ids_to_show(SETTINGS, set_id=set_id, authenticated=True) == ids


def test_authenticated_askers_get_fields_by_id() -> None:
    wanted = ["Extra", "Name", "Extra", "Nonsense"]
    assert ids_to_show(SETTINGS, set_id=1, only=wanted, authenticated=True) == ("Extra", "Name")


def test_an_id_without_a_detail_is_dropped() -> None:
    assert ids_in_set(SETTINGS, 1) == ("Title", "Name")


def test_c72_ids_are_case_sensitive() -> None:
    assert ids_to_show(SETTINGS, set_id=1, only=["name", "NAME"], authenticated=True) == ()

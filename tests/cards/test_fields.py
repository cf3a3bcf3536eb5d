"""From attributes to fields: rows C70, C72, C73 and C74."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from quintet.cards.fields import PHOTO_LIMIT, Attributes, CardFields, Field
from quintet.config.settings import Detail
from quintet.embedded import portrait

GIF = b"GIF89a" + bytes(20)


def fields_of(details: Sequence[Detail], attributes: Attributes) -> dict[str, Field]:
    return CardFields(details).of(attributes)


JPEG = portrait.draw("somebody")


def text(ident: str, *attributes: str, separator: str = " ", kind: str = "text/plain") -> Detail:
    return Detail(ident, attributes, kind, separator)


def shown(detail: Detail, **attributes: str | bytes | list[str]) -> str | bytes | None:
    raw = {name: values_of(value) for name, value in attributes.items()}
    field = fields_of([detail], raw).get(detail.id)
    return field.value if field else None


def values_of(value: str | bytes | list[str]) -> list[bytes]:
    each = value if isinstance(value, list) else [value]
    return [one if isinstance(one, bytes) else one.encode() for one in each]


TELEPHONE = text("Telephone", "telephoneNumber", "mobile", "pager", separator=" / ")


def test_c70_several_attributes_are_joined_in_the_order_of_the_settings() -> None:
    assert shown(TELEPHONE, mobile="2", pager="3", telephoneNumber="1") == "1 / 2 / 3"


@pytest.mark.parametrize(
    ("attributes", "value"),
    [
        ({"mobile": "2"}, "2"),
        ({"telephoneNumber": "1", "pager": "3"}, "1 / 3"),
        ({"telephoneNumber": " ", "mobile": "2"}, "2"),
        ({}, None),
        ({"telephoneNumber": ""}, None),
    ],
)
def test_c70_a_missing_value_leaves_no_separator(attributes: Mapping[str, str], value: str | None) -> None:
    assert shown(TELEPHONE, **attributes) == value


@given(st.lists(st.sampled_from(["", " ", "x", "yy"]), min_size=3, max_size=3))
def test_c70_separators_stand_only_between_values(values: list[str]) -> None:
    attributes = dict(zip(("telephoneNumber", "mobile", "pager"), values, strict=True))
    wanted = " / ".join(value for value in values if value.strip())
    assert (shown(TELEPHONE, **attributes) or "") == wanted


def test_an_attribute_is_found_however_the_server_spells_it() -> None:
    assert shown(text("Name", "cn"), CN="Ada Byron") == "Ada Byron"


def test_a_value_with_options_counts_where_there_is_none_without() -> None:
    name = text("Name", "cn")
    assert fields_of([name], {"cn;lang-ja": ["エイダ".encode()]})["Name"].value == "エイダ"
    assert fields_of([name], {"cn;lang-ja": ["エイダ".encode()], "cn": [b"Ada"]})["Name"].value == "Ada"


def test_the_first_value_that_says_something_is_shown() -> None:
    assert shown(text("Name", "cn"), cn=["", "Ada Byron", "Ada Lovelace"]) == "Ada Byron"


def test_the_lines_of_a_postal_address_are_taken_apart() -> None:
    place = text("Location", "postalAddress")
    assert (
        shown(place, postalAddress="1 Harbour Street$Northbridge$$ NB1")
        == "1 Harbour Street\nNorthbridge\nNB1"
    )
    assert shown(place, postalAddress=r"Desk \24 4 \5C 5$Hall") == "Desk $ 4 \\ 5\nHall"


def test_dollars_elsewhere_stay() -> None:
    assert shown(text("Title", "title"), title="A$AP") == "A$AP"


def test_text_that_is_not_utf_8_is_shown_as_far_as_it_can_be_read() -> None:
    assert shown(text("Name", "cn"), cn=b"J\xfcrgen") == "J�rgen"


def test_c72_ids_stay_as_they_are_written() -> None:
    fields = fields_of(
        [text("mailaddress", "mail"), text("MailAddress", "mail")], {"mail": [b"a@example.com"]}
    )
    assert set(fields) == {"mailaddress", "MailAddress"}


@pytest.mark.parametrize("ident", ["PhotoURL", "ImagePath"])
def test_c74_addresses_of_photos_pass_as_text(ident: str) -> None:
    url = "http://photos.example.com/a.jpg?uid=ada&size=2"
    assert fields_of([text(ident, "photoURL")], {"photoURL": [url.encode()]}) == {
        ident: Field(url, "text/plain")
    }


PHOTO = Detail("Photo", ("jpegPhoto",), "image/jpeg", " ")


@pytest.mark.parametrize(("data", "kind"), [(JPEG, "image/jpeg"), (GIF, "image/gif")])
def test_c73_a_photo_has_the_type_that_it_is(data: bytes, kind: str) -> None:
    assert fields_of([PHOTO], {"jpegPhoto": [data]}) == {"Photo": Field(data, kind)}


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"BM" + bytes(50),
        b"<script>",
        b"\xff\xd8",
        JPEG.ljust(PHOTO_LIMIT, b"\0"),
    ],
    ids=["png", "bmp", "text", "too short", "too large"],
)
def test_c73_other_photos_are_left_out_with_a_log_line(data: bytes) -> None:
    with capture_logs() as logs:
        assert fields_of([PHOTO], {"jpegPhoto": [data]}) == {}
    assert [each["event"] for each in logs] == ["a photo is left out"]


def test_c73_a_photo_just_below_the_limit_is_shown() -> None:
    assert shown(PHOTO, jpegPhoto=JPEG.ljust(PHOTO_LIMIT - 1, b"\0")) is not None


def test_c73_the_first_photo_that_fits_is_shown() -> None:
    fields = fields_of([PHOTO], {"jpegPhoto": [bytes(PHOTO_LIMIT), JPEG]})
    assert fields["Photo"].value == JPEG


def test_an_absent_photo_is_no_fault() -> None:
    with capture_logs() as logs:
        assert fields_of([PHOTO], {"jpegPhoto": [b""], "cn": [b"Ada"]}) == {}
    assert logs == []


@given(st.dictionaries(st.sampled_from(["cn", "jpegPhoto", "postalAddress"]), st.lists(st.binary())))
def test_no_value_breaks_a_card(attributes: dict[str, list[bytes]]) -> None:
    details = [text("Name", "cn", "postalAddress"), PHOTO]
    for field in fields_of(details, attributes).values():
        assert field.value


def test_an_attribute_is_found_by_another_of_its_names() -> None:
    assert shown(text("Name", "cn"), commonName="Ada") == "Ada"
    assert shown(text("Name", "2.5.4.3"), cn="Ada") == "Ada"
    assert shown(text("Name", "cn;lang-ja"), **{"cn;LANG-ja": "エイダ", "cn": "Ada"}) == "エイダ"


def test_the_link_is_the_first_value_that_says_something() -> None:
    link = CardFields([text("MailAddress", "mail", "cn")])
    assert link.link({"cn": [b"Ada"], "mail": [b" "]}) == "Ada"
    assert link.link({"mail": [b"", b"ada@example.com"], "cn": [b"Ada"]}) == "ada@example.com"
    assert link.link({}) == ""

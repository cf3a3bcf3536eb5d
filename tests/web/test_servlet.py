"""The UserInfo servlet: rows C71 and C76 to C78, read as old clients do and by an XML reader."""

import asyncio
import base64
import re
from dataclasses import dataclass
from urllib.parse import quote
from xml.etree import ElementTree as ET

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.cards.card import Card
from quintet.cards.fields import Field
from quintet.embedded import sample
from quintet.ldap import DN, Entry
from quintet.web.servlet import FAILURE, HEAD, PATH, card_document
from support.web_site import Web

pytestmark = pytest.mark.real

PEOPLE = [each for each in sample.entries() if b"inetOrgPerson" in each.attributes["objectClass"]]
FIELD = re.compile(r'<field name="([^"]*)" [^>]*>(.*)</field>')


@dataclass
class Answer:
    """What a reader found."""

    ident: str | None
    fields: dict[str, str]


def by_lines(text: str) -> Answer:
    """The reader of config 5.3: line 1 and 2 are fixed, line 3 holds the ID, then one field a line."""
    lines = text.split("\n")
    assert lines[:2] == ['<?xml version="1.0" encoding="UTF-8"?>', "<userinfo>"]
    assert lines[-2:] == ["</userinfo>", ""]
    ident = re.fullmatch(r'<user id="([^"]*)"/>', lines[2])
    found = [FIELD.fullmatch(line) for line in lines[3 if ident else 2 : -2]]
    assert all(found)
    return Answer(
        unescaped(ident[1]) if ident else None, {each[1]: unescaped(each[2]) for each in found if each}
    )


def unescaped(text: str) -> str:
    text = re.sub(r"&#(\d+);", lambda number: chr(int(number[1])), text)
    for name, char in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("amp", "&")):
        text = text.replace(f"&{name};", char)
    return text


def by_xml(text: str) -> Answer:
    root = ET.fromstring(text.encode())
    assert root.tag == "userinfo"
    user = root.find("user")
    fields = {each.attrib["name"]: each.text or "" for each in root.iter("field")}
    return Answer(None if user is None else user.attrib["id"], fields)


def first(entry: Entry, name: str) -> str:
    return entry.attributes.get(name, (b"",))[0].decode()


async def asked(client: httpx.AsyncClient, query: str) -> str:
    answer = await client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=UTF-8")
    return answer.text


async def test_every_person_of_the_demo_directory_is_read_alike_by_lines_and_by_xml(web: Web) -> None:
    async with web.signed_in("jgross") as client:

        async def check(entry: Entry) -> None:
            text = await asked(client, f"operation=3&setId=1&userId={quote(entry.dn, safe='')}")
            answer = by_lines(text)
            assert answer == by_xml(text)
            assert answer.ident is not None
            assert DN.parse(answer.ident) == DN.parse(entry.dn)  # slapd escapes in its own way
            assert answer.fields["Name"] == first(entry, "cn")
            assert answer.fields["MailAddress"] == first(entry, "mail")
            photo = entry.attributes.get("jpegPhoto", (b"",))[0]
            assert base64.b64decode(answer.fields.get("Photo", "")) == photo

        for begin in range(0, len(PEOPLE), 40):
            await asyncio.gather(*(check(each) for each in PEOPLE[begin : begin + 40]))


@pytest.mark.parametrize("query", ["operation=3&userId=jgross&setId=1", "operation=3&userId=jgross"])
async def test_c71_anonymous_callers_get_set_0_whatever_set_they_ask_for(web: Web, query: str) -> None:
    assert by_xml(await asked(web.client, query)).fields == {"Name": "Jürgen Groß"}


async def test_c71_anonymous_callers_get_nothing_outside_set_0_by_naming_fields(web: Web) -> None:
    text = await asked(web.client, "operation=1&userId=jgross&FIELD1=MailAddress&FIELD2=Name")
    assert by_xml(text).fields == {"Name": "Jürgen Groß"}


async def test_c76_operation_1_gives_the_named_fields_to_those_who_are_signed_in(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        text = await asked(client, "operation=1&userId=blee&FIELD1=MailAddress&FIELD2=Title&FIELD4=Photo")
    assert list(by_lines(text).fields) == ["MailAddress", "Title"]


async def test_c76_operation_2_lists_the_details_of_a_set_without_a_user(web: Web) -> None:
    public = by_lines(await asked(web.client, "operation=2&setId=1"))
    async with web.signed_in("jgross") as client:
        own = by_xml(await asked(client, "operation=2&setId=1"))
    assert public == Answer(None, {"Name": ""})
    assert (own.ident, list(own.fields)) == (None, ["MailAddress", "Name", "Title", "Telephone", "Photo"])


async def test_c76_names_of_parameters_in_any_case_and_any_host(web: Web) -> None:
    answer = await web.client.get(f"{PATH}?OPERATION=3&USERID=jgross", headers={"host": "stale.example.org"})
    assert by_lines(answer.text).fields == {"Name": "Jürgen Groß"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "operation=3",
        "operation=9&userId=jgross",
        "operation=3&userId=nobody-here",
        "operation=3&userId=John%20Smith",
        "operation=3&userId=%FF%FE",
        "operation=3&userId=%00",
        "operation=3&userId=jgross&setId=-1",
        "operation=3&userId=" + "a" * 2000,
        "operation=3&userId=jgross&" + "&".join(f"x{n}=1" for n in range(200)),
        "operation=3&userId=cn%3Dnobody%2Co%3Dexample",
    ],
)
async def test_c77_every_failure_is_the_same_bytes(web: Web, query: str) -> None:
    async with web.signed_in("jgross") as client:
        assert await asked(client, query) == FAILURE


def test_c77_the_bytes_of_a_failure() -> None:
    assert FAILURE == '<?xml version="1.0" encoding="UTF-8"?>\n<userinfo  error="UNKNOWN" />\n'


async def test_an_unknown_set_has_no_details(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        assert await asked(client, "operation=2&setId=77") == FAILURE


async def test_only_get_is_answered(web: Web) -> None:
    assert (await web.client.post(PATH, content=b"operation=3")).status_code == 405


@given(st.text(), st.text())
def test_c78_any_text_is_read_alike_by_lines_and_by_xml(ident: str, value: str) -> None:
    text = card_document(Card(ident, "", {"Name": Field(value, "text/plain")}))
    assert text.startswith(HEAD)
    text.encode()
    assert by_lines(text) == by_xml(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\u2028\u2029")))
def test_c78_printable_text_arrives_as_it_is(value: str) -> None:
    text = card_document(Card(value, "", {"Name": Field(value, "text/plain")}))
    assert by_xml(text) == Answer(value, {"Name": value})

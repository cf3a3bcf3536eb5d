"""The two paths of Sametime's web API (config 5.4)."""

import pytest

from support.web_site import Web

pytestmark = pytest.mark.real


async def test_quickfind_finds_people_and_groups_with_the_names_of_the_reference(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        both = (await client.get("/stwebapi/quickfind", params={"searchString": "Jürgen Groß"})).json()
        groups = (
            await client.get("/stwebapi/quickfind", params={"searchString": "Chess", "isUser": "false"})
        ).json()
    assert both["action"] == ["quickfind", "find"]
    assert both["searchString"] == "Jürgen Groß"
    person = both["result"]["Persons"][0]
    assert person == {"userName": "Jürgen Groß", "contactId": web.people["jgross"].id}
    assert groups["result"]["Persons"] == []
    assert [each["id"] for each in groups["result"]["Groups"]] == ["cn=Chess Club,ou=groups,o=example"]


async def test_quickfind_is_for_those_who_are_signed_in(web: Web) -> None:
    answer = await web.client.get("/stwebapi/quickfind?searchString=a")
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")


async def test_userinfo_has_the_fields_of_the_callers_set(web: Web) -> None:
    public = (await web.client.get("/stwebapi/userinfo?userId=jgross")).json()
    async with web.signed_in("jgross") as client:
        own = (await client.get("/stwebapi/userinfo?userId=jgross")).json()
    assert public == {"action": ["user", "info"], "userId": "jgross", "info": {"Name": "Jürgen Groß"}}
    assert own["info"]["MailAddress"] == "jgross@example.com"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("userinfo", 400),
        ("userinfo?userId=%20", 400),
        ("userinfo?userId=nobody-here", 404),
        ("quickfind?searchString=", 400),
        ("quickfind?searchString=a&isUser=perhaps", 400),
    ],
)
async def test_bad_parameters_are_problems(web: Web, path: str, status: int) -> None:
    async with web.signed_in("jgross") as client:
        answer = await client.get(f"/stwebapi/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")

"""Photos by URL (config 4.6 and 5.4)."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from quintet.embedded import sample
from support.web_site import Web, web_for

pytestmark = pytest.mark.real

WITH = next(each for each in sample.entries() if each.attributes.get("uid") == [b"helpdesk"])
WITHOUT = next(
    each
    for each in sample.entries()
    if b"inetOrgPerson" in each.attributes["objectClass"] and "jpegPhoto" not in each.attributes
)


def path_of(ident: str) -> str:
    return f"/photos/{quote(ident, safe='')}"


async def test_a_photo_has_its_true_type_and_is_sandboxed(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        answer = await client.get(path_of(WITH.dn))
    assert answer.content == WITH.attributes["jpegPhoto"][0]
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Cookie"


async def test_a_known_photo_is_not_sent_again(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        tag = (await client.get(path_of(WITH.dn))).headers["etag"]
        answer = await client.get(path_of(WITH.dn), headers={"if-none-match": f'"other", W/{tag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


async def test_no_photo_no_person_and_no_permission_are_the_same_answer(web: Web) -> None:
    async with web.signed_in("jgross") as client:
        answers = [
            await client.get(path_of(WITHOUT.dn)),
            await client.get(path_of("cn=nobody,o=example")),
            await client.get("/photos/%FF%00"),
            await client.get(path_of("x" * 3000)),
            await web.client.get(path_of(WITH.dn)),
        ]
    assert {(each.status_code, each.content) for each in answers} == {(404, answers[0].content)}
    assert len({tuple(sorted(each.headers.items())) for each in answers}) == 1


@pytest.mark.parametrize("listed", ["Name,Photo"])
async def test_a_photo_in_set_0_is_public(
    folder: Path, show_in_set_0: Callable[[str], None], listed: str
) -> None:
    show_in_set_0(listed)
    async with web_for(folder) as web:
        answer = await web.client.get(path_of(WITH.dn), headers={"host": "photos.example.org"})
    assert answer.content == WITH.attributes["jpegPhoto"][0]
    assert answer.headers["cache-control"].startswith("public")
    assert "vary" not in answer.headers

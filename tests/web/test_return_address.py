"""Where signing in may lead back to, parsed as browsers do."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.web.return_address import return_origin

APP = "https://app.example.com"
ORIGINS = (APP, "http://localhost:3000", "https://[2001:db8::1]:8443")

GOOD = {
    APP: APP,
    f"{APP}/": APP,
    "HTTPS://App.Example.COM/Page": APP,
    f"{APP}:443/a?b=c#d": APP,
    f"{APP}?next=//evil.example": APP,
    f"{APP}/%2F%2Fevil.example/@x": APP,
    "http://localhost:3000/x": "http://localhost:3000",
    "https://[2001:DB8::1]:8443/": "https://[2001:db8::1]:8443",
}
BAD = (
    "",
    "/",
    "/page",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:\\\\app.example.com",
    f"{APP}\\@evil.example",
    f"{APP}@evil.example",
    "https://app.example.com:x@evil.example/",
    "https://app.example.com%2F@evil.example/",
    "https://evil.example/https://app.example.com",
    "https://evil.example#@app.example.com",
    "https://evil.example?app.example.com",
    f"{APP}.evil.example",
    f"{APP}.",
    "https://app.example.com.:443/",
    "https://sub.app.example.com/",
    "https://app-example.com/",
    "https://app.example.com:444/",
    "https://app.example.com:0443/",
    "https://app.example.com:65979/",
    "http://app.example.com/",
    "http://app.example.com:443/",
    f" {APP}",
    f"{APP} ",
    f"\t{APP}",
    "ht\ntps://app.example.com/",
    "https://app.exam\tple.com/",
    f"{APP}/\r\nset-cookie: x=y",
    f"{APP}/\0",
    "https://ａpp.example.com/",
    "https://app。example.com/",
    "https://app.example.com／evil/",
    "javascript:alert(1)//https://app.example.com",
    "data:text/html,x",
    "https://" + "a" * 3000,
    f"{APP}/" + "a" * 3000,
)


@pytest.mark.parametrize("address", GOOD)
def test_an_address_of_a_listed_origin_is_accepted(address: str) -> None:
    assert return_origin(address, ORIGINS) == GOOD[address]


@pytest.mark.parametrize("address", BAD)
def test_every_other_address_is_refused(address: str) -> None:
    assert return_origin(address, ORIGINS) is None


def test_without_origins_nothing_is_accepted() -> None:
    assert not any(return_origin(each, ()) for each in (*GOOD, *BAD))


PARTS = (
    *("https:", "http:", "/", "//", "\\", "@", ":", "443", "?", "#", ".", "%2F", "\t", "\n", " ", "app"),
    *("app.example.com", "evil.example", "[", "]", "::1", "\uff41", "\0"),
)


@given(
    st.lists(
        st.sampled_from(PARTS),
        max_size=8,
    ).map("".join)
)
def test_whatever_is_accepted_has_that_host_for_other_parsers_too(address: str) -> None:
    origin = return_origin(address, ORIGINS)
    if origin is not None:
        parts = urlsplit(address)
        assert (parts.hostname, parts.username) == (urlsplit(origin).hostname, None)
        assert not set(address) & set("\\\t\r\n \0")

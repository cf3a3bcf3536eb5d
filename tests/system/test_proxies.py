"""nginx and Caddy, with the very files of the how-to pages, protect an application by asking Quintet."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from support import small
from support.folder import settings_folder
from support.proxies import application, of_page, proxy
from support.serving import free_port, serve
from support.slapd import Slapd

pytestmark = pytest.mark.real

WIKI, PEOPLE = "wiki.example.com", "people.example.com"
REMOTE = ("Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups")
FORGED = {
    **dict.fromkeys((*REMOTE, "remote-user", "X-Remote-User"), "root"),
    **{name.replace("-", "_"): "root" for name in REMOTE},
}
MANY = [f"Group {nth:02} of a community" for nth in range(60)]
JOSE = small.person_dn("jose")
ORGANISATION = (
    small.LDIF
    + "".join(
        f"\ndn: cn={name},{small.GROUPS}\nobjectClass: groupOfNames\ncn: {name}\nmember: {JOSE}\n"
        for name in MANY
    ).encode()
)


@dataclass
class Browser:
    """A browser at the proxy. Cookies are kept by host, and sent as browsers do."""

    port: int
    client: httpx.Client
    own: dict[str, str] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)

    def ask(self, host: str, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        headers = {"host": host, "accept": "text/html", **options.pop("headers", {})}
        cookies = {**self.shared, **(self.own if host == PEOPLE else {"theme": "dark"})}
        headers.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
        answer = self.client.request(
            method,
            f"https://127.0.0.1:{self.port}{path}",
            headers=headers,
            extensions={"sni_hostname": host},
            **options,
        )
        for each in answer.headers.get_list("set-cookie"):
            name, _, value = each.partition(";")[0].partition("=")
            assert "Secure" in each
            (self.shared if "; Domain=example.com" in each else self.own)[name] = value
        return answer

    def sign_in(self, uid: str, back: str = "") -> httpx.Response:
        page = self.ask(PEOPLE, "/sign-in")
        token = re.search(r'name="token" value="(\w+)"', page.text)
        assert token is not None
        form = {"name": uid, "password": f"{uid}-secret", "return": back, "token": token[1]}
        headers = {"origin": f"https://{PEOPLE}", "sec-fetch-site": "same-origin"}
        return self.ask(PEOPLE, "/sign-in", "POST", data=form, headers=headers)


def seen(answer: httpx.Response) -> dict[str, str]:
    """The headers that the application was sent."""
    assert answer.status_code == 200
    pairs = json.loads(answer.text)
    names = [name.lower().replace("_", "-") for name, _ in pairs]
    assert not [name for name in set(names) if names.count(name) > 1 and name.startswith("remote")]
    return {name.lower().replace("_", "-"): value.encode("latin-1").decode() for name, value in pairs}


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes browsers at a proxy before Quintet and an application."""
    certificates = request.getfixturevalue("certificates")
    folder = tmp_path_factory.mktemp("proxy")
    with Slapd(ORGANISATION, authority=certificates.ca, certificate=certificates.server) as server:
        settings = settings_folder(folder / "s", server, level="passwords", account=None)
        with (settings / "sametime.ini").open("a") as file:
            file.write(of_page(request.param, "ini"))
        quintet = free_port()
        environ = {
            "STI__Config__QUINTET_HTTP_PORT": str(quintet),
            "STI__Config__QUINTET_ADDRESS": "127.0.0.1",
            "STI__Application_wiki__QUINTET_SENT_GROUPS": ";".join(("engineers", "everybody", *MANY)),
        }
        with (
            serve(settings, **environ),
            application() as behind,
            proxy(request.param, folder / "p", quintet=quintet, behind=behind) as port,
            httpx.Client(verify=False, timeout=20) as client,
        ):
            yield lambda: Browser(port, client)


def test_who_is_not_signed_in_is_led_to_the_page_and_back(site: Any) -> None:
    browser = site()
    answer = browser.ask(WIKI, "/page?a=b")
    assert answer.status_code == 302
    where = urlsplit(answer.headers["location"])
    assert (where.hostname, where.path) == (PEOPLE, "/sign-in")
    (back,) = parse_qs(where.query)["return"]
    assert back == f"https://{WIKI}/page?a=b"
    page = browser.ask(PEOPLE, f"{where.path}?{where.query}")
    assert unquote(back) in page.text.replace("&amp;", "&")
    assert f"form-action 'self' https://{WIKI};" in page.headers["content-security-policy"]
    answer = browser.sign_in("alice", back)
    assert (answer.status_code, answer.headers["location"]) == (303, back)
    assert seen(browser.ask(WIKI, "/page?a=b"))["remote-user"] == "alice"


def test_who_signed_in_is_known_to_the_application(site: Any) -> None:
    browser = site()
    assert browser.sign_in("alice").headers["location"] == "/"
    told = seen(browser.ask(WIKI, "/"))
    assert [told.get(name.lower()) for name in REMOTE] == [
        "alice",
        "Alice Adams",
        "alice@example.com",
        "engineers,everybody",
    ]
    assert seen(browser.ask(WIKI, "/page", "POST", content=b"x" * 100_000))["remote-user"] == "alice"


def test_names_beyond_ascii_and_sixty_groups_arrive(site: Any) -> None:
    browser = site()
    browser.sign_in("jose")
    told = seen(browser.ask(WIKI, "/"))
    assert told["remote-name"] == "José Núñez"
    assert set(told["remote-groups"].split(",")) == {"engineers", "everybody", *MANY}


def test_who_is_in_no_required_group_is_refused_in_words(site: Any) -> None:
    browser = site()
    browser.sign_in("carol")
    answer = browser.ask(WIKI, "/")
    assert answer.status_code == 403
    assert "not in a group that may use this application" in answer.text


def test_after_signing_out_the_application_is_closed(site: Any) -> None:
    browser = site()
    browser.sign_in("alice")
    kept = dict(browser.shared)
    assert browser.ask(WIKI, "/").status_code == 200
    gone = browser.ask(PEOPLE, "/api/v1/session", "DELETE", headers={"origin": f"https://{PEOPLE}"})
    assert gone.status_code == 204
    browser.shared = kept
    assert browser.ask(WIKI, "/").status_code == 302


@pytest.mark.parametrize("path", ["/", "/public/page"])
def test_forged_headers_never_reach_the_application(site: Any, path: str) -> None:
    browser = site()
    if path == "/":
        assert browser.ask(WIKI, path, headers=FORGED).status_code == 302
        browser.sign_in("alice")
    told = seen(browser.ask(WIKI, path, headers=FORGED))
    expected = ["alice", "Alice Adams", "alice@example.com", "engineers,everybody"]
    assert [told.get(name.lower(), "") for name in REMOTE] == (expected if path == "/" else [""] * 4)


def test_the_application_gets_its_own_cookies_and_none_of_quintets(site: Any) -> None:
    browser = site()
    browser.sign_in("alice")
    assert set(browser.own) == {"__Host-quintet", "__Host-quintet-form"}
    assert set(browser.shared) == {"__Secure-quintet-verify"}
    first, second = browser.own["__Host-quintet"], browser.shared["__Secure-quintet-verify"]
    ours = f"__Host-quintet={first}", f"__Secure-quintet-verify={second}"
    for cookies in (
        f"a=1; {ours[1]}; b=2",
        f"{ours[0]}; a=1; {ours[1]}; b=2",
        f"a=1;{ours[1]};b=2; {ours[0]}",
    ):
        told = seen(browser.ask(WIKI, "/", headers={"cookie": cookies}))
        assert [each.strip() for each in told["cookie"].split(";") if each.strip()] == ["a=1", "b=2"]
    twice = f"{ours[0]}; {ours[0]}; a=1; {ours[1]}"
    told = seen(browser.ask(WIKI, "/", headers={"cookie": twice}))
    assert not {first, second} & set(told.get("cookie", "").replace("=", ";").split(";"))
    assert first not in told.get("cookie", "")
    told = seen(browser.ask(WIKI, "/public/x", headers={"cookie": f"a=1; {ours[0]}; {ours[1]}"}))
    assert first not in told["cookie"]
    assert second not in told["cookie"]


def test_an_application_that_replays_the_cookies_against_the_api_gets_nothing(site: Any) -> None:
    browser = site()
    browser.sign_in("alice")
    (stolen,) = browser.shared.values()
    for name in ("__Host-quintet", "__Secure-quintet-verify", "quintet", "quintet-verify"):
        for method, path in (("GET", "/api/v1/session"), ("DELETE", "/api/v1/session"), ("GET", "/")):
            headers = {"cookie": f"{name}={stolen}", "origin": f"https://{PEOPLE}"}
            answer = browser.ask(PEOPLE, path, method, headers=headers)
            assert answer.status_code == (303 if path == "/" else 401)
    assert seen(browser.ask(WIKI, "/"))["remote-user"] == "alice"


@pytest.mark.parametrize("path", ["/quintet-verify", "/quintet-denied"])
def test_internal_locations_are_not_open(site: Any, path: str) -> None:
    assert site().ask(WIKI, path).status_code in (302, 404)


def test_all_pages_show_the_same_settings() -> None:
    assert of_page("caddy", "ini") == of_page("nginx", "ini")

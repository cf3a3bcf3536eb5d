"""Under "only passwords" groups cross the network unencrypted: who changes them grants nobody anything."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quintet.cli.exit_codes import ExitCode
from quintet.config.applications import ApplicationSettings, group_name
from quintet.config.load import load
from quintet.diagnostics import Finding
from quintet.directory import Directory, Person, Service, VerifiedPerson
from quintet.ldap.messages import SearchRequest
from support import small
from support.command import run_program
from support.folder import settings_folder
from support.scripted import entry, scripted, then_done
from support.slapd import Slapd
from support.web_site import URL, post_sign_in, web_for

pytestmark = pytest.mark.real

ALICE, ENGINEERS, SALES = small.person_dn("alice"), small.group_dn("engineers"), small.group_dn("sales")
UNENCRYPTED = (Service.RESOLVE_LOGIN, Service.RESOLVE_NAMES, Service.BROWSE, Service.GROUP_CONTENT)


def showing(*groups: str) -> Callable[[SearchRequest], Iterable[Any]]:
    """An attacker on the network: lookups find Alice, as `uid=root`, and every entry is in these groups."""

    def answer(request: SearchRequest) -> Iterable[Any]:
        alice = entry(ALICE, cn=[b"Alice Adams"], mail=[b"boss@example.com"], uid=[b"root"])
        if "member" not in str(request.filter).lower():
            return then_done(alice)
        return then_done(*(entry(each, cn=[each.partition(",")[0][3:].encode()]) for each in groups))

    return answer


@asynccontextmanager
async def attacked(folder: Path, *groups: str) -> AsyncIterator[Directory]:
    async with scripted(showing(*groups)) as (port, _):

        def route(service: Service, host: str, real: int) -> tuple[str, int]:
            return ("127.0.0.1", port) if service in UNENCRYPTED else (host, real)

        async with Directory(load(folder, {}), route=route) as directory:
            yield directory


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", small_slapd, level="passwords", account=None)


def names(found: VerifiedPerson | None) -> set[str] | None:
    assert found is not None
    return None if found.groups is None else {each.name for each in found.groups}


async def test_who_is_added_to_a_group_on_the_network_is_not_in_it(folder: Path) -> None:
    async with attacked(folder, SALES, ENGINEERS) as directory:
        seen = await directory.groups_of(await directory.resolve_login("alice"))
        assert "sales" in {each.name for each in seen}, "the attack works"
        alice = await directory.verify("alice", "alice-secret", attributes=("uid",))
        assert names(alice) == {"engineers"}
        assert alice.attributes == {"uid": ("alice",)}
        assert alice.person.mail == "alice@example.com"
        assert names(await directory.recheck(alice, "alice", attributes=("uid",))) == {"engineers"}


@pytest.mark.parametrize(
    ("level", "signs_in", "granted"),
    [("all", 503, False), ("passwords", 303, False), ("none", 303, True)],
    ids=["all: the connection is refused", "passwords: the group is not believed", "none: as was allowed"],
)
async def test_the_administrators_group_and_required_groups_are_safe_from_it(
    tmp_path: Path, small_slapd: Slapd, level: str, signs_in: int, granted: bool
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level=level, account=None)
    async with attacked(folder, SALES, ENGINEERS) as directory, web_for(folder) as web:
        web.site = replace(web.site, directory=directory)
        web.app = web.make_app()
        sales, engineers = (
            ApplicationSettings(name, required=(group_name(name),)) for name in ("sales", "engineers")
        )
        web.change(
            applications=(sales, engineers), admin_group=SALES, allow_unencrypted_groups=level == "none"
        )
        async with web.browser() as browser:
            answer = await post_sign_in(browser, {"name": "alice", "password": "alice-secret"})
            assert answer.status_code == signs_in
            administers = (await browser.get("/api/v1/sessions")).status_code == 200
            enters = {
                name: (await browser.get(f"/auth/verify/nginx/{name}")).status_code == 200
                for name in ("sales", "engineers")
            }
        assert administers is granted
        assert enters == {"sales": granted, "engineers": signs_in == 303}


GRANTS = (
    {"QUINTET_ADMIN_GROUP": SALES},
    {"QUINTET_REQUIRED_GROUPS": "sales"},
    {"QUINTET_BASIC_SIGN_IN": "0"},
)


@pytest.mark.parametrize("grant", GRANTS, ids=["administrators", "required groups", "Remote headers"])
def test_where_nothing_is_encrypted_serve_refuses_what_grants_something(
    tmp_path: Path, small_slapd: Slapd, grant: dict[str, str]
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None)
    section = "Config" if "QUINTET_ADMIN_GROUP" in grant else "Application-wiki"
    variables = {f"STI__{section.replace('-', '_')}__{key}": value for key, value in grant.items()}
    variables |= {"STI__Config__QUINTET_HTTP_PORT": "8080"}
    for command in ("serve", "check"):
        ran = run_program("--config", folder, command, environ=variables)
        assert ran.code == ExitCode.USAGE
        assert Finding.Q140.name in ran.out + ran.err
    ran = run_program("--config", folder, "doctor", environ=variables)
    assert ran.code != 0
    assert Finding.Q140.name in ran.out


async def test_a_trial_by_an_administrator_says_that_such_groups_count_for_nothing(folder: Path) -> None:
    async with attacked(folder, SALES, ENGINEERS) as directory, web_for(folder) as web:
        web.site = replace(web.site, directory=directory)
        web.app = web.make_app()
        applications = (
            ApplicationSettings(name, required=(group_name(name),)) for name in ("sales", "engineers")
        )
        web.change(applications=tuple(applications), admin_group=SALES)
        ident, _ = await web.site.sessions.begin(
            "bob", Person("bob", "uid=bob", "Bob", None, "x"), administrator=True
        )
        async with web.browser(cookies={"quintet": ident}) as browser:
            given = {"name": "alice", "password": "alice-secret"}
            answer = await browser.post("/api/v1/explain", json=given, headers={"origin": URL})
    found = answer.json()
    groups = {each["group"]["dn"]: each["counts"] for each in found["groups"]}
    assert groups == {SALES: False, ENGINEERS: True}
    assert found["administrator"] is False
    assert {each["name"]: each["status"] for each in found["applications"]} == {
        "sales": 403,
        "engineers": 200,
    }
    values = {each["name"]: each["value"] for each in found["values"]}
    assert (values["uid"], values["Mail address"]) == ("alice", "alice@example.com")


async def test_without_an_attack_the_groups_are_those_of_the_directory(folder: Path) -> None:
    async with Directory(load(folder, {})) as directory:
        alice = await directory.verify("alice", "alice-secret", attributes=("uid", "title"))
        again = await directory.recheck(alice, "alice", attributes=("uid", "title"))
    expected = {"engineers", "everybody", "circle-a", "circle-b", "ghosts", small.ODD_GROUP}
    assert names(alice) == names(again) == expected
    assert alice.attributes == {"uid": ("alice",), "title": ("Engineer",)}


async def test_a_group_that_is_lost_is_lost_at_the_next_check(folder: Path) -> None:
    async with Directory(load(folder, {})) as directory:
        alice = await directory.verify("alice", "alice-secret")
    async with attacked(folder, ENGINEERS) as directory:
        assert names(await directory.recheck(alice, "alice")) == {"engineers"}


async def test_where_users_may_not_read_groups_nothing_is_granted(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd(anonymous_read=False, barred=(ENGINEERS,))
    folder = settings_folder(tmp_path, server, level="passwords", account=None)
    async with attacked(folder, ENGINEERS) as directory:
        assert not names(await directory.verify("alice", "alice-secret"))


@pytest.mark.parametrize(("allowed", "expected"), [(False, None), (True, {"sales"})])
async def test_where_nothing_is_encrypted_groups_count_only_if_that_is_allowed_in_words(
    tmp_path: Path, small_slapd: Slapd, allowed: bool, expected: set[str] | None
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None)
    async with attacked(folder, SALES) as directory:
        alice = await directory.verify("alice", "alice-secret", unencrypted=allowed)
        assert names(alice) == expected
        assert names(await directory.recheck(alice, "alice", unencrypted=allowed)) == expected


async def test_where_everything_is_encrypted_groups_are_read_by_the_service_account(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level="all", account=None)
    async with Directory(load(folder, {})) as directory:
        bob = await directory.verify("bob", "bob-secret", attributes=("uid", "nothing"))
    assert names(bob) == {"engineers", "everybody", "circle-a", "circle-b"}
    assert bob.attributes == {"uid": ("bob",), "nothing": ()}

"""Sessions over HTTP end within 5 minutes when a real directory server no longer lets the person in."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from quintet.config.applications import ApplicationSettings, group_name
from quintet.web.sessions import Sessions
from support import ad_sample, dirsrv_sample, people, small
from support.dirsrv import DirectoryServer389
from support.folder import settings_folder
from support.ldif import delete, modify
from support.samba_ad import SambaAD
from support.setting_up import set_up
from support.slapd import Slapd
from support.web_site import post_sign_in, web_for

pytestmark = pytest.mark.real

FIVE_MINUTES = 300.0
LONG_AGO = "129067776000000000"
DISABLED = "514"
IN = {"/api/v1/session": 200, "/auth/verify/nginx/wiki": 200, "/auth/verify/nginx/all": 200}
OUT = dict.fromkeys(IN, 401)
NOT_IN_THE_GROUP = IN | {"/auth/verify/nginx/wiki": 403}

Statuses = Callable[[], "AsyncIterator[dict[str, int]]"]


@asynccontextmanager
async def signed_in(
    folder: Path, name: str, password: str, group: str, attribute: str
) -> AsyncIterator[Statuses]:
    """A browser with a session. What it yields tells the answers now, and again when 5 minutes are over."""
    now = 0.0
    async with web_for(folder, login=name) as web:
        web.site = replace(web.site, sessions=Sessions(lambda: now))
        web.app = web.make_app()
        required = ApplicationSettings("wiki", required=(group_name(group),), user_attribute=attribute)
        web.change(applications=(required, ApplicationSettings("all", user_attribute=attribute)))
        async with web.browser() as browser:

            async def statuses() -> AsyncIterator[dict[str, int]]:
                nonlocal now
                yield {path: (await browser.get(path)).status_code for path in IN}
                now += FIVE_MINUTES
                yield {path: (await browser.get(path)).status_code for path in IN}

            assert (await post_sign_in(browser, {"name": name, "password": password})).status_code == 303
            yield statuses


async def before_and_after(
    folder: Path, name: str, password: str, change: Callable[[], None], *, group: str, attribute: str = "uid"
) -> tuple[dict[str, int], dict[str, int]]:
    """The answers to a person who signs in: before the change, and 5 minutes after it."""
    async with signed_in(folder, name, password, group, attribute) as statuses:
        found = statuses()
        before = await anext(found)
        change()
        return before, await anext(found)


POLICY = (
    f"dn: cn=policy,{small.BASE}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\n"
    "pwdAttribute: userPassword\npwdLockout: TRUE\n"
)
ALICE, ENGINEERS = small.person_dn("alice"), small.group_dn("engineers")
ON_SLAPD = {
    "the entry is deleted": (delete(ALICE), OUT),
    "the entry is renamed": (f"dn: {ALICE}\nchangetype: modrdn\nnewrdn: uid=x\ndeleteoldrdn: 1\n", OUT),
    "an administrator locked it": (modify(ALICE, "replace", {"pwdAccountLockedTime": "000001010000Z"}), OUT),
    "its time has ended": (modify(ALICE, "replace", {"pwdEndTime": "20200101000000Z"}), OUT),
    "its time ends later": (modify(ALICE, "replace", {"pwdEndTime": "29990101000000Z"}), IN),
    "wrong passwords locked it": (modify(ALICE, "replace", {"pwdAccountLockedTime": "20260101000000Z"}), IN),
    "it left the group": (modify(ENGINEERS, "delete", {"member": ALICE}), NOT_IN_THE_GROUP),
    "another left the group": (modify(ENGINEERS, "delete", {"member": small.person_dn("bob")}), IN),
}


@pytest.mark.parametrize("level", ["all", "passwords"])
@pytest.mark.parametrize(("change", "expected"), ON_SLAPD.values(), ids=ON_SLAPD)
async def test_on_slapd(
    tmp_path: Path, make_slapd: Callable[..., Slapd], level: str, change: str, expected: dict[str, int]
) -> None:
    overlay = f"overlay ppolicy\nppolicy_default cn=policy,{small.BASE}"
    server = make_slapd(
        small.LDIF + f"\n{POLICY}".encode(), modules=("back_mdb", "ppolicy"), extra=overlay, stats=False
    )
    folder = settings_folder(tmp_path / "s", server, level=level, account=None)
    found = await before_and_after(
        folder, "alice", "alice-secret", partial(server.modify, change), group="engineers"
    )
    assert found == (IN, expected)


async def test_on_389_directory_server(
    tmp_path: Path, make_dirsrv: Callable[..., DirectoryServer389]
) -> None:
    server = make_dirsrv()
    ports = (server.port, server.ldaps_port)
    folder = set_up(tmp_path / "s", "127.0.0.1", server.ca, server.service, ports=ports).folder
    sales, disabling_role = dirsrv_sample.group_dn("Sales"), f"cn=nsManagedDisabledRole,{dirsrv_sample.BASE}"
    members = [1 + 5 * each for each in range(4)]  # every fifth is in Sales
    locked, by_role, deleted, left = map(dirsrv_sample.staff_dn, members)
    changes = (
        (modify(locked, "replace", {"nsAccountLock": "true"}), OUT),
        (modify(by_role, "replace", {"nsRoleDN": disabling_role}), OUT),
        (delete(deleted), OUT),
        (modify(sales, "delete", {"uniqueMember": left}), NOT_IN_THE_GROUP),
    )
    for number, (change, expected) in zip(members, changes, strict=True):
        login = people.staff_login(number)
        found = await before_and_after(
            folder, login, people.password_of(login), partial(server.modify, change), group="Sales"
        )
        assert found == (IN, expected), change


async def test_on_active_directory(tmp_path: Path, make_samba_ad: Callable[..., SambaAD]) -> None:
    server = make_samba_ad()
    folder = set_up(tmp_path / "s", server.host, server.ca, server.service).folder
    community = folder / "StCommunityConfig.xml"
    without_the_filter = community.read_text().replace(
        "(!(userAccountControl:1.2.840.113556.1.4.803:=2))", ""
    )
    community.write_text(without_the_filter)
    members = [1 + 5 * each for each in range(5)]  # every fifth is in Sales
    disabled, expired, never, deleted, left = map(ad_sample.staff_dn, members)
    changes = (
        (modify(disabled, "replace", {"userAccountControl": DISABLED}), OUT),
        (modify(expired, "replace", {"accountExpires": LONG_AGO}), OUT),
        (modify(never, "replace", {"accountExpires": "9223372036854775807"}), IN),
        (delete(deleted), OUT),
        (modify(ad_sample.group_dn("Sales"), "delete", {"member": left}), NOT_IN_THE_GROUP),
    )
    for number, (change, expected) in zip(members, changes, strict=True):
        login = people.staff_login(number)
        found = await before_and_after(
            folder,
            login,
            people.password_of(login),
            partial(server.modify, change),
            group="Sales",
            attribute="sAMAccountName",
        )
        assert found == (IN, expected), change

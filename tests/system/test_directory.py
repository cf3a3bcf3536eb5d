"""The five tasks against a real slapd, at each level, over TLS and StartTLS."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.config.load import load
from quintet.directory import (
    TASKS,
    AmbiguousNameError,
    AuthenticationError,
    ConnectionState,
    Container,
    Directory,
    Person,
    Service,
    UnknownGroupError,
    UntrustedServerError,
)
from quintet.embedded import sample
from support import certs, keytool, small
from support.folder import LEVELS, settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

CLEAR = {
    "all": set[Service](),
    "passwords": set(TASKS) - {Service.AUTHENTICATE},
    "none": set(TASKS),
}


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path, small_slapd)


@pytest.mark.parametrize("start_tls", ["0", "1"], ids=["LDAPS", "StartTLS"])
@pytest.mark.parametrize("level", LEVELS)
async def test_c1_to_c4_all_five_tasks_answer_and_the_status_tells_what_is_encrypted(
    tmp_path: Path, small_slapd: Slapd, level: str, start_tls: str
) -> None:
    folder = settings_folder(tmp_path, small_slapd, level=level, directory={"QUINTET_START_TLS": start_tls})
    async with Directory(load(folder, {})) as directory:
        rows = await directory.connect_all()
        assert {row.state for row in rows} == {ConnectionState.CONNECTED}
        hidden = CLEAR[level] if level == "passwords" else set()  # this server has no SCRAM secret
        assert {row.service for row in rows if row.note and "anonymous" in row.note} == hidden
        assert [row.error for row in rows] == [None] * len(TASKS)
        assert {row.service for row in rows if not row.encrypted} == CLEAR[level]
        assert all((row.certificate is not None) is row.encrypted for row in rows)
        alice = await directory.authenticate("alice", "alice-secret")
        with pytest.raises(AuthenticationError):
            await directory.authenticate("alice", "bob-secret")
        assert await directory.resolve_login("alice@example.com") == alice
        assert (await directory.resolve("Alice Adams")).exact
        assert (await directory.browse(small.BASE)).entries
        assert len((await directory.members("everybody")).members) == 6
        groups = await directory.groups_of(alice)
        assert {"engineers", "everybody"} <= {group.name for group in groups}


@pytest.mark.parametrize("uid", ["comma", "odd", "jose"])
async def test_odd_names_pass_through_all_tasks(folder: Path, uid: str) -> None:
    async with Directory(load(folder, {})) as directory:
        person = await directory.authenticate(uid, f"{uid}-secret")
        found = await directory.resolve(person.name)
        assert [match.dn for match in found.matches] == [person.dn]
        groups = await directory.groups_of(person, depth=-1)
        assert groups
        assert person in (await directory.members(groups[0].dn)).members


async def test_c48_an_ambiguous_login_name_and_an_unknown_group_are_told(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    by_surname = {"UserDnSearchFilter": "(&(objectclass=inetOrgPerson)(sn=%s))"}
    folder = settings_folder(tmp_path, small_slapd, connection=by_surname)
    async with Directory(load(folder, {})) as directory:
        with pytest.raises(AmbiguousNameError):
            await directory.resolve_login("Smith")
        with pytest.raises(UnknownGroupError):
            await directory.members("nothing")


async def test_c82_pages_of_a_real_server_give_each_entry_once_although_others_browse(
    tmp_path: Path, slapd: Slapd
) -> None:
    """Slapd keeps one cookie for each connection, so two who browse at once lose each other's."""

    async def walk(size: int) -> list[str]:
        names, token = [], None
        while True:
            page = await directory.browse(sample.PEOPLE, page_size=size, token=token)
            names += [entry.dn for entry in page.entries]
            token = page.next
            if token is None:
                return names

    async with Directory(load(settings_folder(tmp_path, slapd, account=None), {})) as directory:
        whole = await walk(1000)
        walks = await asyncio.gather(walk(3), walk(5), walk(100))
        assert [sorted(each) for each in walks] == [sorted(whole)] * 3
        top = await directory.browse(sample.PEOPLE, page_size=100)
        assert isinstance(top.entries[0], Container)


@pytest.mark.parametrize("size", [3, 4, 7, 100])
async def test_c82_a_level_above_the_servers_size_limit_is_shown_as_far_as_it_goes_and_told(
    tmp_path: Path, make_slapd: Callable[..., Slapd], size: int
) -> None:
    """Slapd counts the entries of all pages; its own limit is 500, here 7 of 10 people."""
    server = make_slapd(extra="sizelimit 7")
    async with Directory(load(settings_folder(tmp_path, server, account=None), {})) as directory:
        shown, cut, token = 0, [], None
        while True:
            page = await directory.browse(small.PEOPLE, page_size=size, token=token)
            shown += len(page.entries)
            cut.append(page.truncated)
            token = page.next
            if token is None:
                break
        assert (shown, cut) == (7, [False] * (len(cut) - 1) + [True])


async def test_c53_a_member_that_nobody_may_read_is_missing_and_no_other(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    """Slapd answers 50 about an entry that exists and may be known, but not read."""
    server = make_slapd(barred=(small.person_dn("bob"),))
    async with Directory(load(settings_folder(tmp_path, server, account=None), {})) as directory:
        found = await directory.members("everybody")
        assert (len(found.members), found.missing) == (5, (small.person_dn("bob"),))


async def test_every_sample_person_is_found_by_mail(tmp_path: Path, slapd: Slapd) -> None:
    async with Directory(load(settings_folder(tmp_path, slapd, account=None), {})) as directory:
        people = (await directory.resolve("a", groups=False)).matches
        mails = [person.mail for person in people if isinstance(person, Person) and person.mail]
        assert len(mails) > 20
        found = await asyncio.gather(*(directory.resolve_login(mail) for mail in mails))
        assert [person.dn for person in found] == [person.dn for person in people]


async def test_an_unknown_authority_is_explained(tmp_path: Path, small_slapd: Slapd) -> None:
    store = keytool.trust_store(tmp_path / "other.p12", {"other": certs.authority("Somebody Else")})
    folder = settings_folder(tmp_path / "folder", small_slapd, store=store)
    async with Directory(load(folder, {})) as directory:
        with pytest.raises(UntrustedServerError) as untrusted:
            await directory.authenticate("alice", "alice-secret")
        assert untrusted.value.explanation is not None
        assert untrusted.value.fix


async def test_another_host_takes_over_when_the_first_is_out_of_reach(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd()
    folder = settings_folder(tmp_path, server, connection={"HostName": "nowhere.invalid,localhost"})
    async with Directory(load(folder, {})) as directory:
        assert (await directory.authenticate("alice", "alice-secret")).name == "Alice Adams"
        bound = [row for row in directory.status() if row.service is Service.AUTHENTICATE]
        assert bound[0].address.startswith("localhost:")
        assert "nowhere.invalid" in (bound[0].error or "")

"""Names are looked up once at a time, and IDs that were told lately not at all."""

import asyncio

import pytest

from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.sametime.name_cache import NameCache
from support.community_directory import FakeDirectory, group_id, person, user_id


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory.of("alice", "bob", team=("alice",))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(directory: FakeDirectory, clock: Clock) -> NameCache:
    return NameCache(directory, 3, 60, clock)


async def test_an_id_that_was_told_is_not_asked_for_again(cache: NameCache, directory: FakeDirectory) -> None:
    await cache.resolve("ali", users=True, groups=False)
    found, asked = await cache.resolve(user_id("alice").upper(), users=True, groups=False)
    assert (found.matches, asked) == ((person("alice"),), False)
    assert directory.calls["resolve"] == 1


async def test_after_its_time_an_id_is_asked_for_again(
    cache: NameCache, directory: FakeDirectory, clock: Clock
) -> None:
    cache.add(person("alice"))
    clock.now = 60
    await cache.resolve(user_id("alice"), users=True, groups=False)
    assert directory.calls["resolve"] == 1


async def test_a_user_is_no_answer_where_groups_are_wanted(
    cache: NameCache, directory: FakeDirectory
) -> None:
    cache.add(person("alice"))
    await cache.resolve(user_id("alice"), users=False, groups=True)
    assert directory.calls["resolve"] == 1


async def test_the_same_request_is_made_once_at_a_time(cache: NameCache, directory: FakeDirectory) -> None:
    directory.gate = asyncio.Event()
    asked = [asyncio.create_task(cache.resolve("al", users=True, groups=True)) for _ in range(5)]
    await asyncio.sleep(0)
    directory.gate.set()
    answers = await asyncio.gather(*asked)
    assert all(each == answers[0] for each in answers)
    assert directory.calls["resolve"] == 1


async def test_one_who_gives_up_does_not_take_the_answer_from_others(
    cache: NameCache, directory: FakeDirectory
) -> None:
    directory.gate = asyncio.Event()
    first, second = (asyncio.create_task(cache.resolve("al", users=True, groups=True)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    directory.gate.set()
    found, _ = await second
    assert found.matches == (person("alice"),)


async def test_a_failure_is_not_kept(cache: NameCache, directory: FakeDirectory) -> None:
    directory.failure = DirectoryUnavailableError.because(UnreachableReason.REFUSED)
    with pytest.raises(DirectoryUnavailableError):
        await cache.resolve("al", users=True, groups=True)
    directory.failure = None
    found, _ = await cache.resolve("al", users=True, groups=True)
    assert found.matches


async def test_the_oldest_ids_make_room(cache: NameCache) -> None:
    for name in ("a", "b", "c", "d"):
        cache.add(person(name))
    assert len(cache) == 3
    assert cache.find(user_id("a"), users=True, groups=True) is None
    assert cache.find(user_id("d"), users=True, groups=True) == person("d")


async def test_nothing_is_kept_where_nothing_may_be(directory: FakeDirectory, clock: Clock) -> None:
    for cache in (NameCache(directory, 0, 60, clock), NameCache(directory, 10, 0, clock)):
        cache.add(person("alice"))
        assert len(cache) == 0


async def test_a_name_that_is_too_long_is_not_asked_for(cache: NameCache, directory: FakeDirectory) -> None:
    found, _ = await cache.resolve("x" * 5000, users=True, groups=True)
    assert found.matches == ()
    assert directory.calls["resolve"] == 0


async def test_groups_are_kept_like_users(cache: NameCache, directory: FakeDirectory) -> None:
    await cache.resolve("team", users=False, groups=True)
    _, asked = await cache.resolve(group_id("team"), users=True, groups=True)
    assert not asked
    assert directory.calls["resolve"] == 1

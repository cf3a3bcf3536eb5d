"""Failed sign-ins are counted before the directory is asked, and guessing is slowed down."""

import asyncio
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.directory.attempts import (
    Attempt,
    AttemptOutcome,
    AttemptRules,
    AttemptScope,
    LocalAttempts,
    limited_sign_in,
    name_key,
    network_of,
)
from quintet.directory.errors import (
    AuthenticationError,
    DirectoryUnavailableError,
    TooManyAttemptsError,
    UnreachableReason,
)
from quintet.directory.events import Event, SignInsBlocked

RULES = AttemptRules(limit=3, network_limit=5, window=60, hold=0.0, block=10, longest=35)
HERE, THERE = "192.0.2.1", "192.0.2.2"


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Callable[..., LocalAttempts]:
    def made(rules: AttemptRules = RULES, **options: object) -> LocalAttempts:
        return LocalAttempts(rules, now=clock, **options)  # type: ignore[arg-type]

    return made


@pytest.fixture
def attempts(make: Callable[..., LocalAttempts]) -> LocalAttempts:
    return make()


async def fail(attempts: LocalAttempts, name: str, network: str = HERE, times: int = 1) -> None:
    for _ in range(times):
        await attempts.settle(await attempts.begin(name, network), AttemptOutcome.FAILED)


async def succeed(attempts: LocalAttempts, name: str, network: str = HERE) -> None:
    await attempts.settle(await attempts.begin(name, network), AttemptOutcome.SUCCEEDED)


async def wait(attempts: LocalAttempts, name: str, network: str = HERE) -> float:
    """Seconds that this name would be refused for; 0 if it is let in. Counts nothing."""
    try:
        attempt = await attempts.begin(name, network)
    except TooManyAttemptsError as error:
        return error.retry_after
    await attempts.settle(attempt, AttemptOutcome.UNDECIDED)
    return 0.0


# The rule.


async def test_a_name_from_one_network_is_refused_after_its_failures(attempts: LocalAttempts) -> None:
    await fail(attempts, "alice", times=2)
    assert await wait(attempts, "alice") == 0
    await fail(attempts, "alice")
    assert await wait(attempts, "alice") == 10
    assert await wait(attempts, "bob") == 0
    assert await wait(attempts, "alice", THERE) == 0


async def test_each_block_is_twice_as_long_up_to_the_longest(attempts: LocalAttempts, clock: Clock) -> None:
    await fail(attempts, "alice", times=3)
    blocks = []
    for _ in range(4):
        blocks.append(await wait(attempts, "alice"))
        clock.time += blocks[-1]
        assert await wait(attempts, "alice") == 0
        await fail(attempts, "alice")  # one is enough
    assert blocks == [10, 20, 35, 35]


async def test_a_refused_attempt_makes_a_block_no_longer(attempts: LocalAttempts, clock: Clock) -> None:
    await fail(attempts, "alice", times=3)
    clock.time += 4
    for _ in range(50):
        assert await wait(attempts, "alice") == 6


async def test_a_limit_is_reached_by_failures_some_time_apart_too(
    attempts: LocalAttempts, clock: Clock
) -> None:
    for _ in range(3):
        clock.time += 1
        await fail(attempts, "alice")
    assert await wait(attempts, "alice") == 10


async def test_failures_are_forgotten_with_time(attempts: LocalAttempts, clock: Clock) -> None:
    await fail(attempts, "alice", times=2)
    clock.time += 60
    await fail(attempts, "alice", times=2)
    assert await wait(attempts, "alice") == 0


async def test_blocks_are_forgotten_when_nothing_fails_for_a_window_after_them(
    make: Callable[..., LocalAttempts], clock: Clock
) -> None:
    attempts = make(most=1)  # what is forgotten goes when there must be room
    await fail(attempts, "alice", times=3)
    clock.time += 10 + 60
    await wait(attempts, "bob", THERE)
    assert not await attempts.counts()
    await fail(attempts, "alice", times=3)
    assert await wait(attempts, "alice") == 10


async def test_a_network_that_tries_many_names_is_refused(attempts: LocalAttempts) -> None:
    for number in range(5):
        await fail(attempts, f"user{number}")
    assert await wait(attempts, "another") == 10
    assert await wait(attempts, "another", THERE) == 0


async def test_a_name_that_many_networks_try_is_refused(make: Callable[..., LocalAttempts]) -> None:
    attempts = make()
    for number in range(3 * 10):
        await fail(attempts, "alice", f"198.51.100.{number}")
    assert await wait(attempts, "alice", "203.0.113.1") == 10


async def test_attempts_before_the_limit_are_held_each_twice_as_long(
    make: Callable[..., LocalAttempts],
) -> None:
    attempts = make(AttemptRules(limit=8, hold=0.5))
    held = []
    for _ in range(8):
        attempt = await attempts.begin("alice", HERE)
        held.append(attempt.hold)
        await attempts.settle(attempt, AttemptOutcome.FAILED)
    assert held == [0, 0, 0, 0.5, 1, 2, 4, 8]


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_the_first_attempt_is_never_held(make: Callable[..., LocalAttempts], limit: int) -> None:
    assert (await make(AttemptRules(limit=limit)).begin("alice", HERE)).hold == 0


async def test_a_limit_of_0_limits_nothing(make: Callable[..., LocalAttempts]) -> None:
    attempts = make(AttemptRules(limit=0, network_limit=0))
    await fail(attempts, "alice", times=500)
    assert await wait(attempts, "alice") == 0
    assert len(attempts) == 0


async def test_new_rules_hold_at_once(attempts: LocalAttempts) -> None:
    await fail(attempts, "alice", times=2)
    attempts.rules = AttemptRules(limit=2)
    assert await wait(attempts, "alice") > 0


# Many at once.


async def test_guesses_sent_at_once_are_counted_before_they_have_failed(attempts: LocalAttempts) -> None:
    for _ in range(3):
        await attempts.begin("alice", HERE)
    with pytest.raises(TooManyAttemptsError):
        await attempts.begin("alice", HERE)


async def test_all_users_behind_one_address_may_sign_in_at_once(make: Callable[..., LocalAttempts]) -> None:
    """After a restart; far more than may fail."""
    attempts = make(AttemptRules(network_limit=200))
    begun = [await attempts.begin(f"user{number}", HERE) for number in range(900)]
    for each in begun:
        await attempts.settle(each, AttemptOutcome.SUCCEEDED)
    assert await wait(attempts, "alice") == 0


async def test_a_thousand_guesses_at_once_from_one_network_are_paid_for(
    make: Callable[..., LocalAttempts],
) -> None:
    rules = AttemptRules(network_limit=200, longest=86_400)
    attempts = make(rules)
    begun = [await attempts.begin(f"user{number}", HERE) for number in range(1000)]
    with pytest.raises(TooManyAttemptsError):
        await attempts.begin("one more", HERE)
    for each in begun:
        await attempts.settle(each, AttemptOutcome.FAILED)
    assert await wait(attempts, "another") == pytest.approx(60 + 800 * 900 / 200)


async def test_what_was_in_flight_when_an_administrator_cleared_does_no_harm(attempts: LocalAttempts) -> None:
    begun = [await attempts.begin("alice", HERE) for _ in range(3)]
    assert await attempts.clear() == 3
    for each in begun:
        await attempts.settle(each, AttemptOutcome.FAILED)
    assert await wait(attempts, "alice") == 0


# What a success clears.


async def test_a_success_forgets_the_failures_of_this_name_from_this_network(attempts: LocalAttempts) -> None:
    await fail(attempts, "alice", times=2)
    await succeed(attempts, "alice")
    await fail(attempts, "alice", times=2)
    assert await wait(attempts, "alice") == 0


async def test_who_has_one_good_account_gets_no_more_guesses_at_others(attempts: LocalAttempts) -> None:
    for number in range(4):
        await fail(attempts, f"user{number}")
        await succeed(attempts, "mallory")
    await fail(attempts, "user4")
    assert await wait(attempts, "another") > 0


async def test_a_success_elsewhere_gives_a_guesser_no_more_guesses(attempts: LocalAttempts) -> None:
    await fail(attempts, "alice", THERE, times=3)
    await succeed(attempts, "alice", HERE)
    assert await wait(attempts, "alice", THERE) > 0
    for number in range(27):
        await fail(attempts, "alice", f"198.51.100.{number}")
        if number % 5 == 0:
            await succeed(attempts, "alice", HERE)
    assert await wait(attempts, "alice", "203.0.113.1") > 0


async def test_others_who_guess_do_not_lock_a_user_out_of_a_known_place(attempts: LocalAttempts) -> None:
    await succeed(attempts, "alice", HERE)
    for number in range(30):
        await fail(attempts, "alice", f"198.51.100.{number}")
    assert await wait(attempts, "alice", THERE) > 0
    assert await wait(attempts, "alice", HERE) == 0


# The context.


def unavailable() -> DirectoryUnavailableError:
    return DirectoryUnavailableError.because(UnreachableReason.BUSY)


@pytest.mark.parametrize(
    ("error", "failures"),
    [(AuthenticationError(), 1), (unavailable(), 0), (asyncio.CancelledError(), 1), (ValueError(), 1)],
    ids=["refused", "directory away", "cancelled", "fault"],
)
async def test_only_what_the_directory_could_not_tell_is_no_failure(
    attempts: LocalAttempts, error: BaseException, failures: int
) -> None:
    with pytest.raises(type(error)):
        async with limited_sign_in(attempts, "alice", HERE):
            raise error
    assert [each.failures for each in await attempts.counts()] == [failures] * 3 * failures


async def test_a_sign_in_that_says_nothing_has_failed(attempts: LocalAttempts) -> None:
    async with limited_sign_in(attempts, "alice", HERE):
        pass
    assert await attempts.counts()


async def test_a_sign_in_that_was_withdrawn_counts_for_nothing(attempts: LocalAttempts) -> None:
    async with limited_sign_in(attempts, "alice", HERE) as begun:
        begun.withdrawn()
    async with limited_sign_in(attempts, "alice", HERE) as begun:
        begun.succeeded()
    assert not await attempts.counts()


async def test_beyond_the_limit_the_body_is_not_entered(attempts: LocalAttempts) -> None:
    await fail(attempts, "alice", times=3)
    asked = False
    with pytest.raises(TooManyAttemptsError) as refused:
        async with limited_sign_in(attempts, "ALICE", HERE):
            asked = True
    assert not asked
    assert refused.value.retry_after == 10


# Names and networks.


@pytest.mark.parametrize(
    "spelling",
    [
        "ALICE",
        " alice ",
        "al ice",
        "álice",
        "ａｌｉｃｅ",
        "al\u00adice",
        "alice\u200b",
        "ali\u0301\u0302ce",
        "CORP\\alice",
        "a\u0000lice",
    ],
)
def test_spellings_of_a_name_are_one_name(spelling: str) -> None:
    assert name_key(spelling) == name_key("alice")


def test_a_dn_is_one_name_however_it_is_written() -> None:
    spellings = ("uid=alice,dc=x", "UID = Alice , DC = X", "0.9.2342.19200300.100.1.1=alice,dc=x")
    assert len({name_key(each) for each in spellings}) == 1
    assert name_key("uid=bob,dc=x") != name_key("uid=alice,dc=x")


@given(st.text(st.characters(), max_size=2000))
def test_every_text_has_a_key_of_bounded_length(name: str) -> None:
    assert name_key(name) == name_key(f" {name} ") or len(name) > 1022
    assert len(name_key(name)) < 60_000
    name_key(name).encode("utf-8", "surrogatepass")


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_case_does_not_tell_names_apart(name: str) -> None:
    assert name_key(name.upper()) == name_key(name.upper().lower())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:51000", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:51000", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("no address", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_is_counted_as_its_network(address: str | None, network: str) -> None:
    assert network_of(address) == network


@given(st.text(max_size=40))
def test_any_text_has_a_network(text: str) -> None:
    assert network_of(text)


# Administration.


async def test_an_administrator_sees_what_is_refused_first(attempts: LocalAttempts, clock: Clock) -> None:
    await fail(attempts, "bob", THERE)
    await fail(attempts, " Alice", times=3)
    clock.time += 4
    first = (await attempts.counts())[0]
    assert (first.scope, first.name, first.network) == (AttemptScope.NAME_AT_NETWORK, "Alice", HERE)
    assert (first.failures, first.blocked, first.seconds) == (2, True, 6)


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ("ALICE", {("bob", HERE), ("", HERE), ("bob", "")}),
        (HERE, {("alice", ""), ("bob", "")}),
        (None, set()),
    ],
)
async def test_an_administrator_clears_a_name_a_network_or_everything(
    attempts: LocalAttempts, wanted: str | None, left: set[tuple[str, str]]
) -> None:
    await fail(attempts, "alice", times=2)
    await fail(attempts, "bob")
    assert await attempts.clear(wanted) == 5 - len(left)
    assert {(each.name, each.network) for each in await attempts.counts()} == left


async def test_clearing_an_address_frees_its_whole_network(attempts: LocalAttempts) -> None:
    network = network_of("2001:db8::1")
    await fail(attempts, "alice", network, times=3)
    await attempts.clear("2001:db8::77")
    assert await wait(attempts, "alice", network) == 0


async def test_who_is_blocked_is_told_once_without_the_name(make: Callable[..., LocalAttempts]) -> None:
    told: list[Event] = []
    attempts = make(trace=told.append)
    await fail(attempts, "alice", times=3)
    await wait(attempts, "alice")
    assert told == [SignInsBlocked("name at network", HERE, 10)]


# Full.


async def test_filling_the_memory_frees_nobody_and_lets_no_one_guess_on(
    make: Callable[..., LocalAttempts],
) -> None:
    attempts = make(most=100)
    await fail(attempts, "alice", times=3)
    for number in range(6000):
        try:
            await fail(attempts, f"user{number}", f"10.0.{number % 250}.{number // 250}")
        except TooManyAttemptsError:
            continue
    assert await wait(attempts, "alice") == 10
    refused = [await wait(attempts, f"other{n}", f"10.1.0.{n}") for n in range(100)]
    assert sum(each > 0 for each in refused) > 50, "those without a record share one"


async def test_memory_is_bounded_however_many_names_are_tried(make: Callable[..., LocalAttempts]) -> None:
    attempts = make(most=100)
    tracemalloc.start()
    try:
        for number in range(4000):
            try:
                await fail(attempts, f"user{number}" + "x" * 1000, f"10.0.{number % 250}.{number // 250}")
            except TooManyAttemptsError:
                continue
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()
    assert len(attempts) <= 3 * (100 + 1024)
    assert all(len(each.name) <= 64 for each in await attempts.counts())


async def test_the_user_of_a_known_place_is_counted_alone_even_when_the_memory_is_full(
    make: Callable[..., LocalAttempts],
) -> None:
    attempts = make(AttemptRules(limit=3, network_limit=0, block=10), most=1)
    await succeed(attempts, "alice", HERE)
    await fail(attempts, "bob", THERE)
    for number in range(4000):
        try:
            await fail(attempts, f"user{number}", f"10.0.{number % 250}.{number // 250}")
        except TooManyAttemptsError:
            continue
    assert await wait(attempts, "alice", HERE) == 0
    await fail(attempts, "alice", HERE, times=3)
    assert await wait(attempts, "alice", HERE) == 10


async def test_an_attempt_in_flight_ends_where_it_began_although_the_memory_was_full(
    make: Callable[..., LocalAttempts], clock: Clock
) -> None:
    attempts = make(most=1)
    await fail(attempts, "bob", THERE)
    begun: Attempt = await attempts.begin("alice", HERE)
    await attempts.clear(THERE)
    await attempts.clear("bob")
    await attempts.settle(begun, AttemptOutcome.UNDECIDED)
    assert len(attempts) == 0

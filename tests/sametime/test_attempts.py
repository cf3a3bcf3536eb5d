"""Failed sign-ins are counted, and guessing is slowed down."""

from quintet.sametime.attempts import AttemptRules, AttemptScope, LocalAttempts

RULES = AttemptRules(window=60, name_at_address=3, address=5, name=4)


def fail(attempts: LocalAttempts, name: str, address: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        attempts.failed(name, address, now)


def test_a_name_at_an_address_is_blocked_after_its_failures() -> None:
    attempts = LocalAttempts(RULES)
    fail(attempts, "alice", "a", 2)
    assert attempts.wait("alice", "a", 0) == 0
    fail(attempts, "alice", "a", 1)
    assert attempts.wait("alice", "a", 10) == 50


def test_a_block_ends_with_its_window() -> None:
    attempts = LocalAttempts(RULES)
    fail(attempts, "alice", "a", 3)
    assert attempts.wait("alice", "a", 60) == 0


def test_after_a_window_failures_are_counted_anew() -> None:
    attempts = LocalAttempts(RULES)
    fail(attempts, "alice", "a", 2)
    fail(attempts, "alice", "a", 2, now=61)
    assert attempts.wait("alice", "a", 61) == 0


def test_an_address_that_tries_many_names_is_blocked() -> None:
    attempts = LocalAttempts(RULES)
    for number in range(5):
        attempts.failed(f"user{number}", "a", 0)
    assert attempts.wait("another", "a", 0) == 60
    assert attempts.wait("another", "b", 0) == 0


def test_a_name_that_many_addresses_try_is_blocked() -> None:
    attempts = LocalAttempts(RULES)
    for address in "abcd":
        attempts.failed("alice", address, 0)
    assert attempts.wait("alice", "e", 0) == 60


def test_others_who_guess_do_not_lock_a_user_out_of_a_known_address() -> None:
    attempts = LocalAttempts(RULES)
    attempts.succeeded("alice", "home", 0)
    for address in "abcd":
        attempts.failed("alice", address, 0)
    assert attempts.wait("alice", "home", 0) == 0


def test_a_name_is_counted_by_its_meaning() -> None:
    attempts = LocalAttempts(RULES)
    for name in ("uid=alice,dc=x", "UID=Alice, DC=x", "uid = alice , dc = X"):
        attempts.failed(name, "a", 0)
    assert attempts.wait("uid=alice,dc=x", "a", 0) == 60


def test_success_forgets_the_failures_before_it() -> None:
    attempts = LocalAttempts(RULES)
    fail(attempts, "alice", "a", 2)
    attempts.succeeded("alice", "a", 1)
    fail(attempts, "alice", "a", 2)
    assert attempts.wait("alice", "a", 1) == 0


def test_an_administrator_sees_what_is_blocked_first() -> None:
    attempts = LocalAttempts(RULES)
    attempts.failed("bob", "b", 0)
    fail(attempts, "alice", "a", 3)
    first = attempts.counts(now=10)[0]
    assert (first.scope, first.name, first.address) == (AttemptScope.NAME_AT_ADDRESS, "alice", "a")
    assert (first.failures, first.blocked, first.seconds) == (3, True, 50)


def test_an_administrator_clears_a_name_by_its_meaning() -> None:
    attempts = LocalAttempts(RULES)
    fail(attempts, "alice", "a", 4)
    assert attempts.clear(name=" Alice ") == 2
    assert attempts.wait("alice", "a", 0) == 0


def test_an_administrator_clears_an_address_or_everything() -> None:
    attempts = LocalAttempts(RULES)
    fail(attempts, "alice", "a", 1)
    fail(attempts, "bob", "b", 1)
    assert attempts.clear(address="a") == 2
    assert attempts.clear() == 4
    assert len(attempts) == 0


def test_memory_is_bounded_however_many_names_are_tried() -> None:
    attempts = LocalAttempts(RULES, most=100)
    for number in range(1000):
        attempts.failed(f"user{number}", f"10.0.0.{number}", 0)
        attempts.succeeded(f"user{number}", f"10.0.0.{number}", 0)
    assert len(attempts) <= 100
    attempts.failed("x" * 60_000, "a", 0)
    assert all(len(each.name) < 300 for each in attempts.counts(0))

"""What the time of a refusal tells, at a server that hashes passwords slowly, as servers should."""

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.directory import AuthenticationError, Directory
from support import small
from support.directories import server_settings, settings
from support.slapd import Slapd

pytestmark = [pytest.mark.real, pytest.mark.serial]

PASSWORD = "alice-secret"
SLOW = "$6$rounds=100000$%.16s"
TIMES = 12


def hashed(password: str) -> bytes:
    made = subprocess.run(
        [Path("/usr/sbin/slappasswd"), "-h", "{CRYPT}", "-c", SLOW, "-s", password, "-n"],
        capture_output=True,
        check=True,
    )
    return made.stdout


async def seconds_to_refuse(directory: Directory, name: str, password: str = "wrong") -> float:
    started = time.perf_counter()
    with pytest.raises(AuthenticationError):
        await directory.authenticate(name, password)
    return time.perf_counter() - started


async def test_an_unknown_name_takes_as_long_as_a_wrong_password_where_hashing_is_slow(
    make_slapd: Callable[..., Slapd],
) -> None:
    """Without holding back, slapd answers for an entry that does not exist a hundred times as fast."""
    server = make_slapd(small.LDIF.replace(PASSWORD.encode(), hashed(PASSWORD)), stats=False)
    async with Directory(settings([server_settings(server.port)])) as directory:
        await directory.authenticate("alice", PASSWORD)
        known = [await seconds_to_refuse(directory, "alice") for _ in range(TIMES)]
        unknown = [await seconds_to_refuse(directory, f"nobody{nth}") for nth in range(TIMES)]
        ambiguous = [await seconds_to_refuse(directory, "smith") for _ in range(TIMES)]
    for others in (unknown, ambiguous):
        assert 1 / 3 < statistics.median(others) / statistics.median(known) < 3
        assert min(others) < max(known)
        assert min(known) < max(others)


async def test_before_anybody_has_signed_in_an_unknown_name_takes_as_long_too(
    make_slapd: Callable[..., Slapd],
) -> None:
    server = make_slapd(small.LDIF.replace(PASSWORD.encode(), hashed(PASSWORD)), stats=False)
    async with Directory(settings([server_settings(server.port)])) as directory:
        known = [await seconds_to_refuse(directory, "alice") for _ in range(3)]
        unknown = [await seconds_to_refuse(directory, "nobody") for _ in range(3)]
    assert 1 / 3 < statistics.median(unknown) / statistics.median(known) < 3


async def test_a_locked_account_is_refused_as_late_as_a_wrong_password_from_the_first_try(
    make_slapd: Callable[..., Slapd],
) -> None:
    """Slapd hashes nothing for it: without holding back it would answer a hundred times as fast."""
    data = small.LDIF.replace(PASSWORD.encode(), hashed(PASSWORD))
    bob = f"dn: {small.person_dn('bob')}\n".encode()
    data = data.replace(bob, bob + b"pwdAccountLockedTime: 000001010000Z\n")
    policy = f"dn: cn=policy,{small.BASE}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\n"
    data += f"\n{policy}pwdAttribute: userPassword\npwdLockout: TRUE\n".encode()
    extra = f"overlay ppolicy\nppolicy_default cn=policy,{small.BASE}"
    server = make_slapd(data, modules=("back_mdb", "ppolicy"), extra=extra, stats=False)
    async with Directory(settings([server_settings(server.port)])) as directory:
        began = time.perf_counter()
        await directory.authenticate("alice", PASSWORD)
        usual = time.perf_counter() - began
        assert await seconds_to_refuse(directory, "bob") > usual
        assert await seconds_to_refuse(directory, "bob", "bob-secret") > usual

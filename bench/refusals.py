"""`script/bench --timing`, first half: what the time of a refusal tells about an account.

slapd hashes passwords slowly (SHA-512 crypt) and locks accounts (ppolicy). Every kind of refusal is tried in
random order, between sign-ins that succeed. The area under the ROC curve says how well time alone tells two
kinds apart: 0.5 is not at all, 0 or 1 is always.
"""

import asyncio
import itertools
import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quintet.config import load
from quintet.directory import AuthenticationError, Directory
from quintet.directory.authenticate import ConstantTimeRefusal
from support import small
from support.folder import settings_folder
from support.slapd import Slapd

TRIES = 100
ROUNDS = 100_000
"""Rounds of SHA-512 crypt."""
BOUNDS = (0.4, 0.6)
WRONG = "wrong password"
LEVELS = ("all", "passwords")

_GOOD = ("alice", "alice-secret")
_GOOD_EVERY = 8
_LOCKED = "000001010000Z"  # for ever (draft-behera-ldap-password-policy 5.3.3)


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to be refused: what is typed."""

    meaning: str
    name: str
    password: str


KINDS = (
    Kind(WRONG, "bob", "wrong"),
    Kind("unknown name", "nobody", "wrong"),
    Kind("locked, right password", "carol", "carol-secret"),
    Kind("locked, wrong password", "carol", "wrong"),
    Kind("no password set (disabled)", "dave", "wrong"),
    Kind("right password, must be changed", "erin", "erin-secret"),
    Kind("name of several people", "smith", "wrong"),
    Kind("outside the base", "away", "away-secret"),
    Kind("name of 2,000 bytes", "x" * 2000, "wrong"),
)


@dataclass(frozen=True, slots=True)
class Separation:
    """One kind at one level. Times are medians in milliseconds; `server` is without holding back.

    `area` and `server_area` compare with wrong passwords; `worst` is the area farthest from 0.5 among all
    other kinds.
    """

    level: str
    kind: str
    server: float
    server_area: float
    held: float
    area: float
    worst: float

    @property
    def good(self) -> bool:
        return all(BOUNDS[0] <= each <= BOUNDS[1] for each in (self.area, self.worst))


def area(one: list[float], other: list[float]) -> float:
    """The area under the ROC curve: how often a time of `one` is longer than one of `other`."""
    pairs = itertools.product(one, other)
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / (len(one) * len(other))


def measure_refusals(tell: Callable[[str], None], tries: int = TRIES) -> list[Separation]:
    """Both levels, `tries` of each kind."""
    with _slapd() as server:
        found: list[Separation] = []
        for level in LEVELS:
            base = {"PersonResolveBase": small.PEOPLE}
            folder = settings_folder(
                server.folder / level, server, level=level, account=None, connection=base
            )
            tell(f"Refusals under {level}, without holding back")
            bare = asyncio.run(_times(folder, tries, hold=False))
            tell(f"Refusals under {level}, {tries} of each kind")
            held = asyncio.run(_times(folder, tries, hold=True))
            found += [_separation(level, kind.meaning, bare, held) for kind in KINDS]
        return found


def _separation(
    level: str, kind: str, bare: dict[str, list[float]], held: dict[str, list[float]]
) -> Separation:
    areas = [area(held[kind], held[other]) for other in held if other != kind]
    return Separation(
        level,
        kind,
        1000 * statistics.median(bare[kind]),
        area(bare[kind], bare[WRONG]),
        1000 * statistics.median(held[kind]),
        area(held[kind], held[WRONG]),
        max(areas, key=lambda each: abs(each - 0.5)),
    )


async def _times(folder: Path, tries: int, *, hold: bool) -> dict[str, list[float]]:
    order = [kind for kind in KINDS for _ in range(tries)]
    random.Random(0).shuffle(order)
    times: dict[str, list[float]] = {kind.meaning: [] for kind in KINDS}
    async with Directory(load(folder, os.environ)) as directory:
        if not hold:
            directory._refusals = ConstantTimeRefusal(sleep=_not_at_all)  # noqa: SLF001
        for _ in range(_GOOD_EVERY):
            await directory.authenticate(*_GOOD)
        for nth, kind in enumerate(order):
            if nth % _GOOD_EVERY == 0:
                await directory.authenticate(*_GOOD)
            times[kind.meaning].append(await _seconds(directory, kind))
    return times


async def _seconds(directory: Directory, kind: Kind) -> float:
    began = time.perf_counter()
    try:
        await directory.authenticate(kind.name, kind.password)
    except AuthenticationError:
        return time.perf_counter() - began
    raise AssertionError(f"this must be refused: {kind.meaning}")


async def _not_at_all(_: float) -> None:
    """Hold nothing back."""


def _slapd() -> Slapd:
    text = small.LDIF.decode()
    for name in ("alice", "bob", "carol", "erin", "smith1", "smith2"):
        text = text.replace(f"{name}-secret", _hashed(f"{name}-secret"))
    text = text.replace("userPassword: dave-secret\n", "")
    for name, state in (("carol", f"pwdAccountLockedTime: {_LOCKED}"), ("erin", "pwdReset: TRUE")):
        dn = f"dn: {small.person_dn(name)}\n"
        text = text.replace(dn, f"{dn}{state}\n")
    return Slapd(
        f"{text}\n{_OTHERS}".encode(),
        modules=("back_mdb", "ppolicy"),
        stats=False,
        extra=f"overlay ppolicy\nppolicy_default cn=policy,{small.BASE}",
    )


_OTHERS = f"""\
dn: cn=policy,{small.BASE}
objectClass: device
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 30000
pwdMustChange: TRUE

dn: ou=elsewhere,{small.BASE}
objectClass: organizationalUnit
ou: elsewhere

dn: uid=away,ou=elsewhere,{small.BASE}
objectClass: inetOrgPerson
uid: away
cn: Anne Away
sn: Away
userPassword: away-secret
"""


def _hashed(password: str) -> str:
    made = subprocess.run(
        ["/usr/sbin/slappasswd", "-h", "{CRYPT}", "-c", f"$6$rounds={ROUNDS}$%.16s", "-s", password, "-n"],
        capture_output=True,
        check=True,
        text=True,
    )
    return made.stdout

"""One client in one process: waits for orders on standard input, answers each with one line of JSON.

Every client does the same: equality-filter searches over one connection, as many as it can until the time is
up, and looks at every answer.
"""

import gc
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

BASE = "o=bench"
ATTRIBUTES = ["cn", "mail", "telephoneNumber"]
IN_FLIGHT = 60
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """The server to ask, and how. `ca` is a PEM file; `people` is how many uids there are."""

    host: str
    port: int
    tls_port: int
    ca: str
    tls: bool
    people: int
    user: str
    password: str

    @property
    def url(self) -> str:
        return f"ldaps://{self.host}:{self.tls_port}" if self.tls else f"ldap://{self.host}:{self.port}"


class WrongAnswer(Exception):
    """A search brought something else than the entry that was asked for."""


class Client(Protocol):
    """What is measured. `search_until` returns how many right answers came until `more` said no."""

    def search_until(self, people: Iterator[str], more: Callable[[], bool]) -> int: ...

    def close(self) -> None: ...


def uid(number: int) -> str:
    return f"person{number:05}"


def mail(name: str) -> str:
    return f"{name}@bench.example"


def expect(entries: int, found: str | bytes | None, name: str) -> None:
    """Complain unless there was one entry, and it has the mail address of `name`."""
    wanted: str | bytes = mail(name).encode() if isinstance(found, bytes) else mail(name)
    if entries != 1 or found != wanted:
        raise WrongAnswer(f"{entries} entries, mail {found!r} where {wanted!r} was due")


def serve(connect: Callable[[Target], Client]) -> None:
    """Take orders: {"seconds": s, "seed": n} or {"searches": n, "seed": n}, until the input ends."""
    client = connect(Target(**json.loads(sys.argv[1])))
    try:
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(_obey(client, json.loads(line))), flush=True)
    finally:
        client.close()


def _obey(client: Client, order: dict[str, float]) -> dict[str, float]:
    chosen = random.Random(order["seed"])
    people = int(json.loads(sys.argv[1])["people"])
    names = cycle([uid(chosen.randrange(people)) for _ in range(_SAMPLE)])
    more = _until(order["seconds"]) if "seconds" in order else _times(int(order["searches"]))
    gc.collect()
    cpu, began = time.process_time(), time.perf_counter()
    searches = client.search_until(names, more)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    gc.collect()
    return {"searches": searches, "seconds": took, "cpu": cpu, "memory": _resident()}


def _until(seconds: float) -> Callable[[], bool]:
    end, clock = time.perf_counter() + seconds, time.perf_counter
    return lambda: clock() < end


def _times(count: int) -> Callable[[], bool]:
    left = iter(range(count))
    return lambda: next(left, None) is not None


def _resident() -> int:
    """Bytes of memory that this process has in use now."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 (measured, so as plain as can be)
        return int(statm.read().split()[1]) * resource.getpagesize()

"""`script/bench --timing`, second half: how long hostile input holds the event loop.

What others wait for is what this thread computes between two turns of the loop, so its CPU time is measured,
which other processes do not change. Servers that answer by a script run in a thread of their own.
"""

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from quintet.cards import Cards
from quintet.config import load
from quintet.diagnostics import SettingsError
from quintet.directory import Directory, DirectoryError
from quintet.ldap.messages import SearchRequest
from quintet.tls.stores import StoreError, der, read_store
from support import small
from support.directories import server_settings, settings
from support.folder import settings_folder
from support.scripted import entry, scripted, then_done
from support.slapd import Slapd

LONGEST = 50.0
"""Milliseconds."""
_TRIES = 2
_TURNS = 20
"""Turns of the loop before and after, so that what comes late is measured, too."""

_MARKS = "a" + "\u0301" * 30_000
_LONG = "x" * 300_000
_GROUP = f"cn=g,{small.BASE}"


@dataclass(frozen=True, slots=True)
class Hold:
    """The longest hold that an input caused, in milliseconds of CPU: the least of several tries."""

    where: str
    input: str
    milliseconds: float

    @property
    def good(self) -> bool:
        return self.milliseconds <= LONGEST


async def longest_hold(work: Awaitable[object]) -> float:
    """The longest time, in milliseconds of this thread's CPU, in which nothing else had its turn."""
    longest = 0.0
    ended = False

    async def watch() -> None:
        nonlocal longest
        before = time.thread_time()
        while not ended:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest = max(longest, now - before)
            before = now

    watching = asyncio.create_task(watch())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    try:
        await work
    finally:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        ended = True
        await watching
    return 1000 * longest


def measure_holds(tell: Callable[[str], None]) -> list[Hold]:
    """Every input in every place that it can come to."""
    found: list[Hold] = []
    with Slapd(stats=False) as server:
        tell("Hostile names")
        folder = settings_folder(server.folder / "settings", server, level="none", account=None)
        found += asyncio.run(_names(folder))
    tell("Hostile servers")
    for what, script in _ANSWERS.items():
        with _scripted_server(script) as port:
            found += asyncio.run(_answers(what, port))
    tell("Hostile files")
    found += asyncio.run(_files())
    return found


# Names that users send, to every task.

_NAMES = {
    "60 kB of combining marks": _MARKS,
    "1,024 bytes of combining marks": _MARKS[:512],
    "300 kB": _LONG,
    "10 MB": "x" * 10_000_000,
    "a DN of 50,000 parts": "cn=a," * 50_000 + small.BASE,
    "a DN of 1,024 bytes, parts of one character": ("a=" + ",a=" * 400)[:1020],
    "1,024 bytes of NUL": "\0" * 1024,
    "300 kB of backslashes in a DN": "cn=" + "\\" * 300_000,
}


async def _names(folder: Path) -> list[Hold]:
    found = []
    loaded = load(folder, os.environ)
    async with Directory(loaded) as directory, Cards(loaded) as cards:
        tasks: dict[str, Callable[[str], Awaitable[object]]] = {
            "authenticate": lambda name: directory.authenticate(name, "wrong"),
            "resolve login": directory.resolve_login,
            "resolve": directory.resolve,
            "members": directory.members,
            "browse": directory.browse,
            "browse: page token": lambda text: directory.browse(small.BASE, token=text),
            "card": cards.card,
        }
        for task in tasks.values():
            await _try(task("alice"))
        for what, name in _NAMES.items():
            found += [await _hold(where, what, partial(task, name)) for where, task in tasks.items()]
        await directory.resolve_login("alice")  # the shared connections are still there
        reconnects = sum(row.reconnects for row in directory.status())
        assert not reconnects, "a name made the server close a shared connection"
    return found


async def _hold(where: str, what: str, make: Callable[[], Awaitable[object]]) -> Hold:
    return Hold(where, what, min([await longest_hold(_try(make())) for _ in range(_TRIES)]))


async def _try(work: Awaitable[object]) -> None:
    with suppress(DirectoryError):
        await work


# What servers answer.

_Script = Callable[[SearchRequest], Iterable[Any]]


def _of(**attributes: list[bytes]) -> _Script:
    """The group has the attributes, and what is searched for; no member has an entry."""
    made = entry(_GROUP, **attributes | {"objectClass": [b"groupOfNames"]})
    return lambda request: then_done(*([made] if request.base in (_GROUP, small.BASE) else []))


_ANSWERS: dict[str, _Script] = {
    "a member of 12 MB": _of(member=[b"cn=" + b"x" * 12_000_000]),
    "a member with 60 kB of combining marks": _of(member=[f"cn={_MARKS},{small.BASE}".encode()]),
    "5,000 members of 1 kB of marks": _of(
        member=[f"cn={nth}{_MARKS[:400]},{small.BASE}".encode() for nth in range(5000)]
    ),
    "100,000 members": _of(member=[f"uid={nth},{small.BASE}".encode() for nth in range(100_000)]),
    "1 MB of attributes": _of(**{f"x-{nth}": [b"1"] for nth in range(80_000)}),
    "a name of 5 MB": _of(cn=[b"x" * 5_000_000]),
    "a name of 60 kB of marks": _of(cn=[_MARKS.encode()]),
    "1 MB of names": _of(cn=[b"x%d" % nth for nth in range(120_000)]),
    "an entry whose DN has 1 MB": lambda _: then_done(entry("cn=a," * 200_000 + small.BASE, cn=[b"x"])),
    "1,000 entries without a name, DNs of 8 kB": lambda _: then_done(
        *(entry(f"cn={nth}{'x' * 8000},{small.BASE}", mail=[b"x"]) for nth in range(1000))
    ),
    "1,000 entries with 15 kB of names, not ASCII": lambda _: then_done(
        *(entry(f"cn={nth},{small.BASE}", cn=["ä".encode() * 7500]) for nth in range(1000))
    ),
    "1,000 entries whose DNs have 8 kB": lambda _: then_done(
        *(entry(f"cn={nth}{'x' * 8000},{small.BASE}", cn=[b"x"]) for nth in range(1000))
    ),
}


_ANSWERED: dict[str, Callable[[Directory], Awaitable[object]]] = {
    "members": lambda directory: directory.members(_GROUP),
    "resolve": lambda directory: directory.resolve("alice"),
    "resolve login": lambda directory: directory.resolve_login("alice"),
    "browse": lambda directory: directory.browse(small.BASE),
}


async def _answers(what: str, port: int) -> list[Hold]:
    """With new connections each time: an answer may break one."""
    found = []
    for where, task in _ANSWERED.items():
        times = []
        for _ in range(_TRIES):
            async with Directory(settings([server_settings(port)], operation_timeout=30.0)) as directory:
                await directory.connect_all()
                times.append(await longest_hold(_try(task(directory))))
        found.append(Hold(f"answer to {where}", what, min(times)))
    return found


@contextmanager
def _scripted_server(script: _Script) -> Iterator[int]:
    """The port of a scripted server that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    try:
        port, _ = run(stack.enter_async_context(scripted(script)))
        yield port
    finally:
        run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


# Files. A running server reads its settings in another thread.


def _costly_store() -> bytes:
    """A `.p12` whose digest asks for 10 million rounds."""
    sha1 = der.sequence(der.tlv(der.OID, der.oid("1.3.14.3.2.26")), der.tlv(der.NULL))
    rounds = der.integer(10_000_000)
    mac = der.sequence(der.sequence(sha1, der.octet_string(bytes(20))), der.octet_string(b"salt"), rounds)
    data = der.tlv(der.OID, der.oid("1.2.840.113549.1.7.1"))
    plain = der.sequence(data, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence())))
    return der.sequence(der.integer(3), plain, mac)


def _xml(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "StCommunityConfig.xml").write_text(name, encoding="utf-8")

    return write


def _filter(text: str) -> Callable[[Path], None]:
    return _xml(f'<LdapConfig><Connection HostName="h" UserDnSearchFilter="{text}"/></LdapConfig>')


_FILES: dict[str, Callable[[Path], None]] = {
    "an element named :": _xml("<:/>"),
    "an element named a:b": _xml("<a:b/>"),
    "elements 50,000 deep": _xml("<a>" * 50_000 + "</a>" * 50_000),
    "a megabyte of attributes": _xml("<a " + " ".join(f'b{nth}=""' for nth in range(100_000)) + "/>"),
    "an entity in an entity": _xml('<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>'),
    "a filter 100,000 deep": _filter("(!" * 100_000 + "(a=b)" + ")" * 100_000),
    "a filter 100,000 wide": _filter("(|" + "(a=b)" * 100_000 + ")"),
}


async def _files() -> list[Hold]:
    async def store() -> None:
        with suppress(StoreError):
            read_store(_costly_store(), "secret")

    found = [await _hold("store", "10 million rounds", store)]
    with tempfile.TemporaryDirectory(prefix="quintet-bench-") as path:
        folder = Path(path)
        for what, write in _FILES.items():
            write(folder)
            found.append(await _hold("settings", what, partial(_load, folder)))
    return found


async def _load(folder: Path) -> None:
    with suppress(SettingsError):
        await asyncio.to_thread(load, folder, {})

"""A Valkey in memory, with a clock of its own: data, expiry, and what each Lua script does, in Python.

`TWINS` has a function for each script, by its name; it is given the store, the keys, and the arguments as
bytes. A property test runs both on the same histories. Other modules add the twins of their scripts.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

from quintet.cluster import scripts
from quintet.cluster.valkey import Argument, Reply, Script

Value = bytes | dict[bytes, bytes] | list[tuple[bytes, bytes]]
Published = list[tuple[str, bytes]]


class RefusedError(Exception):
    """The command is answered with an error."""


@dataclass
class SimulatedStore:
    """`now` is in microseconds. `full` and `read_only` are what Valkey may be for a while."""

    now: int = 1_700_000_000_000_000
    server: str = "server-1"
    full: bool = False
    read_only: bool = False
    data: dict[str, Value] = field(default_factory=dict)
    expires: dict[str, int] = field(default_factory=dict)
    published: Published = field(default_factory=list)
    dirty: bool = False

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Reply | RefusedError, Published]:
        """Run a script: its answer, and what it published."""
        self.published = []
        self.dirty = False
        self.expire()
        try:
            answer: Reply | RefusedError = TWINS[script.name](
                self, list(keys), [as_bytes(each) for each in args]
            )
        except RefusedError as error:
            answer = error
        return answer, self.published

    def expire(self) -> None:
        """Drop what is over."""
        for key in [key for key, when in self.expires.items() if when <= self.now]:
            self.expires.pop(key)
            self.data.pop(key, None)

    def copy(self) -> "SimulatedStore":
        """What a replica has."""
        return deepcopy(self)

    def flush(self) -> None:
        self.data.clear()
        self.expires.clear()

    def lose(self, chance: Random) -> None:
        """A key is gone."""
        if self.data:
            key = chance.choice(sorted(self.data))
            self.data.pop(key)
            self.expires.pop(key, None)

    def put(self, key: str, value: Value | None) -> None:
        """Something that no script has written; None: nothing."""
        self.data.pop(key, None)
        self.expires.pop(key, None)
        if value is not None:
            self.data[key] = deepcopy(value)

    def dump(self) -> dict[str, tuple[Value, int | None]]:
        """All keys: their values, and when they are over."""
        return {key: (value, self.expires.get(key)) for key, value in sorted(self.data.items())}

    # Commands

    def writes(self, *, grows: bool) -> None:
        """Whether a command may write. What a script has begun it may finish, though memory is used up."""
        if self.read_only or (self.full and grows and not self.dirty):
            raise RefusedError
        self.dirty = True

    def get(self, key: str) -> bytes | None:
        value = self.data.get(key)
        return value if isinstance(value, bytes) else None

    def set(self, key: str, value: bytes, milliseconds: int) -> None:
        self.writes(grows=True)
        self.data[key] = value
        self.expires[key] = self.now + milliseconds * 1000

    def delete(self, key: str) -> None:
        self.writes(grows=False)
        self.data.pop(key, None)
        self.expires.pop(key, None)

    def hash(self, key: str) -> dict[bytes, bytes]:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise RefusedError
        return value

    def hset(self, key: str, name: bytes, value: bytes) -> None:
        self.writes(grows=True)
        known = self.hash(key)
        known[name] = value
        self.data[key] = known

    def hdel(self, key: str, name: bytes) -> None:
        self.writes(grows=False)
        known = self.hash(key)
        known.pop(name, None)
        if not known and key in self.data:
            self.delete(key)

    def last(self, key: str, seconds: bytes, unit: int = 1_000_000) -> None:
        self.writes(grows=False)
        if key in self.data:
            self.expires[key] = self.now + int(seconds) * unit

    def stream(self, key: str) -> list[tuple[bytes, bytes]]:
        value = self.data.get(key, [])
        if not isinstance(value, list):
            raise RefusedError
        return value

    def entries(self, stream: str, after: str) -> list[tuple[str, bytes]]:
        """The entries behind an ID."""
        value = self.data.get(stream)
        found = value if isinstance(value, list) else []
        return [(name.decode(), data) for name, data in found if entry_id(name) > entry_id(after.encode())]

    def forget(self, stream: str, names: Sequence[str]) -> None:
        """Entries are gone."""
        known = self.stream(stream)
        known[:] = [each for each in known if each[0].decode() not in names]

    def xadd(self, key: str, data: bytes, most: int) -> None:
        self.writes(grows=True)
        known = self.stream(key)
        last = entry_id(known[-1][0]) if known else (0, 0)
        first = max((self.now // 1000, 0), (last[0], last[1] + 1))
        known.append((b"%d-%d" % first, data))
        del known[:-most]
        self.data[key] = known

    def publish(self, channel: str, data: bytes) -> None:
        self.published.append((channel, data))


def entry_id(name: bytes) -> tuple[int, int]:
    milliseconds, _, number = name.partition(b"-")
    return int(milliseconds), int(number or 0)


def as_bytes(value: Argument) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


# What the scripts share


def _number(text: bytes | None) -> int:
    return int(text) if text is not None and len(text) < 17 and text.isdigit() else 0


def _text(number: float) -> bytes:
    return b"%.0f" % number


def _parts(value: bytes | None) -> tuple[bytes, bytes, bytes, bytes, bytes] | None:
    parts = (value or b"").split(b"|", 4)
    if len(parts) < 5 or not parts[0] or not parts[1] or not parts[2].isdigit() or not parts[3].isdigit():
        return None
    return parts[0], parts[1], parts[2], parts[3], parts[4]


def _version(value: bytes) -> int:
    digits = len(value) - len(value.lstrip(b"0123456789"))
    return _number(value[:digits])


def _item(kind: bytes, name: bytes, value: bytes) -> bytes:
    return b"%s%d:%d:%s%s" % (kind, len(name), len(value), name, value)


def _holds(store: SimulatedStore, args: list[bytes], name: bytes, incarnation: bytes) -> bool:
    return store.get((args[0] + name).decode("utf-8", "surrogateescape")) == incarnation


@dataclass
class _User:
    seq: int = 0
    privacy: bytes | None = None
    sessions: dict[bytes, bytes] = field(default_factory=dict)
    other: bytes = b""
    dead: bool = False

    def items(self) -> bytes:
        privacy = b"" if self.privacy is None else _item(b"P", b"", self.privacy)
        return self.other + privacy + b"".join(_item(b"S", *each) for each in self.sessions.items())

    def stored(self) -> bytes:
        return _text(self.seq) + b"\n" + self.items()

    def shown(self, store: SimulatedStore) -> bytes:
        return _text(self.seq) + b" " + _text(store.now / 1000 - 0.5) + b"\n" + self.items()

    def advance(self, store: SimulatedStore) -> int:
        before = self.seq
        self.seq = before + 1 if before else store.now
        return before


_HEAD = re.compile(rb"([0-9]+)\n")
_ITEM = re.compile(rb"([A-Z])([0-9]+):([0-9]+):")


def _load(store: SimulatedStore, key: str) -> _User:
    user, data = _User(), store.get(key) or b""
    head = _HEAD.match(data)
    if head is None:
        return user
    user.seq, at = _number(head[1]), head.end()
    while (found := _ITEM.match(data, at)) is not None:
        middle = found.end() + _number(found[2])
        at = middle + _number(found[3])
        if at > len(data):
            break
        name, value = data[found.end() : middle], data[middle:at]
        if found[1] == b"P":
            user.privacy = value
        elif found[1] == b"S":
            user.sessions[name] = value
        else:
            user.other += _item(found[1], name, value)
    return user


def _visit(store: SimulatedStore, key: str, args: list[bytes]) -> _User:
    user = _load(store, key)
    for name, value in list(user.sessions.items()):
        parts = _parts(value)
        if parts is None:
            lives = False
        elif parts[2] != b"0":
            lives = _number(parts[2]) > store.now / 1000
        else:
            lives = _holds(store, args, parts[0], parts[1])
        if not lives:
            del user.sessions[name]
            user.dead = True
    return user


def _publish(
    store: SimulatedStore, key: str, user: _User, before: int, changes: list[bytes], seconds: bytes
) -> None:
    store.set(key, user.stored(), int(seconds) * 1000)
    store.publish(key, _text(before) + b" " + _text(user.seq) + b"\n" + b"".join(changes))


def _put(store: SimulatedStore, key: str, name: bytes, value: bytes, seconds: bytes) -> None:
    if not isinstance(store.data.get(key, {}), dict):
        store.delete(key)
    store.hset(key, name, value)
    store.last(key, seconds)


def _take_out(store: SimulatedStore, key: str, name: bytes) -> None:
    """HDEL, whatever comes of it; the script has begun to write, if it may."""
    with suppress(RefusedError):
        store.hdel(key, name)


def _in_turn(store: SimulatedStore, first: str, second: str) -> tuple[str, str]:
    return (second, first) if store.now // scripts.NAMES_PERIOD % 2 else (first, second)


# The scripts


def _claim(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    value = store.get(keys[0])
    if value == args[0]:
        store.last(keys[0], args[1], 1000)
        return b"HELD"
    if value == args[2]:
        store.delete(keys[0])
    store.writes(grows=True)
    if keys[0] in store.data:
        return b"TAKEN"
    store.set(keys[0], args[0], int(args[1]))
    return b"HELD"


def _renew(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    status = b"LOST"
    if store.get(keys[0]) == args[0]:
        store.last(keys[0], args[1], 1000)
        status = b"HELD"
    living = [b"1" if store.get(key) == each else b"0" for key, each in zip(keys[1:], args[2:], strict=True)]
    return [status, b"".join(living)]


def _release(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    if store.get(keys[0]) == args[0]:
        store.delete(keys[0])
    return b"OK"


def _register(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    key, name, incarnation, me = keys[0], *args[1:4]
    blob, privacy, rule, limit, mode = args[4], args[5], args[6], int(args[7]), args[8]
    digest, lasting, field_, names_lasting = args[9:]
    if not _holds(store, args, name, incarnation):
        return [b"FENCED"]
    user = _visit(store, key, args)
    others: list[tuple[int, bytes]] = []
    leaving: list[bytes] = []
    changes: list[bytes] = []
    same = False
    for session, value in user.sessions.items():
        parts = _parts(value)
        assert parts is not None
        if session == me:
            same = (parts[0], parts[1], parts[2], parts[4]) == (name, incarnation, b"0", blob)
        elif parts[2] == b"0":
            others.append((_number(parts[3]), session))
        else:
            leaving.append(session)
    others.sort()
    surplus = len(others) + 1 - (limit if rule == b"many" else 1)
    if surplus > 0 and (mode == b"returning" or (mode == b"new" and rule == b"oldest")):
        if user.sessions.pop(me, None) is not None:
            _publish(store, key, user, user.advance(store), [_item(b"R", me, b"")], lasting)
        _take_out(store, keys[1], me)
        return [b"REFUSED"]
    ended: list[Reply] = [session for _, session in others[: max(surplus, 0)]]
    leaving += [session for _, session in others[: max(surplus, 0)]]
    if privacy and (user.privacy is None or _version(privacy) > _version(user.privacy)):
        user.privacy = privacy
        changes.append(_item(b"P", b"", privacy))
    if same and not changes and not leaving:
        store.last(key, lasting)
    else:
        before = user.advance(store)
        user.sessions[me] = b"%s|%s|0|%s|%s" % (name, incarnation, _text(user.seq), blob)
        changes.append(_item(b"S", me, user.sessions[me]))
        for session in leaving:
            del user.sessions[session]
            changes.append(_item(b"R", session, b""))
        _publish(store, key, user, before, changes, lasting)
    _put(store, keys[1], me, digest, lasting)
    _put(store, _in_turn(store, *keys[2:])[0], field_, digest, names_lasting)
    return [b"OK", ended, user.shown(store)]


def _write(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    key, name, incarnation, me = keys[0], *args[1:4]
    if not _holds(store, args, name, incarnation):
        return b"FENCED"
    user = _load(store, key)
    parts = _parts(user.sessions.get(me))
    if parts is None or parts[:3] != (name, incarnation, b"0"):
        return b"GONE"
    before = user.advance(store)
    user.sessions[me] = b"%s|%s|0|%s|%s" % (name, incarnation, _text(user.seq), args[4])
    _publish(store, key, user, before, [_item(b"S", me, user.sessions[me])], args[5])
    return b"OK"


def _remove(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    key, name, incarnation, me = keys[0], *args[1:4]
    _take_out(store, keys[1], me)
    user = _load(store, key)
    parts = _parts(user.sessions.get(me))
    mine = parts is not None and parts[:2] == (name, incarnation)
    if parts is not None and not mine:
        return b"OK"
    moves = mine and args[4] != b"0" and parts is not None and parts[2] == b"0"
    if moves and _holds(store, args, name, incarnation):
        user = _visit(store, key, args)
        others = [_parts(value) for session, value in user.sessions.items() if session != me]
        moves = all(each is not None and each[2] != b"0" for each in others)
    else:
        moves = False
    before, change = user.advance(store), _item(b"R", me, b"")
    if moves and parts is not None:
        ends = _text(store.now / 1000 + int(args[4]))
        user.sessions[me] = b"%s|%s|%s|%s|%s" % (name, incarnation, ends, _text(user.seq), parts[4])
        change = _item(b"S", me, user.sessions[me])
    else:
        user.sessions.pop(me, None)
    _publish(store, key, user, before, [change], args[5])
    return b"OK"


def _hide(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    if not _holds(store, args, args[1], args[2]):
        return b"FENCED"
    user = _load(store, keys[0])
    if user.privacy is not None and args[5] != b"1":
        if _version(user.privacy) > _version(args[3]):
            return b"STALE"
        if _version(user.privacy) == _version(args[3]):
            return b"OK"
    user.privacy = args[3]
    _publish(store, keys[0], user, user.advance(store), [_item(b"P", b"", args[3])], args[4])
    return b"OK"


def _read(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    user = _visit(store, keys[0], args)
    if user.dead:
        with suppress(RefusedError):
            store.writes(grows=True)
            store.data[keys[0]] = user.stored()
    return user.shown(store)


def _touch(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    missing: list[Reply] = []
    lasting, names_lasting, *rest = args
    for at in range(len(keys) // 4):
        key, index, *names = keys[4 * at : 4 * at + 4]
        session, field_, digest = rest[3 * at : 3 * at + 3]
        store.last(key, lasting)
        store.last(index, lasting)
        current, earlier = _in_turn(store, *names)
        _put(store, current, field_, digest, names_lasting)
        _take_out(store, earlier, field_)
        if session not in _load(store, key).sessions:
            missing.append(at + 1)
    return missing


def _written(store: SimulatedStore, keys: list[str], _args: list[bytes]) -> Reply:
    found = [store.data.get(key) for key in keys]
    return [each for value in found if isinstance(value, dict) for pair in value.items() for each in pair]


def _named(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    found = [store.data.get(key) for key in _in_turn(store, *keys)]
    return next((value[args[0]] for value in found if isinstance(value, dict) and args[0] in value), None)


Twin = Callable[[SimulatedStore, list[str], list[bytes]], Reply]
TWINS: dict[str, Twin] = {
    scripts.CLAIM.name: _claim,
    scripts.RENEW.name: _renew,
    scripts.RELEASE.name: _release,
    scripts.REGISTER.name: _register,
    scripts.WRITE.name: _write,
    scripts.REMOVE.name: _remove,
    scripts.HIDE.name: _hide,
    scripts.READ.name: _read,
    scripts.TOUCH.name: _touch,
    scripts.WRITTEN.name: _written,
    scripts.NAMED.name: _named,
}

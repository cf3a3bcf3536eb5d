"""A Valkey in memory, with a clock of its own: data, expiry, and what each Lua script does, in Python.

`TWINS` has a function for each script, by its name; it is given the store, the keys, and the arguments as
bytes. A property test runs both on the same histories. Other modules add the twins of their scripts.
"""

from collections.abc import Callable, Sequence
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


def _heal(store: SimulatedStore, key: str) -> None:
    if not isinstance(store.data.get(key, {}), dict):
        store.delete(key)


def _holds(store: SimulatedStore, args: list[bytes], name: bytes, incarnation: bytes) -> bool:
    return store.get((args[0] + name).decode("utf-8", "surrogateescape")) == incarnation


@dataclass
class _User:
    seq: int
    privacy: bytes | None
    sessions: dict[bytes, bytes]

    def shown(self, store: SimulatedStore) -> list[Reply]:
        answer: list[Reply] = [_text(self.seq), _text(store.now / 1000 - 0.5)]
        if self.privacy is not None:
            answer += [b"p", self.privacy]
        for name in sorted(self.sessions):
            answer += [name, self.sessions[name]]
        return answer


def _visit(store: SimulatedStore, key: str, args: list[bytes]) -> _User:
    _heal(store, key)
    user = _User(0, None, {})
    dead = []
    for name, value in store.hash(key).items():
        if name == b"#":
            user.seq = _number(value)
        elif name == b"p":
            user.privacy = value
        elif name.startswith(b"s"):
            parts = _parts(value)
            if parts is None:
                lives = False
            elif parts[2] != b"0":
                lives = _number(parts[2]) > store.now / 1000
            else:
                lives = _holds(store, args, parts[0], parts[1])
            if lives:
                user.sessions[name] = value
            else:
                dead.append(name)
    if not store.read_only:
        for name in dead:
            store.hdel(key, name)
    return user


def _advance(store: SimulatedStore, key: str, seq: int) -> int:
    new = seq + 1 if seq else store.now
    store.hset(key, b"#", _text(new))
    return new


def _publish(store: SimulatedStore, key: str, before: int, after: int, items: list[bytes]) -> None:
    store.publish(key, _text(before) + b" " + _text(after) + b"\n" + b"".join(items))


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
        store.last(keys[1], args[2])
        status = b"HELD"
    living = [b"1" if store.get(key) == each else b"0" for key, each in zip(keys[2:], args[3:], strict=True)]
    return [status, b"".join(living)]


def _release(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    if store.get(keys[0]) == args[0]:
        for key in keys[:2]:
            store.delete(key)
    return b"OK"


def _register(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    key, name, incarnation, me = keys[0], args[1], args[2], b"s" + args[3]
    blob, privacy, rule, limit, mode = args[4], args[5], args[6], int(args[7]), args[8]
    if not _holds(store, args, name, incarnation):
        return [b"FENCED"]
    _heal(store, keys[1])
    user = _visit(store, key, args)
    others: list[tuple[int, bytes]] = []
    leaving: list[bytes] = []
    items: list[bytes] = []
    same = False
    for field_, value in sorted(user.sessions.items()):
        parts = _parts(value)
        assert parts is not None
        if field_ == me:
            same = (parts[0], parts[1], parts[2], parts[4]) == (name, incarnation, b"0", blob)
        elif parts[2] == b"0":
            others.append((_number(parts[3]), field_))
        else:
            leaving.append(field_)
    others.sort()
    surplus = len(others) + 1 - (limit if rule == b"many" else 1)
    if surplus > 0 and (mode == b"returning" or (mode == b"new" and rule == b"oldest")):
        if me in user.sessions:
            before, after = user.seq, _advance(store, key, user.seq)
            store.hdel(key, me)
            _publish(store, key, before, after, [_item(b"R", me, b"")])
        store.hdel(keys[1], args[3])
        return [b"REFUSED"]
    ended: list[Reply] = []
    for _, field_ in others[: max(surplus, 0)]:
        ended.append(field_[1:])
        leaving.append(field_)
    if privacy and (user.privacy is None or _version(privacy) > _version(user.privacy)):
        user.privacy = privacy
        items.append(_item(b"P", b"p", privacy))
    if not same or items or leaving:
        before = user.seq
        user.seq = _advance(store, key, before)
        if items:
            store.hset(key, b"p", privacy)
        value = b"%s|%s|0|%s|%s" % (name, incarnation, _text(user.seq), blob)
        store.hset(key, me, value)
        user.sessions[me] = value
        items.append(_item(b"S", me, value))
        for field_ in leaving:
            store.hdel(key, field_)
            items.append(_item(b"R", field_, b""))
            del user.sessions[field_]
        _publish(store, key, before, user.seq, items)
    store.last(key, args[10])
    store.hset(keys[1], args[3], args[9])
    store.last(keys[1], args[11])
    store.set(keys[2], args[9], int(args[10]) * 1000)
    return [b"OK", ended, user.shown(store)]


def _write(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    key, name, incarnation, me = keys[0], args[1], args[2], b"s" + args[3]
    if not _holds(store, args, name, incarnation):
        return b"FENCED"
    _heal(store, key)
    parts = _parts(store.hash(key).get(me))
    if parts is None or parts[:3] != (name, incarnation, b"0"):
        return b"GONE"
    before = _number(store.hash(key).get(b"#"))
    after = _advance(store, key, before)
    value = b"%s|%s|0|%s|%s" % (name, incarnation, _text(after), args[4])
    store.hset(key, me, value)
    store.last(key, args[5])
    _publish(store, key, before, after, [_item(b"S", me, value)])
    return b"OK"


def _remove(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    key, name, incarnation, me = keys[0], args[1], args[2], b"s" + args[3]
    _heal(store, key)
    _heal(store, keys[1])
    store.hdel(keys[1], args[3])
    parts = _parts(store.hash(key).get(me))
    mine = parts is not None and parts[:2] == (name, incarnation)
    if parts is not None and not mine:
        return b"OK"
    before = _number(store.hash(key).get(b"#"))
    moves = mine and args[4] != b"0" and parts is not None and parts[2] == b"0"
    if moves and _holds(store, args, name, incarnation):
        for field_, value in _visit(store, key, args).sessions.items():
            others = _parts(value)
            if field_ != me and others is not None and others[2] == b"0":
                moves = False
    else:
        moves = False
    if moves and parts is not None:
        after = _advance(store, key, before)
        ends = _text(store.now / 1000 + int(args[4]))
        value = b"%s|%s|%s|%s|%s" % (name, incarnation, ends, _text(after), parts[4])
        store.hset(key, me, value)
        _publish(store, key, before, after, [_item(b"S", me, value)])
        return b"OK"
    store.hdel(key, me)
    after = _advance(store, key, before)
    store.last(key, args[5])
    _publish(store, key, before, after, [_item(b"R", me, b"")])
    return b"OK"


def _hide(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    if not _holds(store, args, args[1], args[2]):
        return b"FENCED"
    _heal(store, keys[0])
    known = store.hash(keys[0]).get(b"p")
    if known is not None and args[5] != b"1":
        if _version(known) > _version(args[3]):
            return b"STALE"
        if _version(known) == _version(args[3]):
            return b"OK"
    before = _number(store.hash(keys[0]).get(b"#"))
    after = _advance(store, keys[0], before)
    store.hset(keys[0], b"p", args[3])
    store.last(keys[0], args[4])
    _publish(store, keys[0], before, after, [_item(b"P", b"p", args[3])])
    return b"OK"


def _read(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    return _visit(store, keys[0], args).shown(store)


def _touch(store: SimulatedStore, keys: list[str], args: list[bytes]) -> Reply:
    missing: list[Reply] = []
    for at, (key, alias) in enumerate(zip(keys[::2], keys[1::2], strict=True)):
        store.last(key, args[0])
        store.last(alias, args[0])
        value = store.data.get(key)
        if not isinstance(value, dict) or args[1 + at] not in value:
            missing.append(at + 1)
    return missing


def _written(store: SimulatedStore, keys: list[str], _args: list[bytes]) -> Reply:
    value = store.data.get(keys[0])
    if not isinstance(value, dict):
        return [b"0", []]
    return [b"0", [each for pair in value.items() for each in pair]]


def _named(store: SimulatedStore, keys: list[str], _args: list[bytes]) -> Reply:
    return store.get(keys[0])


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

"""What someone who listens on the wire can read out of one recorded connection.

Whatever is LDAP in clear is decoded, as a listener would. Whatever is not is searched for the marks all the
same, so that the verdict "nothing" rests on the bytes and not on the settings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quintet.admin.proxy import Direction, Recording
from quintet.ldap import ber, messages

MASK = "●●●●●●●●"
_MOST_OF_A_KIND = 3
_TLS_HANDSHAKE = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class Canaries:
    """Words that Quintet sends on purpose, so that finding them in the bytes proves that they can be read."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What one connection, or several of one task, gave away. `evidence` are excerpts with secrets masked."""

    encrypted: bool
    names: bool = False
    filters: bool = False
    values: bool = False
    passwords: bool = False
    evidence: tuple[str, ...] = ()
    bytes_seen: int = 0

    def __or__(self, other: "Disclosure") -> "Disclosure":
        return Disclosure(
            self.encrypted and other.encrypted,
            self.names or other.names,
            self.filters or other.filters,
            self.values or other.values,
            self.passwords or other.passwords,
            _fullest_of_each_kind(self.evidence + other.evidence),
            self.bytes_seen + other.bytes_seen,
        )


def _fullest_of_each_kind(evidence: tuple[str, ...]) -> tuple[str, ...]:
    """A few excerpts of each kind, which their first word names: password, search, entry."""
    by_kind: dict[str, list[str]] = {}
    for line in dict.fromkeys(evidence):
        by_kind.setdefault(line.partition(" ")[0], []).append(line)
    return tuple(
        line for lines in by_kind.values() for line in sorted(lines, key=len, reverse=True)[:_MOST_OF_A_KIND]
    )


def listen(recording: Recording, marks: Canaries) -> Disclosure:
    """Read one connection as a listener would, who has the bytes of both directions and no key."""
    to_server = recording.sent(Direction.TO_SERVER)
    to_client = recording.sent(Direction.TO_CLIENT)
    requests, hidden_requests = _clear_part(to_server)
    answers, hidden_answers = _clear_part(to_client)
    seen = Disclosure(encrypted=_is_tls(to_server) or _is_tls(hidden_requests))
    for message in (*requests, *answers):
        seen |= _read(message, seen.encrypted)
    for hidden in (hidden_requests, hidden_answers):
        seen |= _search(hidden, marks, seen.encrypted)
    return Disclosure(
        seen.encrypted,
        seen.names,
        seen.filters,
        seen.values,
        seen.passwords,
        seen.evidence,
        len(to_server) + len(to_client),
    )


def _is_tls(data: bytes) -> bool:
    return data.startswith(_TLS_HANDSHAKE)


def _clear_part(data: bytes) -> tuple[list[messages.Message], bytes]:
    """The LDAP messages that `data` begins with, and the rest, which is no LDAP (TLS after StartTLS, say)."""
    found = []
    at = 0
    for stop in _ends(data):
        try:
            found.append(messages.decode(data[at:stop]))
        except ber.BerError:
            break
        at = stop
    return found, data[at:]


def _ends(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data) and data[at] == 0x30:
        try:
            _, _, at = ber.header(data, at, len(data))
        except ber.BerError:
            return
        yield at


def _read(message: messages.Message, encrypted: bool) -> Disclosure:
    match message.op:
        case messages.BindRequest(name=name, authentication=messages.Simple(password=password)):
            if not password:
                return Disclosure(encrypted, names=bool(name))
            evidence = (f"password {MASK} in a bind as {name!r}",)
            return Disclosure(encrypted, names=bool(name), passwords=True, evidence=evidence)
        case messages.BindRequest(
            name=name, authentication=messages.Sasl(mechanism=mechanism, credentials=sent)
        ):
            plain = mechanism == "PLAIN" and bool(sent)
            return Disclosure(
                encrypted, names=True, passwords=plain, evidence=(f"SASL {mechanism} bind, {MASK}",)
            )
        case messages.SearchRequest(base="", scope=messages.BASE_OBJECT):
            return Disclosure(encrypted)  # what the server can do, as anybody may ask it
        case messages.SearchRequest(base=base, filter=wanted):
            return Disclosure(
                encrypted, names=True, filters=True, evidence=(f"search {base!r} for {_short(str(wanted))}",)
            )
        case messages.CompareRequest(dn=dn):
            return Disclosure(encrypted, names=True, evidence=(f"compare {dn!r}",))
        case messages.SearchResultEntry(dn=dn, attributes=attributes) if dn:
            values = any(attributes.values())
            return Disclosure(encrypted, names=True, values=values, evidence=(_entry(dn, attributes),))
        case _:
            return Disclosure(encrypted)


def _entry(dn: str, attributes: dict[str, list[bytes]]) -> str:
    shown = [f"{name}: {_value(name, values[0])}" for name, values in attributes.items() if values]
    return _short(f"entry {dn!r} " + ", ".join(shown))


def _value(name: str, value: bytes) -> str:
    if "password" in name.lower():
        return MASK
    text = value.decode(errors="replace")
    return text if text.isprintable() else f"{len(value)} bytes"


def _search(data: bytes, marks: Canaries, encrypted: bool) -> Disclosure:
    name, password = marks.name.encode() in data, marks.password.encode() in data
    evidence: Sequence[str] = ()
    if name or password:
        what = " and ".join(
            word for word, found in (("the marked name", name), ("the marked password", password)) if found
        )
        evidence = (f"{what} in bytes that are no LDAP",)
    return Disclosure(encrypted, names=name, passwords=password, evidence=tuple(evidence))


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

"""What is readable in the bytes of one recorded connection.

Unencrypted LDAP is decoded. All other bytes are searched for the canaries, so that the finding "nothing is
readable" comes from the bytes and not from the settings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quintet.admin.proxy import Direction, Recording
from quintet.ldap import Scope, messages

MASK = "●●●●●●●●"
_MOST_OF_A_KIND = 3
_TLS_HANDSHAKE = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class Canaries:
    """A name and a password that Quintet sends so that finding them in the bytes proves them readable."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What was readable of one connection, or several. `evidence` are excerpts with the passwords masked."""

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


def examine_recording(recording: Recording, canaries: Canaries) -> Disclosure:
    """What is readable with the bytes of both directions and without a key."""
    to_server = recording.sent(Direction.TO_SERVER)
    to_client = recording.sent(Direction.TO_CLIENT)
    requests, other_requests = _unencrypted_part(to_server)
    answers, other_answers = _unencrypted_part(to_client)
    seen = Disclosure(encrypted=_is_tls(to_server) or _is_tls(other_requests))
    for message in (*requests, *answers):
        seen |= _read(message, seen.encrypted)
    for other in (other_requests, other_answers):
        seen |= _search(other, canaries, seen.encrypted)
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


def _unencrypted_part(data: bytes) -> tuple[list[messages.Message], bytes]:
    """The LDAP messages that `data` begins with, and the rest, which is not LDAP (as TLS after StartTLS)."""
    found = []
    at = 0
    for stop in _ends(data):
        try:
            found.append(messages.decode(data[at:stop]))
        except messages.BerError:
            break
        at = stop
    return found, data[at:]


def _ends(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data) and data[at] == 0x30:
        try:
            _, _, at = messages.header(data, at, len(data))
        except messages.BerError:
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
        case messages.SearchRequest(base="", scope=Scope.BASE):
            return Disclosure(encrypted)  # the root DSE: what the server supports, which is public
        case messages.SearchRequest(base=base, filter=wanted):
            return Disclosure(
                encrypted,
                names=True,
                filters=True,
                evidence=(f"search {base!r} for {_shortened(str(wanted))}",),
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
    return f"entry {dn!r} " + _shortened(", ".join(shown))


def _value(name: str, value: bytes) -> str:
    if "password" in name.lower():
        return MASK
    text = value.decode(errors="replace")
    return text if text.isprintable() else f"{len(value)} bytes"


def _search(data: bytes, canaries: Canaries, encrypted: bool) -> Disclosure:
    name, password = canaries.name.encode() in data, canaries.password.encode() in data
    evidence: Sequence[str] = ()
    if name or password:
        what = " and ".join(
            word for word, found in (("the canary name", name), ("the canary password", password)) if found
        )
        evidence = (f"{what} in bytes that are not LDAP",)
    return Disclosure(encrypted, names=name, passwords=password, evidence=tuple(evidence))


def _shortened(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

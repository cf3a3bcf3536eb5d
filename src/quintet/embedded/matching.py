"""Which entries a filter finds (RFC 4511 4.5.1.7), without a schema.

Most attributes are text, compared without case and with spacing folded. The few that are not are listed here.
"""

import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from quintet.ldap import (
    DN,
    And,
    Approximate,
    DNSyntaxError,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
)
from quintet.ldap.dn import fold, type_key
from quintet.ldap.messages import utf8

Normal = object
"""A value in the form in which equal ones are equal: text, bytes or a DN."""

Outcome = bool | None
"""True, False, or None for RFC 4511's Undefined."""

BYTE_VALUED = frozenset(
    {"jpegphoto", "photo", "audio", "usercertificate", "userpassword", "objectguid", "objectsid"}
)
NAMES = frozenset(
    {
        "member",
        "uniquemember",
        "memberof",
        "manager",
        "secretary",
        "owner",
        "seealso",
        "roleoccupant",
        "entrydn",
    }
    | {"distinguishedname", "aliasedobjectname", "namingcontexts"}
)
TELEPHONES = frozenset({"telephonenumber", "mobile", "pager", "homephone", "facsimiletelephonenumber"})


class Candidate(Protocol):
    """What a filter is put to: an entry."""

    @property
    def dn(self) -> DN: ...

    def values(self, key: str) -> tuple[Normal, ...]:
        """The normal forms of an attribute's values; none when it is absent."""

    def raw(self, key: str) -> tuple[bytes, ...]:
        """The values themselves."""

    def keys(self) -> Collection[str]:
        """The keys of all attributes."""


Predicate = Callable[[Candidate], Outcome]


def attribute_key(description: str) -> str:
    """What stands for an attribute description: its type, however spelled, with its options."""
    kind, *options = description.lower().split(";")
    return ";".join((type_key(kind), *sorted(options)))


def normal(key: str, value: bytes) -> Normal:
    """The normal form of a value of the attribute."""
    if key in BYTE_VALUED:
        return value
    text = value.decode("utf-8", "surrogateescape")
    if key in NAMES:
        try:
            return DN.parse(text)
        except DNSyntaxError:
            return fold(text)
    if key in TELEPHONES:
        return re.sub(r"[ -]", "", text).lower()
    return fold(text)


def compiled(tree: Filter, known: Collection[str]) -> Predicate:
    """`tree` as a function. Attributes that are not among the `known` keys are Undefined."""
    match tree:
        case And(filters):
            return _all([compiled(each, known) for each in filters])
        case Or(filters):
            return _any([compiled(each, known) for each in filters])
        case Not(inner):
            return _not(compiled(inner, known))
        case Extensible():
            return _extensible(tree, known)
        case (
            Equality(attribute)
            | Approximate(attribute)
            | GreaterOrEqual(attribute)
            | LessOrEqual(attribute)
            | Substrings(attribute)
            | Present(attribute)
        ):
            key = attribute_key(attribute)
            return _simple(tree, key) if key in known else _undefined
    raise TypeError(f"{tree!r} is no filter")


def _simple(tree: Filter, key: str) -> Predicate:
    match tree:
        case Present():
            return lambda entry: bool(entry.values(key))
        case Equality(_, value) | Approximate(_, value):
            wanted = normal(key, value)
            return lambda entry: wanted in entry.values(key)
        case GreaterOrEqual(_, value) if key not in NAMES:
            lowest = _ordered(normal(key, value))
            return lambda entry: any(_ordered(each) >= lowest for each in entry.values(key))
        case LessOrEqual(_, value) if key not in NAMES:
            highest = _ordered(normal(key, value))
            return lambda entry: any(_ordered(each) <= highest for each in entry.values(key))
        case Substrings() if key not in NAMES:
            parts = _parts(tree, key)
            return lambda entry: any(_holds(_text(each), *parts) for each in entry.values(key))
    return _undefined


def _undefined(_: Candidate) -> Outcome:
    return None


def _all(parts: list[Predicate]) -> Predicate:
    def outcome(entry: Candidate) -> Outcome:
        result: Outcome = True
        for part in parts:
            one = part(entry)
            if one is False:
                return False
            if one is None:
                result = None
        return result

    return outcome


def _any(parts: list[Predicate]) -> Predicate:
    def outcome(entry: Candidate) -> Outcome:
        result: Outcome = False
        for part in parts:
            one = part(entry)
            if one:
                return True
            if one is None:
                result = None
        return result

    return outcome


def _not(part: Predicate) -> Predicate:
    def outcome(entry: Candidate) -> Outcome:
        one = part(entry)
        return None if one is None else not one

    return outcome


def _ordered(value: Normal) -> tuple[int, int, str]:
    """Numbers before texts, numbers by size."""
    text = _text(value)
    if re.fullmatch(r"-?[0-9]{1,40}", text):
        return 0, int(text), ""
    return 1, 0, text


def _text(value: Normal) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _parts(tree: Substrings, key: str) -> tuple[str, list[str], str]:
    def folded(part: bytes) -> str:
        if key in BYTE_VALUED:
            return part.decode("latin-1")
        text = fold(part.decode("utf-8", "surrogateescape"))
        if key in TELEPHONES:
            return re.sub(r"[ -]", "", text)
        # blanks at the edges of a part count, folded to one
        return f"{' ' * part[:1].isspace()}{text}{' ' * part[-1:].isspace()}" if text else ""

    initial, final = folded(tree.initial or b""), folded(tree.final or b"")
    if key not in BYTE_VALUED:
        initial, final = initial.lstrip(), final.rstrip()
    return initial, [folded(part) for part in tree.any], final


def _holds(text: str, initial: str, inner: list[str], final: str) -> bool:
    """Whether the parts stand in `text` in this order. Leftmost is best, so this never goes back."""
    at, end = len(initial), len(text) - len(final)
    if at > end or not text.startswith(initial) or not text.endswith(final):
        return False
    for part in inner:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


_BIT_AND = "1.2.840.113556.1.4.803"
_BIT_OR = "1.2.840.113556.1.4.804"
_IGNORING_CASE = frozenset(
    {"caseignorematch", "2.5.13.2", "caseignoreia5match", "1.3.6.1.4.1.1466.109.114.2"}
)
_CASE_EXACT = frozenset({"caseexactmatch", "2.5.13.5"})
_NAME_MATCH = frozenset({"distinguishednamematch", "2.5.13.1"})


def _extensible(tree: Extensible, known: Collection[str]) -> Predicate:
    key = None if tree.attribute is None else attribute_key(tree.attribute)
    if key is not None and key not in known:
        return _undefined
    test = _rule((tree.rule or "").lower(), tree.value)
    if test is None:
        return _undefined

    def outcome(entry: Candidate) -> Outcome:
        for each in (key,) if key is not None else entry.keys():
            if each in known and any(map(partial(test, each), entry.values(each), entry.raw(each))):
                return True
        if not tree.dn_attributes:
            return False
        return any(
            test(type_key(kind), normal(type_key(kind), utf8(value)), utf8(value))
            for rdn in entry.dn.rdns
            for kind, value in rdn
            if isinstance(value, str) and key in (None, type_key(kind))
        )

    return outcome


def _rule(rule: str, value: bytes) -> Callable[[str, Normal, bytes], bool] | None:
    """The test that a matching rule makes of a key, a value's normal form and the value itself."""
    if not rule:
        forms: dict[str, Normal] = {}
        return lambda key, each, _: each == forms.setdefault(key, normal(key, value))
    if rule in _IGNORING_CASE:
        text = normal("", value)
        return lambda _key, each, _: each == text
    if rule in _CASE_EXACT:
        exact = value.split()
        return lambda _key, _each, raw: raw.split() == exact
    if rule in _NAME_MATCH:
        name = normal("member", value)
        return lambda _key, each, _: each == name
    if rule in (_BIT_AND, _BIT_OR) and re.fullmatch(rb"[0-9]{1,20}", value):
        bits = int(value)
        every = rule == _BIT_AND
        return lambda _key, each, _: _has_bits(each, bits, every)
    return None


def _has_bits(value: Normal, bits: int, every: bool) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,20}", value):
        return False
    common = int(value) & bits
    return common == bits if every else common != 0

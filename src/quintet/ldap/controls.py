"""Controls: what can be added to a request, and what servers add to their answers.

Each class is a `Control`, so that operations take it as it is, or one that `find` reads from the controls of
an answer::

    controls = await ldap.delete(dn, controls=[PreRead(["mail"])])
    if (before := PreReadResult.find(controls)) is not None:
        print(before.entry.texts("mail"))

`RootDSE.controls` lists the OIDs of those that a server supports.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self, final

from quintet.ldap import ber
from quintet.ldap.arguments import attribute_name, attribute_names
from quintet.ldap.ber import BerError, Reader
from quintet.ldap.dn import DN
from quintet.ldap.errors import RemoteProtocolError
from quintet.ldap.filters import Filter, decode, encoded
from quintet.ldap.messages import attribute_list, encode_entry, read_entry
from quintet.ldap.results import Control, Entry


@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class KnownControl(Control, ABC):
    """A control whose value this package understands.

    Attributes:
        OID: The OID of all controls of this kind.
    """

    OID: ClassVar[str]

    @classmethod
    def find(cls, controls: Iterable[Control]) -> Self | None:
        """The first control of this kind.

        Args:
            controls: The controls of an answer.

        Returns:
            The control with its fields, or None if there is none of this kind.

        Raises:
            RemoteProtocolError: Its value is malformed.
        """
        return next((cls.decode(control) for control in controls if control.oid == cls.OID), None)

    @classmethod
    def decode(cls, control: Control) -> Self:
        """A control of this kind, from one as it came.

        Args:
            control: A control with this kind's OID.

        Returns:
            The control with its fields.

        Raises:
            RemoteProtocolError: Its value is malformed.
            ValueError: It has another OID.
        """
        if control.oid != cls.OID:
            raise ValueError(f"the OID of {cls.__name__} is {cls.OID}, not {control.oid}")
        try:
            found = cls._decode(control.value or b"")
        except (BerError, ValueError) as error:
            raise RemoteProtocolError(f"a malformed control {cls.OID}: {error}") from error
        object.__setattr__(found, "critical", control.critical)
        object.__setattr__(found, "value", control.value)
        return found

    @classmethod
    @abstractmethod
    def _decode(cls, value: bytes) -> Self: ...

    def _set(self, value: bytes | None, *, critical: bool = False, **fields: object) -> None:
        for name, each in {"oid": self.OID, "critical": critical, "value": value, **fields}.items():
            object.__setattr__(self, name, each)


@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class _WithoutValue(KnownControl):
    def __init__(self, *, critical: bool = True) -> None:
        self._set(None, critical=critical)

    @classmethod
    def _decode(cls, value: bytes) -> Self:  # noqa: ARG003 (it should not have one)
        return cls()


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PagedResults(KnownControl):
    """Entries in pages (RFC 2696). `paged_search` and `search_page` use it by themselves.

    Args:
        size: In a request the most entries of a page; in an answer how many entries the server expects there
            to be, 0 if it does not say.
        cookie: In an answer what asks for the next page, empty with the last one; in a request the cookie of
            the page before.
        critical: Whether a server without pages must refuse the search.
    """

    OID = "1.2.840.113556.1.4.319"

    size: int
    cookie: bytes

    def __init__(self, size: int, cookie: bytes = b"", *, critical: bool = True) -> None:
        if not 0 <= size <= ber.MAX_INT:
            raise ValueError(f"{size} is not the size of a page")
        value = ber.sequence(ber.integer(size), ber.octet_string(cookie))
        self._set(value, critical=critical, size=size, cookie=cookie)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        reader = _inside(value)
        return cls(reader.integer(), reader.octet_string())


@final
@dataclass(frozen=True, slots=True)
class SortKey:
    """What `ServerSideSort` sorts by.

    Attributes:
        attribute: The attribute whose values are compared.
        rule: The ordering rule, by name or OID; None for the attribute's own.
        reverse: Whether the largest value comes first.
    """

    attribute: str
    rule: str | None = None
    reverse: bool = False


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class ServerSideSort(KnownControl):
    """The server sorts the entries (RFC 2891). It answers with `SortResult`.

    Args:
        *keys: What to sort by, the most important first: names of attributes, or `SortKey`.
        critical: Whether a server that cannot sort must refuse the search.

    Raises:
        ValueError: There are no keys.
    """

    OID = "1.2.840.113556.1.4.473"

    keys: tuple[SortKey, ...]

    def __init__(self, *keys: SortKey | str, critical: bool = False) -> None:
        given = tuple(SortKey(key) if isinstance(key, str) else key for key in keys)
        if not given:
            raise ValueError("a sort needs at least one key")
        self._set(ber.sequence(*map(_encode_key, given)), critical=critical, keys=given)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        return cls(*map(_read_key, _inside(value).each()))


def _encode_key(key: SortKey) -> bytes:
    rule = ber.octet_string(attribute_name(key.rule).encode(), 0x80) if key.rule is not None else b""
    reverse = ber.boolean(True, 0x81) if key.reverse else b""
    return ber.sequence(ber.octet_string(attribute_name(key.attribute).encode()), rule, reverse)


def _read_key(reader: Reader) -> SortKey:
    attribute = reader.text()
    rule = reader.text(0x80) if reader.next_is(0x80) else None
    return SortKey(attribute, rule, reader.boolean(0x81) if reader.next_is(0x81) else False)


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class SortResult(KnownControl):
    """How a `ServerSideSort` went (RFC 2891 section 1.2).

    Args:
        code: 0 if the entries are sorted; else the result code that says why they are not.
        attribute: The attribute that could not be sorted by; None if the server does not say.
    """

    OID = "1.2.840.113556.1.4.474"

    code: int
    attribute: str | None

    def __init__(self, code: int, attribute: str | None = None) -> None:
        name = (
            ber.octet_string(attribute.encode("utf-8", "surrogateescape"), 0x80)
            if attribute is not None
            else b""
        )
        self._set(ber.sequence(ber.enumerated(code), name), code=code, attribute=attribute)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        reader = _inside(value)
        return cls(reader.integer(0x0A), reader.text(0x80) if reader.next_is(0x80) else None)


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class Assertion(KnownControl):
    """Do it only if the entry matches a filter (RFC 4528); otherwise the server answers `AssertionFailed`.

    Args:
        filter: The filter, as for `search`.
        critical: Whether a server that does not know assertions must refuse. Without, it would do it anyway.

    Raises:
        FilterSyntaxError: `filter` is not a filter.
    """

    OID = "1.3.6.1.1.12"

    filter: Filter

    def __init__(self, filter: Filter | str | bytes, *, critical: bool = True) -> None:  # noqa: A002
        value = encoded(filter)
        self._set(bytes(value), critical=critical, filter=decode(value))

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        return cls(value)


@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class _ReadEntry(KnownControl):
    attributes: tuple[str, ...]

    def __init__(self, attributes: Iterable[str] = (), *, critical: bool = True) -> None:
        names = attribute_names(attributes)
        self._set(attribute_list(names), critical=critical, attributes=names)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        return cls(_inside(value).texts())


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PreRead(_ReadEntry):
    """The entry as it was before modify, modify_dn or delete (RFC 4527).

    The server answers with `PreReadResult`.

    Args:
        attributes: The attributes to return; none for all.
        critical: Whether a server that cannot do this must refuse.
    """

    OID = "1.3.6.1.1.13.1"


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PostRead(_ReadEntry):
    """The entry as it is after add, modify or modify_dn (RFC 4527).

    The server answers with `PostReadResult`.

    Args:
        attributes: The attributes to return; none for all. `entryUUID` is a good use.
        critical: Whether a server that cannot do this must refuse.
    """

    OID = "1.3.6.1.1.13.2"


@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class _EntryResult(KnownControl):
    entry: Entry

    def __init__(self, entry: Entry) -> None:
        self._set(encode_entry(entry), entry=entry)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        return cls(read_entry(_inside(value, 0x64)))


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PreReadResult(_EntryResult):
    """The answer to `PreRead` (RFC 4527).

    Args:
        entry: The entry as it was before.
    """

    OID = PreRead.OID


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PostReadResult(_EntryResult):
    """The answer to `PostRead` (RFC 4527).

    Args:
        entry: The entry as it is now.
    """

    OID = PostRead.OID


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class ManageDsaIT(_WithoutValue):
    """Take referral entries as entries, not as pointers to other servers (RFC 3296).

    Args:
        critical: Whether a server that does not know this must refuse.
    """

    OID = "2.16.840.1.113730.3.4.2"


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class SubtreeDelete(_WithoutValue):
    """Delete an entry and everything below it (draft-armijo-ldap-treedelete).

    Active Directory and Samba know it; OpenLDAP and 389 Directory Server do not as they are installed.

    Args:
        critical: Whether a server that does not know this must refuse.
    """

    OID = "1.2.840.113556.1.4.805"


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class ProxiedAuthorization(KnownControl):
    """Do it with the rights of another user (RFC 4370). It is always critical.

    Args:
        authzid: Whose rights: a `DN`; `dn:` or `u:` and a name; or empty for those of anonymous.

    Raises:
        ValueError: `authzid` is none of these.
    """

    OID = "2.16.840.1.113730.3.4.18"

    authzid: str

    def __init__(self, authzid: str | DN) -> None:
        text = f"dn:{authzid}" if isinstance(authzid, DN) else authzid
        if text and not text.startswith(("dn:", "u:")):
            raise ValueError("an authorization identity begins with dn: or u: (RFC 4513 section 5.2.1.8)")
        self._set(text.encode("utf-8", "surrogateescape"), critical=True, authzid=text)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        return cls(value.decode("utf-8", "surrogateescape"))


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PasswordPolicy(_WithoutValue):
    """Ask for `PasswordPolicyResult` (draft-behera-ldap-password-policy).

    It goes with a bind, or with a change of a password.

    Args:
        critical: Whether a server that does not know this must refuse.
    """

    OID = "1.3.6.1.4.1.42.2.27.8.5.1"

    def __init__(self, *, critical: bool = False) -> None:
        self._set(None, critical=critical)


class PasswordPolicyReason(IntEnum):
    """Why a password policy refuses (draft-behera-ldap-password-policy section 6.2)."""

    UNKNOWN = -1
    """A number that the draft does not have."""

    PASSWORD_EXPIRED = 0
    ACCOUNT_LOCKED = 1
    CHANGE_AFTER_RESET = 2
    """The password was set by an administrator, and must be changed before anything else."""

    PASSWORD_MOD_NOT_ALLOWED = 3
    MUST_SUPPLY_OLD_PASSWORD = 4
    INSUFFICIENT_PASSWORD_QUALITY = 5
    PASSWORD_TOO_SHORT = 6
    PASSWORD_TOO_YOUNG = 7
    """The password was changed not long ago."""

    PASSWORD_IN_HISTORY = 8
    """The password was used before."""

    PASSWORD_TOO_LONG = 9

    @classmethod
    def _missing_(cls, value: object) -> "PasswordPolicyReason":  # noqa: ARG003 (all are alike)
        return cls.UNKNOWN


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PasswordPolicyResult(KnownControl):
    """What a password policy has to say (draft-behera-ldap-password-policy section 6.2).

    It comes with a bind that succeeds, or in the `controls` of the error.

    Args:
        expires_in: In how many seconds the password expires; None if it does not soon.
        grace_logins: How many more binds the expired password is good for; None if it has not expired.
        reason: Why the server refuses; None if it does not.
    """

    OID = PasswordPolicy.OID

    expires_in: int | None
    grace_logins: int | None
    reason: PasswordPolicyReason | None

    def __init__(
        self,
        expires_in: int | None = None,
        grace_logins: int | None = None,
        reason: PasswordPolicyReason | None = None,
    ) -> None:
        if expires_in is not None and grace_logins is not None:
            raise ValueError("a password that has expired does not expire soon")
        parts = []
        if expires_in is not None:
            parts.append(ber.tlv(0xA0, ber.integer(expires_in, 0x80)))
        elif grace_logins is not None:
            parts.append(ber.tlv(0xA0, ber.integer(grace_logins, 0x81)))
        if reason is not None:
            parts.append(ber.integer(reason, 0x81))
        self._set(ber.sequence(*parts), expires_in=expires_in, grace_logins=grace_logins, reason=reason)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        reader = _inside(value)
        expires_in = grace_logins = None
        if reader.next_is(0xA0):
            warning = reader.inside(0xA0)
            if warning.next_is(0x80):
                expires_in = warning.integer(0x80)
            else:
                grace_logins = warning.integer(0x81)
        reason = PasswordPolicyReason(reader.integer(0x81)) if reader.next_is(0x81) else None
        return cls(expires_in, grace_logins, reason)


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PasswordExpired(KnownControl):
    """The password has expired, or must be changed now (draft-vchu-ldap-pwd-policy section 8.2)."""

    OID = "2.16.840.1.113730.3.4.4"

    def __init__(self) -> None:
        self._set(b"0")

    @classmethod
    def _decode(cls, value: bytes) -> Self:  # noqa: ARG003 (it says the same each time)
        return cls()


@final
@dataclass(frozen=True, slots=True, init=False, kw_only=True)
class PasswordExpiring(KnownControl):
    """The password expires soon (draft-vchu-ldap-pwd-policy section 8.2).

    Args:
        seconds: In how many seconds.
    """

    OID = "2.16.840.1.113730.3.4.5"

    seconds: int

    def __init__(self, seconds: int) -> None:
        self._set(b"%d" % seconds, seconds=seconds)

    @classmethod
    def _decode(cls, value: bytes) -> Self:
        if not value.isdigit() or len(value) > 10:
            raise BerError("expected a number of seconds")
        return cls(int(value))


def _inside(value: bytes, tag: int = 0x30) -> Reader:
    """A cursor over what the one element of a value holds, after a look at all of it."""
    ber.check_elements(value, 0, len(value))
    reader = Reader(value)
    inside = reader.inside(tag)
    reader.finish()
    return inside

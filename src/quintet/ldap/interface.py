"""The operations of LDAP, as a connection and a pool have them alike: those that read, change and extend."""

# ruff: noqa: ASYNC109 (a time limit here is also a request to the server: abandon)

from collections.abc import Iterable, Mapping, Sequence

from quintet.ldap import ber
from quintet.ldap.arguments import Name, Value, attribute_values, dn_text, value_bytes
from quintet.ldap.errors import LocalProtocolError, RemoteProtocolError
from quintet.ldap.ldif import Change
from quintet.ldap.messages import (
    START_TLS,
    WHO_AM_I,
    AddRequest,
    Control,
    DeleteRequest,
    Entry,
    ExtendedRequest,
    ExtendedResponse,
    ModifyDNRequest,
    ModifyRequest,
)
from quintet.ldap.modifications import Modification
from quintet.ldap.reading import Intermediate, ReadOperations

MODIFY_PASSWORD = "1.3.6.1.4.1.4203.1.11.1"  # noqa: S105 (an OID, RFC 3062)


class LdapOperations(ReadOperations):
    """What `Connection` and `Pool` can do alike.

    All operations are coroutines (`stream` and `paged_search` are asynchronous generators). Each has these
    errors besides its own: `ResultError` for any result but success, `ConnectionLostError`,
    `OperationTimeoutError` and `RemoteProtocolError`. A wrong type is a `TypeError`, and text that cannot be
    sent as UTF-8 a `LocalProtocolError`; both before anything is sent. Every operation can be cancelled and
    has a `timeout` in seconds (by default `Limits.timeout`); afterwards the connection can still be used.
    """

    # Changing.

    async def add(
        self,
        dn: Name,
        attributes: Mapping[str, Iterable[Value]],
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> tuple[Control, ...]:
        """Add an entry (RFC 4511 section 4.7).

        Args:
            dn: Its name. The entry above must exist.
            attributes: Its attributes, as lists of values: `str` (sent as UTF-8) or `bytes`.
            controls: Controls of the request, such as `PostRead`.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The controls of the answer.

        Raises:
            EntryAlreadyExists: There is such an entry.
            NoSuchObject: There is no entry above it.
            ObjectClassViolation: An attribute is missing, or one is not allowed.
            UndefinedAttributeType: The schema of the server has no such attribute.
            ValueError: An attribute has no values, or its name is not one.
        """
        request = AddRequest(dn_text(dn), attribute_values(attributes))
        return (await self.perform(request, controls=controls, timeout=timeout)).controls

    async def modify(
        self,
        dn: Name,
        changes: Iterable[Modification],
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> tuple[Control, ...]:
        """Change an entry (RFC 4511 section 4.6). All changes are made, in order, or none.

        Args:
            dn: The entry.
            changes: `Add`, `Delete`, `Replace` and `Increment`; at least one.
            controls: Controls of the request, such as `Assertion`.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The controls of the answer.

        Raises:
            NoSuchObject: There is no such entry.
            AttributeOrValueExists: A value to add is already there.
            NoSuchAttribute: A value to delete is not there.
            ObjectClassViolation: An attribute that is required would be missing, or one is not allowed.
            ConstraintViolation: A rule of the server forbids it, such as a password policy.
            ValueError: There are no changes.
        """
        if isinstance(changes, Modification) or not isinstance(changes, Iterable):
            raise TypeError("changes are a list of Add, Delete, Replace and Increment")
        given = tuple(changes)
        for each in given:
            if not isinstance(each, Modification):
                raise TypeError(f"a change is Add, Delete, Replace or Increment, not {type(each).__name__}")
        if not given:
            raise ValueError("modify needs at least one change")
        request = ModifyRequest(dn_text(dn), given)
        return (await self.perform(request, controls=controls, timeout=timeout)).controls

    async def delete(
        self, dn: Name, *, controls: Sequence[Control] = (), timeout: float | None = None
    ) -> tuple[Control, ...]:
        """Delete an entry (RFC 4511 section 4.8).

        Args:
            dn: The entry.
            controls: Controls of the request, such as `SubtreeDelete`.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The controls of the answer.

        Raises:
            NoSuchObject: There is no such entry.
            NotAllowedOnNonLeaf: There are entries below it.
            ValueError: `dn` is empty.
        """
        text = dn_text(dn)
        if not text:
            raise ValueError("the root is not an entry that can be deleted")
        answer = await self.perform(DeleteRequest(text), controls=controls, timeout=timeout)
        return answer.controls

    async def modify_dn(
        self,
        dn: Name,
        new_rdn: Name,
        *,
        delete_old_rdn: bool = True,
        new_superior: Name | None = None,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> tuple[Control, ...]:
        """Rename or move an entry, with everything below it (RFC 4511 section 4.9).

        Args:
            dn: The entry.
            new_rdn: Its new RDN, such as `cn=Ann Lee`; the old one again if it is only moved.
            delete_old_rdn: Whether the values of the old RDN are removed from its attributes.
            new_superior: The entry that it is moved below; None to leave it where it is.
            controls: Controls of the request.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The controls of the answer.

        Raises:
            NoSuchObject: There is no such entry, or no entry `new_superior`.
            EntryAlreadyExists: There is an entry of the new name.
            AffectsMultipleDSAs: The new place is on another server.
        """
        request = ModifyDNRequest(
            dn_text(dn),
            dn_text(new_rdn, "the new RDN"),
            bool(delete_old_rdn),
            None if new_superior is None else dn_text(new_superior, "the new superior"),
        )
        return (await self.perform(request, controls=controls, timeout=timeout)).controls

    async def apply(self, record: Entry | Change, *, timeout: float | None = None) -> tuple[Control, ...]:
        """Make a change that was read from LDIF.

        Args:
            record: A change; an entry is added.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The controls of the answer.

        Raises:
            ResultError: As `add`, `modify`, `delete` and `modify_dn` have it.
        """
        if isinstance(record, Entry):
            return await self.add(record.dn, record.attributes, timeout=timeout)
        if not isinstance(record, Change):
            raise TypeError(f"a record is an Entry or a Change, not {type(record).__name__}")
        answer = await self.perform(record.request, controls=record.controls, timeout=timeout)
        return answer.controls

    # Extended operations.

    async def extended(
        self,
        oid: str,
        value: bytes | None = None,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        intermediate: Intermediate | None = None,
    ) -> ExtendedResponse:
        """Any extended operation but StartTLS (RFC 4511 section 4.12).

        Args:
            oid: Which operation. `RootDSE.extensions` lists those of the server.
            value: Its value; None without one.
            controls: Controls of the request.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.
            intermediate: Called with each intermediate response.

        Returns:
            The answer, with its `oid` and `value`.

        Raises:
            ProtocolError: The server does not know the operation.
            LocalProtocolError: It is StartTLS, which has a method of its own.
        """
        if not isinstance(oid, str) or not isinstance(value, bytes | None):
            raise TypeError("the OID of an extended operation is str, its value bytes")
        if oid == START_TLS:
            raise LocalProtocolError("StartTLS has a method of its own", operation="extended")
        answer = await self.perform(
            ExtendedRequest(oid, value), controls=controls, timeout=timeout, intermediate=intermediate
        )
        assert isinstance(answer.op, ExtendedResponse)
        return answer.op

    async def who_am_i(self, *, timeout: float | None = None) -> str:
        """Ask who the server takes us for (RFC 4532).

        Args:
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            `dn:` and a DN, or `u:` and a user's name; empty for anonymous.

        Raises:
            ProtocolError: The server does not know the operation.
        """
        answer = await self.extended(WHO_AM_I, timeout=timeout)
        return (answer.value or b"").decode("utf-8", "surrogateescape")

    async def modify_password(
        self,
        dn: Name | None = None,
        *,
        old: Value | None = None,
        new: Value | None = None,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> str | None:
        """Change a password (RFC 3062). Use it over an encrypted connection.

        Active Directory does not have this operation: there, replace `unicodePwd`.

        Args:
            dn: Whose password: a DN, or what else the server takes; None for the bound user's own.
            old: The password until now; None if the server does not want it.
            new: The new password; None to let the server make one.
            controls: Controls of the request, such as `PasswordPolicy`.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Returns:
            The password that the server made; None if `new` was given.

        Raises:
            ConstraintViolation: A password policy forbids the new password.
            InsufficientAccessRights: The bound user may not change it.
            InvalidCredentials: `old` is wrong.
            UnwillingToPerform: The server does not make passwords, or `old` is wrong.
            ProtocolError: The server does not know the operation.
            ValueError: A password is empty.
        """
        parts = [] if dn is None else [ber.octet_string(dn_text(dn).encode("utf-8", "surrogateescape"), 0x80)]
        for tag, name, password in ((0x81, "the old password", old), (0x82, "the new password", new)):
            if password is not None:
                if not (data := value_bytes(password, name, "extended")):
                    raise ValueError(f"{name} is empty")
                parts.append(ber.octet_string(data, tag))
        value = ber.sequence(*parts) if parts else None
        answer = await self.extended(MODIFY_PASSWORD, value, controls=controls, timeout=timeout)
        try:
            return _generated_password(answer.value)
        except ber.BerError:
            pass  # its text could lead back to the password
        raise RemoteProtocolError(
            "the answer with the new password is malformed", server=self._server, operation="extended"
        )


def _generated_password(value: bytes | None) -> str | None:
    """`PasswdModifyResponseValue ::= SEQUENCE { genPasswd [0] OCTET STRING OPTIONAL }`."""
    if value is None:
        return None
    reader = ber.Reader(value)
    inside = reader.inside()
    reader.finish()
    return inside.text(0x80) if inside.next_is(0x80) else None

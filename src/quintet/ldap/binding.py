"""How a connection authenticates: simple binds, SASL EXTERNAL and SCRAM (RFC 4511 section 4.2, RFC 4513)."""

# ruff: noqa: ASYNC109 (a bind that is not answered in time closes the connection)

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from quintet.ldap.arguments import Name, Value, dn_text, value_bytes
from quintet.ldap.errors import (
    ConnectionLostError,
    LdapError,
    LocalProtocolError,
    OperationTimeoutError,
    RemoteProtocolError,
)
from quintet.ldap.interface import LdapOperations
from quintet.ldap.messages import (
    SASL_BIND_IN_PROGRESS,
    SUCCESS,
    BindRequest,
    BindResponse,
    Control,
    Sasl,
    Simple,
)
from quintet.ldap.protocol import LdapProtocol
from quintet.ldap.sasl import scram, scram_bind
from quintet.ldap.session import State


class BindOperations(LdapOperations):
    """What a connection can do besides what a pool can: authenticate."""

    _wire: LdapProtocol

    @property
    @abstractmethod
    def peer_certificate(self) -> bytes | None:
        """The server's certificate in DER; None while the connection is unencrypted."""

    async def bind(
        self,
        dn: Name,
        password: Value,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> tuple[Control, ...]:
        r"""Authenticate with a DN and a password: a simple bind (RFC 4513 section 5.1.3).

        The password crosses the connection as it is: use TLS. A bind must be alone on the connection.

        Args:
            dn: Who to bind as. Active Directory also takes `user@domain` and `DOMAIN\user`.
            password: The password.
            controls: Controls of the request, such as `PasswordPolicy`.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`. After that the connection
                is closed, since a bind cannot be abandoned.

        Returns:
            The controls of the answer, such as warnings of a password policy.

        Raises:
            InvalidCredentials: The DN or the password is wrong.
            LocalProtocolError: The password is empty, which servers take for anonymous (RFC 4513 section
                5.1.2); or other operations are in flight.
        """
        name, secret = dn_text(dn), value_bytes(password, "the password", "bind")
        if bool(name) != bool(secret):
            raise LocalProtocolError(
                "a bind with a name needs a password, and a password a name", operation="bind", dn=name
            )
        answer = await self.perform(BindRequest(name, Simple(secret)), controls=controls, timeout=timeout)
        return answer.controls

    async def bind_anonymous(self, *, timeout: float | None = None) -> None:
        """Become anonymous again, as a new connection is (RFC 4513 section 5.1.1).

        Args:
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Raises:
            InappropriateAuthentication: The server does not allow anonymous binds.
        """
        await self.perform(BindRequest("", Simple(b"")), timeout=timeout)

    async def bind_external(self, authzid: str = "", *, timeout: float | None = None) -> None:
        """Authenticate as the TLS client certificate says, or the user at a Unix socket (RFC 4422).

        Args:
            authzid: Whose rights to have, as `dn:` and a DN or `u:` and a name; empty for one's own.
            timeout: The time for the answer, in seconds; None for `Limits.timeout`.

        Raises:
            InvalidCredentials: The certificate belongs to no user.
            AuthMethodNotSupported: The server does not offer EXTERNAL.
        """
        external = BindRequest("", Sasl("EXTERNAL", value_bytes(authzid, "authzid", "bind")))
        with self._closed_if_cut_short("a SASL bind", State.BINDING):
            await self.perform(external, timeout=timeout)

    async def bind_scram(
        self,
        user: str,
        password: Value,
        *,
        mechanism: str | None = None,
        authzid: str = "",
        timeout: float | None = None,
    ) -> None:
        """Authenticate by SASL SCRAM: the password does not cross the connection (RFC 5802, RFC 7677).

        The server proves that it knows the password, too. Over TLS the bind is bound to the server's
        certificate where both sides can, so that it cannot be relayed.

        Args:
            user: The user's name, as the server knows it.
            password: The password.
            mechanism: `SCRAM-SHA-256-PLUS`, `SCRAM-SHA-1-PLUS`, `SCRAM-SHA-256` or `SCRAM-SHA-1`; None for
                the best that the server offers.
            authzid: Whose rights to have; empty for one's own.
            timeout: The time for all steps, in seconds; None for `Limits.timeout`.

        Raises:
            InvalidCredentials: The name or the password is wrong.
            AuthMethodNotSupported: The server does not offer SCRAM.
            RemoteProtocolError: The server did not keep to SCRAM or does not know the password; the
                connection is closed.
            LocalProtocolError: The name or the password is empty or has characters that SCRAM forbids.
        """
        if not user or not password:
            raise LocalProtocolError("SCRAM needs a user and a password", operation="bind")
        wire = self._wire
        seconds = wire.limits.timeout if timeout is None else timeout

        async def step(credentials: Sasl) -> BindResponse:
            request = BindRequest("", credentials)
            answer = await self.perform(request, timeout=seconds, good=(SUCCESS, SASL_BIND_IN_PROGRESS))
            assert isinstance(answer.op, BindResponse)
            return answer.op

        try:
            with self._closed_if_cut_short("a SASL bind", State.BINDING):
                async with asyncio.timeout(seconds):
                    root = None if mechanism is not None else await self.root_dse(timeout=seconds)
                    await scram_bind.bind(
                        step,
                        user,
                        password,
                        offered=None if root is None else root.sasl_mechanisms,
                        mechanism=mechanism,
                        authzid=authzid,
                        certificate=self.peer_certificate,
                    )
        except scram.ScramError as error:
            failed = RemoteProtocolError(str(error), server=wire.server, operation="bind", dn=user)
            wire.end(failed)
            raise failed from error
        except TimeoutError as error:
            late = OperationTimeoutError("timed out", server=wire.server, operation="bind", dn=user)
            raise late from error
        except LdapError as error:
            if error.operation in (None, "bind"):
                error.server, error.operation, error.dn = wire.server, "bind", user
            raise

    @contextmanager
    def _closed_if_cut_short(self, what: str, *states: State) -> Iterator[None]:
        """Close if what takes several steps ends before the last: the server may be at another one."""
        try:
            yield
        except LocalProtocolError:
            raise  # nothing was sent
        except BaseException:
            if self._wire.session.state in states:
                self._wire.end(ConnectionLostError(f"{what} was cut short"))
            raise

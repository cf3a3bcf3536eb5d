"""The operations of `LdapOperations` over whichever connection a pool has for them."""

# ruff: noqa: ASYNC109 (a time limit is also a request to the server: abandon)

from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from quintet.ldap.connection import Connection, about
from quintet.ldap.errors import LocalProtocolError
from quintet.ldap.interface import LdapOperations
from quintet.ldap.messages import SUCCESS, WHO_AM_I, CompareRequest, Control, ExtendedRequest, Request
from quintet.ldap.reading import Intermediate, ReadOperations
from quintet.ldap.session import Answer

P = ParamSpec("P")
T = TypeVar("T")


def _delegated(
    method: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """An operation of a connection that changes nothing."""

    async def delegate(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def operation(connection: Connection) -> T:
            return await method(connection, *args, **kwargs)

        found: T = await self.run(operation, name=method.__name__)
        return found

    wraps(method)(delegate)
    return delegate


def _delegated_stream(
    method: Callable[Concatenate[Connection, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Any, P], AsyncGenerator[T, None]]:
    """A stream of a connection. It is not repeated: its beginning was used already."""

    async def delegate(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        async with self.connection() as connection, aclosing(method(connection, *args, **kwargs)) as stream:
            async for each in stream:
                yield each

    wraps(method)(delegate)
    return delegate


class PoolOperations(LdapOperations):
    """The operations of a class that lends connections with `run` and `connection`."""

    @abstractmethod
    async def run(
        self, operation: Callable[[Connection], Awaitable[T]], *, name: str = "run", repeatable: bool = True
    ) -> T:
        """Await `operation` with a connection, once more with another if it is `repeatable`."""

    @abstractmethod
    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for several operations."""

    search = _delegated(Connection.search)
    search_page = _delegated(Connection.search_page)
    stream = _delegated_stream(Connection.stream)

    async def perform(
        self,
        request: Request,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        good: tuple[int, ...] = (SUCCESS,),
        intermediate: Intermediate | None = None,
    ) -> Answer:
        verb, dn, alone = about(request)
        if alone:  # it would change one connection of several, and the next operation may have another
            raise LocalProtocolError(f"a pool does not send a {verb}", operation=verb, dn=dn)

        async def operation(connection: Connection) -> Answer:
            return await connection.perform(
                request, controls=controls, timeout=timeout, good=good, intermediate=intermediate
            )

        return await self.run(operation, name=verb, repeatable=_changes_nothing(request))

    def _pinned(self) -> AbstractAsyncContextManager[ReadOperations]:
        return self.connection()


def _changes_nothing(request: Request) -> bool:
    """Whether the server may be asked twice, when the connection broke before the answer came."""
    match request:
        case CompareRequest():
            return True
        case ExtendedRequest(oid):
            return oid == WHO_AM_I
    return False

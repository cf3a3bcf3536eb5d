"""The operations of a connection as methods of a pool, which has `run` and `connection`."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from quintet.ldap.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")


def delegated(
    method: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]], *, repeatable: bool
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """The operation of a connection, for a pool."""

    async def delegate(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def operation(connection: Connection) -> T:
            return await method(connection, *args, **kwargs)

        found: T = await self.run(operation, name=method.__name__, repeatable=repeatable)
        return found

    wraps(method)(delegate)
    return delegate


def delegated_stream(
    method: Callable[Concatenate[Connection, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Any, P], AsyncGenerator[T, None]]:
    """The stream of a connection, for a pool. It is not repeated: its beginning was used already."""

    async def delegate(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        async with self.connection() as connection, aclosing(method(connection, *args, **kwargs)) as stream:
            async for each in stream:
                yield each

    wraps(method)(delegate)
    return delegate

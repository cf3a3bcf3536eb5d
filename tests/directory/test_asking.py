"""Asking many at once."""

import asyncio

import pytest

from quintet.directory.queries import gather_or_cancel


async def test_what_is_asked_at_once_has_ended_when_the_first_error_is_told() -> None:
    ended = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    async def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await gather_or_cancel([waits(), fails(), waits()])
    assert ended == [True, True]


async def test_what_is_asked_at_once_is_answered_in_order() -> None:
    async def answer(nth: int) -> int:
        for _ in range(5 - nth):
            await asyncio.sleep(0)
        return nth

    assert await gather_or_cancel(answer(nth) for nth in range(5)) == list(range(5))

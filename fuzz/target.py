"""What a target is: how it reads an input, what it may refuse, and what must be true of all it accepts."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, final

CPU_SECONDS: Final = 1.0
"""What one input may cost, of processor time and with coverage recorded: some ten times as slow as usual."""

LONGEST: Final = 4096
"""The most bytes of an input, unless the target says otherwise."""


class SlowInputError(AssertionError):
    """An input took more processor time than `CPU_SECONDS`."""


@final
@dataclass(frozen=True, slots=True)
class Target:
    """One kind of input.

    Attributes:
        name: What the command line calls it.
        about: What is read, in a few words.
        read: Reads an input. It may raise `refusals`, and nothing else.
        refusals: The documented exceptions for input that is not accepted.
        check: Is given what `read` returned, and raises if a property does not hold. No exception is a
            refusal here.
        seeds: Inputs to start from. They are made only when they are needed.
        longest: The most bytes of an input.
    """

    name: str
    about: str
    read: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...]
    check: Callable[[Any], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int = LONGEST

    def run(self, data: bytes) -> bool:
        """Try one input: whether it was accepted. Raises what is a finding."""
        before = time.process_time()
        accepted = self._try(data)
        spent = time.process_time() - before
        if spent > CPU_SECONDS:
            raise SlowInputError(f"{spent:.1f} s of processor time for {len(data)} bytes")
        return accepted

    def _try(self, data: bytes) -> bool:
        try:
            value = self.read(data)
        except self.refusals:
            return False
        self.check(value)
        return True


def text_of(data: bytes) -> str:
    """Any text, half surrogate pairs included (PEP 383)."""
    return data.decode("utf-8", "surrogateescape")


def halves(data: bytes) -> tuple[bytes, bytes]:
    """Two inputs in one: what stands before the first NUL, and what follows it."""
    first, _, second = data.partition(b"\0")
    return first, second


def nothing_more(_: object) -> None:
    """The check of a target whose `read` has asserted all there is to assert."""

"""The standard streams as a command may find them: closed, not in UTF-8, or without a reader."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO, TypeVar, cast, final

from quintet.cli.exit_codes import UsageError

_T = TypeVar("_T")


class OutputClosedError(Exception):
    """The reader of the output has gone, as with `| head`.

    Not an OSError: Typer would turn that into another exit code.
    """


@contextmanager
def ready_streams() -> Iterator[None]:
    """Standard streams that accept every character, and raise a UsageError when they can't be written.

    A closed one is opened on the null device, so that no connection gets its file descriptor.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as opened:
        if sys.stdin is None:
            sys.stdin = opened.enter_context(open(os.devnull, encoding="utf-8"))  # noqa: PTH123
        out = sys.stdout or opened.enter_context(open(os.devnull, encoding="utf-8"))  # noqa: PTH123
        err = sys.stderr or opened.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
        sys.stdout = cast("TextIO", _CheckedStream(out, "standard output"))
        sys.stderr = cast("TextIO", _CheckedStream(err, "standard error"))
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


@final
class _CheckedStream:
    """A stream to write to. Raises OutputClosedError, and UsageError when it fails for another reason."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        encoding = self._stream.encoding or "utf-8"
        fit = text.encode(encoding, "backslashreplace").decode(encoding)
        return self._do(lambda: self._stream.write(fit))

    def flush(self) -> None:
        self._do(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # Typer would write UTF-8 to it, past `write`, where the encoding is ASCII
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _do(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except OSError as error:
            self._discard()
            if error.errno == errno.EPIPE:
                raise OutputClosedError from None
            raise UsageError(
                f"{self._name} can't be written: {error.strerror or 'it is closed'}",
                "redirect it to a writable file or to /dev/null",
            ) from None

    def _discard(self) -> None:
        """What is still in the buffer would fail again when Python exits."""
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)

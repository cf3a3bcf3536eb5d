"""The standard streams, as a command may find them: closed, not in UTF-8, or left by whoever reads them."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO, TypeVar, cast, final

from quintet.cli.exit_codes import UsageError

_T = TypeVar("_T")


class OutputClosedError(Exception):
    """Nobody reads our output any more, as when it goes into `head`.

    No OSError: Typer and Rich would make an exit code of it that means something else.
    """


@contextmanager
def ready_streams() -> Iterator[None]:
    """Standard streams that take every character, and tell in words when they take nothing.

    A closed one is opened on nothing, so that no connection gets its number: reading finds no line, a result
    that cannot be printed is told, a remark is lost.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    with ExitStack() as opened:
        if sys.stdin is None:
            sys.stdin = opened.enter_context(open(os.devnull, encoding="utf-8"))  # noqa: PTH123
        out = sys.stdout or opened.enter_context(open(os.devnull, encoding="utf-8"))  # noqa: PTH123
        err = sys.stderr or opened.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
        sys.stdout = cast("TextIO", _Told(out, "standard output"))
        sys.stderr = cast("TextIO", _Told(err, "standard error"))
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


@final
class _Told:
    """A stream to write to. Raises OutputClosedError, and Wrong when it takes nothing for another reason."""

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
        return getattr(self._stream, name)

    def _do(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except OSError as error:
            self._write_to_nothing()
            if error.errno == errno.EPIPE:
                raise OutputClosedError from None
            raise UsageError(
                f"{self._name} cannot be written: {error.strerror or 'it is closed'}",
                "send it to a file that can, or to /dev/null",
            ) from None

    def _write_to_nothing(self) -> None:
        """What is still in the buffer would fail once more when Python ends."""
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)

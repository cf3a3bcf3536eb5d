"""From a stream of bytes to frames (P2 to P4)."""

import re
from typing import final

from quintet.sametime.errors import MessageTooLargeError

KEEP_ALIVE = b"\x80"
"""May be sent between any two frames (P3)."""

# Keep-alives, counters and empty frames. Possessive: there is never a reason to give a byte back.
_IDLE = re.compile(rb"(?:[\x80-\xff]++|\x00{4})*+")


def frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


@final
class FrameDecoder:
    """Cuts what is fed to it into frames, however it was cut before.

    `limit` is the largest frame in bytes; a change counts from the next frame on whose length is read.
    """

    __slots__ = ("_buffer", "_needed", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._needed = 4  # bytes in the buffer before there is anything to do; 4 until a length is known

    @property
    def buffered(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next frame without its length, or None while it is incomplete.

        Raises MessageTooLargeError as soon as its length is there: nothing of it is waited for.
        """
        buffer = self._buffer
        while self._needed == 4:
            if len(buffer) >= 4 and buffer[0] < 0x80 and (size := int.from_bytes(buffer[:4], "big")):
                if size > self.limit:
                    raise MessageTooLargeError(size, self.limit)
                self._needed = 4 + size
            elif idle := _idle(buffer):
                del buffer[:idle]
            else:
                return None
        if len(buffer) < self._needed:
            return None
        content = bytes(memoryview(buffer)[4 : self._needed])
        del buffer[: self._needed]
        self._needed = 4
        return content

    def clear(self) -> None:
        """Forget what was fed."""
        self._buffer = bytearray()
        self._needed = 4


def _idle(buffer: bytearray) -> int:
    """How many bytes at the beginning mean nothing."""
    match = _IDLE.match(buffer)
    return match.end() if match else 0

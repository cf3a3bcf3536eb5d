"""What a session has to send: frames in order, until they are taken."""

from typing import final

from quintet.sametime.wire.messages import SametimeMessage, encode


@final
class Outbox:
    """Takes frames while it is open. What was put in before it was closed can still be taken."""

    __slots__ = ("_frames", "open", "size")

    def __init__(self) -> None:
        self.open = True
        self.size = 0
        """Bytes that wait."""
        self._frames: list[bytes] = []

    def put(self, message: SametimeMessage) -> None:
        self.put_bytes(encode(message))

    def put_bytes(self, data: bytes) -> None:
        if self.open:
            self._frames.append(data)
            self.size += len(data)

    def take(self) -> bytes:
        data = b"".join(self._frames)
        self.clear()
        return data

    def clear(self) -> None:
        self._frames.clear()
        self.size = 0

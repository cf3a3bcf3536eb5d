"""A client that sends any bytes and sees every message: for tests of servers, not of clients."""

import asyncio
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from quintet.ldap.filters import parse
from quintet.ldap.messages import (
    BindRequest,
    BindResponse,
    CompareResponse,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    Request,
    SearchRequest,
    SearchResultDone,
    Simple,
    decode,
    encode,
)

_PATIENCE = 20
_ENDS = (BindResponse, SearchResultDone, CompareResponse, ExtendedResponse)


@dataclass(slots=True)
class RawClient:
    """A connection to a port on loopback."""

    port: int
    tls: ssl.SSLContext | None = None
    _ids: int = 0
    _reader: asyncio.StreamReader = field(init=False)
    _writer: asyncio.StreamWriter = field(init=False)

    async def __aenter__(self) -> Self:
        host = "localhost" if self.tls else None
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=host
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.transport.abort()
        try:
            await self._writer.wait_closed()
        except OSError:
            return

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, op: Request, *controls: Control) -> int:
        """Send a request; its message id."""
        self._ids += 1
        self.send_bytes(encode(Message(self._ids, op, controls)))
        return self._ids

    async def receive(self) -> Message:
        """The next message, whatever it belongs to. Raises IncompleteReadError at the end."""
        head = await self.octet_string(2)
        if head[1] & 0x80:
            head += await self.octet_string(head[1] & 0x7F)
        size = int.from_bytes(head[2:], "big") if len(head) > 2 else head[1]
        return decode(head + await self.octet_string(size))

    @property
    def peer_certificate(self) -> bytes | None:
        """In DER."""
        certificate: bytes | None = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate

    async def rest(self) -> bytes:
        """All bytes up to the end of the connection."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._reader.read()
        except ConnectionResetError:
            return b""

    async def octet_string(self, count: int) -> bytes:
        async with asyncio.timeout(_PATIENCE):
            return await self._reader.readexactly(count)

    async def ask(self, op: Request, *controls: Control) -> list[Message]:
        """Send a request; all responses, the last of which ends it."""
        self.send(op, *controls)
        found = [await self.receive()]
        while not isinstance(found[-1].op, _ENDS):
            found.append(await self.receive())
        return found

    async def bind(self, name: str, password: str) -> int:
        """The result code of a simple bind."""
        return code(await self.ask(BindRequest(name, Simple(password.encode()))))

    async def find(self, base: str, text: str, *attributes: str, scope: int = 2) -> list[Message]:
        """The responses to a search."""
        return await self.ask(SearchRequest(base, scope, parse(text), attributes))

    async def start_tls(self, context: ssl.SSLContext) -> int:
        """The result code; when it is 0, TLS is on."""
        result = code(await self.ask(ExtendedRequest("1.3.6.1.4.1.1466.20037")))
        if result == 0:
            await self.secure(context)
        return result

    async def secure(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        await self._writer.start_tls(context, server_hostname="localhost")


def code(answer: list[Message]) -> int:
    """The result code that an answer ends with."""
    last = answer[-1].op
    assert isinstance(last, _ENDS)
    return last.result.code

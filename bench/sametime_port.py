"""A process that serves Sametime: sametime_port.py SETTINGS CERTIFICATE KEY FOLDER PORT."""

import asyncio
import ssl
import sys
from pathlib import Path

from quintet.config.load import load
from quintet.directory import Directory
from quintet.sametime.server import SametimeServer
from quintet.sametime.settings import SametimeSettings
from quintet.sametime.storage import DatabaseAddress


async def main(settings: str, certificate: str, key: str, folder: str, port: str) -> None:
    directory = Directory(load(Path(settings), {}))
    await directory.open()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    database = DatabaseAddress.parse("", Path(folder))
    port_settings = SametimeSettings(address="127.0.0.1", port=int(port))
    server = SametimeServer(port_settings, directory, database, tls_context=context)
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

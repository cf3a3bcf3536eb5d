"""The slapd that is asked, the settings that lead Quintet to it, and what it uses of the processors."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from people import BASE, READER, READER_PASSWORD, ldif
from worker import LEVELS, Level

from quintet.ldap.connection import Address, connect
from support import keytool
from support.certs import Issued
from support.folder import settings_folder
from support.slapd import Slapd


def bench_slapd(threads: int, *, monitor: bool = False, photos: bool = False) -> Slapd:
    """A slapd that logs nothing, with equality and prefix searches indexed, and SCRAM for the account.

    With `monitor` it counts its operations. With `photos` people have one.

    `conn_max_pending` stays at slapd's own 100 for anonymous connections and 1,000 for others: no client
    here has more than 64 requests in flight on a connection.
    """
    return Slapd(
        ldif(photos=photos),
        base=BASE,
        stats=False,
        sasl=True,
        schemas=("core", "cosine"),  # with the third one come its own indexes, without prefixes
        head=f"include /etc/ldap/schema/inetorgperson.schema\nthreads {threads}\n",
        extra="index cn,sn,givenName,uid,mail eq,subinitial\nindex member eq\n"
        + ("database monitor\n" if monitor else ""),
    )


def processor_seconds(server: Slapd) -> float:
    """What this slapd has used of the processors so far."""
    return process_seconds(int((server.folder / "slapd.pid").read_text()))


def process_seconds(pid: int) -> float:
    """What this process has used of the processors so far."""
    return time.clock_gettime((~pid << 3) | 2)  # its CPU-time clock, by Linux's numbering


async def operations_counted(server: Slapd) -> dict[str, int]:
    """The searches and binds that a slapd with `monitor` has completed."""
    connection = await connect(Address(server.host, server.port))
    try:
        await connection.bind(READER, READER_PASSWORD)
        found = {}
        for kind in ("Search", "Bind"):
            base = f"cn={kind},cn=Operations,cn=Monitor"
            answer = await connection.search(base, 0, "(objectClass=*)", ["monitorOpCompleted"])
            found[kind.lower()] = int(answer.entries[0].attributes["monitorOpCompleted"][0])
        return found
    finally:
        await connection.close()


def trust_store(folder: Path, authority: Issued) -> Path:
    """A store that trusts this authority."""
    store = folder / "trust.p12"
    store.write_bytes(
        pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(authority.certificate, b"ca")],
            BestAvailableEncryption(keytool.PASSWORD.encode()),
        )
    )
    return store


def settings_folders(server: Slapd) -> dict[Level, Path]:
    """For each protection level a folder with Sametime's three files; business cards are encrypted at ALL."""
    store = trust_store(server.folder, server.authority)
    return {
        level: settings_folder(
            server.folder / f"settings-{level}",
            server,
            level=level,
            store=store,
            account=(READER, READER_PASSWORD),
            cards_encrypted=level == "all",
            host=server.host,
        )
        for level in LEVELS
    }

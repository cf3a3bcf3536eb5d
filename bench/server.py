"""The slapd that is asked, the settings that lead Quintet to it, and what it uses of the processors."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from people import BASE, READER, READER_PASSWORD, ldif
from worker import LEVELS, Level

from support import keytool
from support.folder import settings_folder
from support.slapd import Slapd


def bench_slapd(threads: int) -> Slapd:
    """A slapd that logs nothing, with equality and prefix searches indexed, and SCRAM for the account.

    `conn_max_pending` stays at slapd's own 100 for anonymous connections and 1,000 for others: no client
    here has more than 64 requests in flight on a connection.
    """
    return Slapd(
        ldif(),
        base=BASE,
        stats=False,
        sasl=True,
        schemas=("core", "cosine"),  # with the third one come its own indexes, without prefixes
        head=f"include /etc/ldap/schema/inetorgperson.schema\nthreads {threads}\n",
        extra="index cn,sn,givenName,uid,mail eq,subinitial\nindex member eq\n",
    )


def processor_seconds(server: Slapd) -> float:
    """What this slapd has used of the processors so far."""
    process = int((server.folder / "slapd.pid").read_text())
    return time.clock_gettime((~process << 3) | 2)  # its CPU-time clock, by Linux's numbering


def settings_folders(server: Slapd) -> dict[Level, Path]:
    """For each protection level a folder with Sametime's three files; business cards are encrypted at ALL."""
    store = server.folder / "trust.p12"
    store.write_bytes(
        pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(server.authority.certificate, b"ca")],
            BestAvailableEncryption(keytool.PASSWORD.encode()),
        )
    )
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

"""`script/bench --faults`: what users and listeners get when something is wrong with the directory.

The same faults for Quintet and for ejabberd, on the same slapd. Nothing is rated here: the table says what
was seen. docs/explanation/compared-with-ejabberd.md tells what follows.
"""

import asyncio
import re
import subprocess
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from community import version_of_ejabberd
from community_servers import Running, ejabberd, quintet
from figures import table
from load_sametime import SametimeSession
from load_xmpp import XmppSession
from people import BASE, READER, READER_PASSWORD, dn, ldif, password, uid
from server import trust_store

from support import certs
from support.folder import settings_folder
from support.relay import Relay
from support.slapd import Slapd

_PEOPLE = 50
_WATCHED_FOR = 120.0
_NEW = "new-secret"
_START_TLS = b"1.3.6.1.4.1.1466.20037"

Row = tuple[str, ...]


def run() -> None:
    """Let each fault happen, and print what was seen."""
    with Slapd(ldif(_PEOPLE), base=BASE) as slapd:
        rows = asyncio.run(_all(slapd))
    print(table(("what happens", "Quintet", f"ejabberd {version_of_ejabberd()}"), rows))


async def _all(slapd: Slapd) -> list[Row]:
    return [
        *await _changes(slapd),
        *await _untrusted(slapd),
        *await _listener(slapd),
        await _stopped(slapd),
        await _hanging(slapd),
    ]


async def _changes(slapd: Slapd) -> list[Row]:
    """Users sign in; then the password of one is changed in the directory, and another one is deleted."""
    changed, deleted = [], []
    for server, user, leaver in (("quintet", 1, 11), ("ejabberd", 2, 12)):
        with _server(server, slapd) as running:
            for each in (user, leaver):
                await _attempt(server, running, each)
            _change_password(slapd, user)
            old = await _attempt(server, running, user)
            new = await _attempt(server, running, user, _NEW)
            changed.append(f"old password: {old}; new password: {new}")
            _tool(slapd, "ldapdelete", dn(uid(leaver)))
            deleted.append(await _attempt(server, running, leaver))
    return [
        ("the password is changed after a sign-in", *changed),
        ("the user is deleted after a sign-in", *deleted),
    ]


async def _untrusted(slapd: Slapd) -> list[Row]:
    """The directory's certificate is of an unknown authority; with and without being told to check."""
    other = certs.authority("Another CA", use="another")
    folder = slapd.folder / "untrusted"
    folder.mkdir()
    settings = _settings(folder, slapd, trust_store(folder, other))
    (folder / "ca.pem").write_bytes(other.pem)
    tls = f"ldap_port: {slapd.tls_port}\nldap_encrypt: tls\n"
    hard = f"{tls}ldap_tls_verify: hard\nldap_tls_cacertfile: {folder / 'ca.pem'}\n"
    with quintet(slapd, settings=settings) as running:
        ours = await _attempt("quintet", running, 3)
    with ejabberd(slapd, ldap=tls) as running:
        default = await _attempt("ejabberd", running, 3)
    with ejabberd(slapd, ldap=hard) as running:
        checked = await _attempt("ejabberd", running, 4)
    what = "the directory's certificate is of an unknown CA"
    return [
        (what, ours, f"{default} (`ldap_encrypt: tls`)"),
        ("the same", "", f"{checked} (`ldap_tls_verify: hard`)"),
    ]


async def _listener(slapd: Slapd) -> list[Row]:
    """An attacker records what passes between the server and the directory."""
    async with Relay() as relay:
        port = relay.to(slapd.tls_port, label="quintet")
        folder = slapd.folder / "heard"
        folder.mkdir()
        settings = _settings(folder, slapd, trust_store(folder, slapd.authority), SSLPort=str(port))
        with quintet(slapd, settings=settings) as running:
            ours = await _attempt("quintet", running, 5)
        ours += f"; {_heard(relay, 'quintet', 5)}"
        port = relay.to(slapd.port, label="ejabberd")
        with ejabberd(slapd, ldap=f"ldap_port: {port}\nldap_encrypt: starttls\n") as running:
            theirs = await _attempt("ejabberd", running, 5)
            log = (running.process.log.parent / "ejabberd.log").read_text(errors="replace")
        warned = "starttls" in log.lower()
        theirs += f"; {_heard(relay, 'ejabberd', 5)}; {'a' if warned else 'no'} warning in the log"
    return [("encryption is asked for (ejabberd: `ldap_encrypt: starttls`)", ours, theirs)]


async def _stopped(slapd: Slapd) -> Row:
    """The directory is gone: connections are refused."""
    seen = []
    for server in ("quintet", "ejabberd"):
        with _server(server, slapd) as running:
            await _attempt(server, running, 6)
            slapd.kill()
            seen.append(await _attempt(server, running, 7))
            slapd.restart()
    return ("`slapd` is stopped", *seen)


async def _hanging(slapd: Slapd) -> Row:
    """The directory takes connections and says nothing."""
    seen = []
    for server in ("quintet", "ejabberd"):
        with _server(server, slapd) as running:
            await _attempt(server, running, 8)
            with slapd.frozen():
                seen.append(await _attempt(server, running, 9))
    return ("`slapd` hangs", *seen)


@contextmanager
def _server(name: str, slapd: Slapd) -> Iterator[Running]:
    with (quintet if name == "quintet" else ejabberd)(slapd) as running:
        yield running


async def _attempt(server: str, running: Running, user: int, secret: str = "") -> str:
    """What a client that signs in gets, and after how long."""
    session: Any
    if server == "quintet":
        session = SametimeSession(user, None, running.port, password=secret)
        work: Awaitable[None] = session.authenticate()
    else:
        session = XmppSession(user, None, running.port)
        work = session.authenticate(secret)
    began = time.monotonic()
    try:
        async with asyncio.timeout(_WATCHED_FOR):
            await work
    except TimeoutError:
        return f"no answer within {_WATCHED_FOR:.0f} s"
    except ConnectionRefusedError as error:
        return f"refused after {time.monotonic() - began:.1f} s: {_short(str(error))}"
    except ConnectionResetError:
        return f"the connection was closed after {time.monotonic() - began:.1f} s"
    finally:
        session.close()
    return "signed in"


def _short(answer: str) -> str:
    """The text of an XMPP failure; a Sametime reason is short already."""
    found = re.search("<text[^>]*>([^<]*)</text>", answer)
    return f'"{found[1]}"' if found else answer


def _heard(relay: Relay, label: str, user: int) -> str:
    data = b"".join(each.bytes for each in relay.of(label))
    found = [
        name
        for name, value in (
            ("the user's password", password(uid(user)).encode()),
            ("the service account's password", READER_PASSWORD.encode()),
            ("a StartTLS request", _START_TLS),
        )
        if value in data
    ]
    return f"readable on the network: {', '.join(found) or 'no password'}"


def _settings(folder: Path, slapd: Slapd, store: Path, **connection: str) -> Path:
    return settings_folder(
        folder / "settings", slapd, store=store, account=(READER, READER_PASSWORD), connection=connection
    )


def _change_password(slapd: Slapd, user: int) -> None:
    change = f"dn: {dn(uid(user))}\nchangetype: modify\nreplace: userPassword\nuserPassword: {_NEW}\n"
    _tool(slapd, "ldapmodify", change=change)


def _tool(slapd: Slapd, name: str, *arguments: str, change: str = "") -> None:
    """One of OpenLDAP's tools, as the administrator of the directory."""
    command = [name, "-x", "-H", slapd.url, "-D", slapd.admin_dn, "-w", slapd.admin_password, *arguments]
    subprocess.run(command, input=change, text=True, check=True, stdout=subprocess.DEVNULL)

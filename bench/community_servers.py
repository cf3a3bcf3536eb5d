"""The two servers that are compared: Quintet's Sametime port, and Debian's ejabberd.

Each runs in a temporary folder, on loopback ports of its own, against the same slapd with the same service
account, base and certificates, and is started anew for each measurement.
"""

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from people import BASE, READER, READER_PASSWORD, uid
from server import process_seconds, settings_folders

from support.command import PROGRAM
from support.served_clients import certificate_keys, port_environ, write_certificate
from support.server_process import ServerProcess, free_ports
from support.slapd import Slapd

_STARTS_WITHIN = 240.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. `tls_port` and `port` are the same where it tells clients apart by itself."""

    process: ServerProcess
    port: int
    tls_port: int

    def cpu(self) -> float:
        """What it has used of the processors so far, in seconds."""
        return process_seconds(self.process.pid)

    def resident(self) -> int:
        """Bytes of memory that it has in use."""
        statm = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def quintet(
    slapd: Slapd,
    *,
    ldap_tls: bool = True,
    settings: Path | None = None,
    config: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Quintet's Sametime port, with a database of its own.

    `settings` is a folder with other settings, `config` has further keys of their section `[Config]`.
    """
    with _folder("quintet") as folder:
        settings = settings or settings_folders(slapd)["all" if ldap_tls else "none"]
        shutil.copytree(settings, folder / "settings")  # with the database, which is new each time
        store = write_certificate(folder / "port.p12", slapd.certificate)
        port, http_port, metrics_port = map(str, free_ports(3))
        ports = {"QUINTET_HTTP_PORT": http_port, "QUINTET_METRICS_PORT": metrics_port}
        environ = port_environ(int(port), **(ports | certificate_keys(store) | dict(config or {})))
        command = [str(PROGRAM), "--config", str(folder / "settings"), "serve"]
        with _started(command, environ, folder, (int(port),)) as process:
            yield Running(process, int(port), int(port))


@contextlib.contextmanager
def ejabberd(
    slapd: Slapd, *, ldap_tls: bool = True, rosters: Sequence[Sequence[int]] = (), ldap: str = ""
) -> Iterator[Running]:
    """Debian's ejabberd, without any module unless there are rosters: for each user by number the contacts.

    It runs as a node without a name, so it needs no cookie and no port mapper, and does not meet others.
    `ldap` says how it connects, instead of `ldap_tls`: lines of its configuration.
    """
    with _folder("ejabberd") as folder:
        certificate, key = slapd.certificate.write(folder, "port")
        pem = folder / "ejabberd.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(certificate.read_bytes() + key.read_bytes())
        port, tls_port = free_ports(2)
        configuration = folder / "ejabberd.yml"
        ldap = ldap or _ldap_lines(slapd, ldap_tls=ldap_tls)
        configuration.write_text(_yaml(pem, (port, tls_port), ldap, bool(rosters)), encoding="utf-8")
        environ = {
            "HOME": str(folder),
            "EJABBERD_CONFIG_PATH": str(configuration),
            "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
            "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
            "ERL_CRASH_DUMP_BYTES": "0",
            "ERL_MAX_PORTS": "32000",
        }
        command = [
            "erl",
            "-noinput",
            "+K",
            "true",
            "+P",
            "250000",
            "-mnesia",
            "dir",
            f'"{folder / "mnesia"}"',
        ]
        command += ["-s", "ejabberd"]
        if rosters:  # written by a process of its own, so that its memory does not count
            writing = [*command, "-eval", _rosters_in_erlang(folder, rosters)]
            with _started(writing, environ, folder, (port, tls_port)) as process:
                _wait_for(folder / "rosters.done")
                process.stop()
        with _started(command, environ, folder, (port, tls_port)) as process:
            yield Running(process, port, tls_port)


def _ldap_lines(slapd: Slapd, *, ldap_tls: bool) -> str:
    if not ldap_tls:
        return f"ldap_port: {slapd.port}\n"
    return (
        f"ldap_port: {slapd.tls_port}\nldap_encrypt: tls\nldap_tls_verify: hard\n"
        f"ldap_tls_cacertfile: {slapd.ca}\n"
    )


def _yaml(pem: Path, ports: tuple[int, int], ldap: str, rosters: bool) -> str:
    port, tls_port = ports
    return f"""hosts: [localhost]
loglevel: warning
certfiles: [{pem}]
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, backlog: 1024}}
  - {{port: {tls_port}, ip: "127.0.0.1", module: ejabberd_c2s, backlog: 1024, tls: true}}
auth_method: [ldap]
ldap_servers: [localhost]
{ldap}ldap_rootdn: "{READER}"
ldap_password: "{READER_PASSWORD}"
ldap_base: "{BASE}"
ldap_uids: {{uid: "%u"}}
ldap_filter: "(objectClass=inetOrgPerson)"
modules: {{{"mod_roster: {}" if rosters else ""}}}
"""


def _rosters_in_erlang(folder: Path, rosters: Sequence[Sequence[int]]) -> str:
    """Code that writes the rosters into the database of mod_roster, as its table is in this version."""
    lines = (" ".join(map(uid, (number, *contacts))) for number, contacts in enumerate(rosters))
    (folder / "rosters").write_text("\n".join(lines), encoding="ascii")
    host = '<<"localhost">>'
    written = (
        f'{{ok,All}}=file:read_file("{folder / "rosters"}"),'
        'Lines=[binary:split(L,<<" ">>,[global])||L<-binary:split(All,<<"\\n">>,[global])],'
        f"[mnesia:dirty_write(roster,{{roster,{{U,{host},{{C,{host},<<>>}}}},{{U,{host}}},{{C,{host},<<>>}},"
        "<<>>,both,none,[],<<>>,[]})||[U|Cs]<-Lines,C<-Cs]"
    )
    return (  # in memory at first: one by one on disc takes ten times as long
        "mnesia:wait_for_tables([roster],30000),"
        "Kind=mnesia:table_info(roster,storage_type),"
        "{atomic,ok}=mnesia:change_table_copy_type(roster,node(),ram_copies),"
        f"{written},"
        "{atomic,ok}=mnesia:change_table_copy_type(roster,node(),Kind),"
        f'file:write_file("{folder / "rosters.done"}",<<"x">>).'
    )


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"quintet-bench-{name}-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _started(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, ports: Sequence[int]
) -> Iterator[ServerProcess]:
    process = ServerProcess(folder / "output.log")
    process.start(command, ready=lambda: all(map(_listens, ports)), within=_STARTS_WITHIN, environ=environ)
    try:
        yield process
    finally:
        process.kill()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def _wait_for(path: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN
    while not path.exists():
        if time.monotonic() > end:
            raise SystemExit(f"{path} is not there")
        time.sleep(0.05)

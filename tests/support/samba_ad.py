"""A real Active Directory domain controller: Samba, filled with `support.ad_sample`, on loopback only.

Theory of operation. Samba's LDAP server knows only the ports 389, 636, 3268 and 3269, so each `SambaAD` takes
an address of 127.0.0.0/8 for itself: any number of them run at once, and beside any server that listens on
127.0.0.1. Only a server that listens on all addresses is in the way (`PortsTakenError`).

`samba-tool` provisions the domain and `ldbmodify` fills it before the server starts, some 15 seconds that
depend on nothing but the data: with `cache` the tree is kept and copied. Of Samba's services only `ldap`
runs, as one process (`-M single`), with every path in the temporary folder, so that the host's Samba is
neither read nor written. With `--interactive` it ends when its standard input does, even if the tests are
killed.
"""

import contextlib
import enum
import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from support import ad_sample, certs
from support.accounts import Account, AccountState
from support.certs import Issued
from support.ldap_tools import Identity
from support.server_process import (
    ServerError,
    ServerProcess,
    TemporaryServer,
    check_packages,
    listenable,
    program,
    run,
)
from support.wire import Wire

_READY_WITHIN = 60.0  # seconds
_PORTS = (389, 636, 3268, 3269)
_PACKAGES = {  # a program or a file of each Debian package that is needed
    "samba": "samba",
    "samba-tool": "samba-common-bin",
    "ldbmodify": "ldb-tools",
    "/usr/share/samba/setup/provision.ldif": "samba-ad-provision",
    "/usr/lib/*/samba/ldb/password_hash.so": "samba-dsdb-modules",
    "/usr/lib/*/samba/vfs/acl_xattr.so": "samba-vfs-modules",
}


class PortsTakenError(Exception):
    """Samba cannot listen on its ports on any address of loopback; the message says why."""


class StrongAuth(enum.Enum):
    """Samba's `ldap server require strong auth`: whether simple binds need an encrypted connection."""

    REQUIRED = "yes"
    """Samba's default: refused with result 8 (S9)."""
    NOT_REQUIRED = "no"
    """What Windows does unless LDAP signing is required."""


class SambaAD(TemporaryServer):
    """A context manager. Entering provisions the domain, unless `cache` has it, and starts the server.

    `issue` makes the certificate that the server shows, by `authority`, for the server's address, `localhost`
    and the DNS name of the domain controller. `host` asks for an address, 127.0.0.1 for example, on which the
    ports may be taken. `cache` is a folder that outlives the session.
    """

    name = "samba"
    _orderly = False  # it leaves nothing outside its folder
    realm = ad_sample.REALM
    domain = ad_sample.DOMAIN
    base_dn = ad_sample.BASE
    service = Identity(ad_sample.SERVICE_DN, ad_sample.SERVICE_PASSWORD)
    administrator = Identity(rf"{ad_sample.DOMAIN}\Administrator", ad_sample.ADMINISTRATOR_PASSWORD)
    accounts: Mapping[AccountState, Account] = ad_sample.ACCOUNTS
    port = 389
    ldaps_port = 636
    catalog_port = 3268
    catalog_ldaps_port = 3269

    def __init__(
        self,
        *,
        authority: Issued | None = None,
        issue: Callable[..., Issued] = certs.leaf,
        host: str | None = None,
        strong_auth: StrongAuth = StrongAuth.REQUIRED,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        self.authority = authority or certs.authority()
        self._strong_auth = strong_auth
        self._wanted = host
        self.host = ""
        self._issue = issue
        self._cache = cache

    @property
    def ca(self) -> Path:
        """The PEM file of the authority that signed the server's certificate."""
        return self.folder / "ca.pem"

    @property
    def uri(self) -> str:
        """Unencrypted; StartTLS is offered."""
        return f"ldap://{self.host}"

    @property
    def ldaps_uri(self) -> str:
        return f"ldaps://{self.host}"

    def modify(self, ldif: str, *controls: str) -> None:
        """Change the data as root does on the machine itself, past the server's access control."""
        _ldbmodify(self.folder, ldif, *controls)

    def _prepare(self) -> None:
        check_packages(_PACKAGES)
        _free_address(self._wanted)  # before the work, since there may be none
        self._fill()

    def _fill(self) -> None:
        if self._cache is None:
            _provision(self.folder)
            return
        key = hashlib.sha256(repr(_inputs()).encode()).hexdigest()[:16]
        kept = self._cache / f"samba-{key}"
        if not kept.is_dir():
            self._cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="provision-", dir=self._cache) as made:
                _provision(Path(made))
                (Path(made) / "smb.conf").unlink()  # its paths are of this folder
                with contextlib.suppress(OSError):  # another session was quicker
                    Path(made).rename(kept)
                    Path(made).mkdir()
            for old in self._cache.glob("samba-*"):
                if old != kept:
                    shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(kept, self.folder, dirs_exist_ok=True)

    def _choose(self) -> None:
        self.host = _free_address(self._wanted)
        self.ca.write_bytes(self.authority.pem)
        names = dict.fromkeys((*certs.LOCAL, self.host, f"dc1.{self.realm}"))
        self._issue(self.authority, *names).write(self.folder, "server")

    def _start(self, process: ServerProcess) -> None:
        _write_configuration(self.folder, self._settings())
        options = ("--interactive", "-M", "single", "-d", "1")
        command = [program("samba"), *options, *_configured(self.folder)]
        process.start(command, ready=self._answers, within=_READY_WITHIN)

    def _settings(self) -> dict[str, str]:
        return {
            "server services": "ldap",
            "dcerpc endpoint servers": "",
            "interfaces": f"{self.host}/8",
            "bind interfaces only": "yes",
            "ldap server require strong auth": self._strong_auth.value,
            "tls enabled": "yes",
            "tls cafile": str(self.ca),
            "tls certfile": str(self.folder / "server.pem"),
            "tls keyfile": str(self.folder / "server.key"),
        }

    def _answers(self) -> bool:
        """Whether the server says over TLS what it is."""
        with contextlib.suppress(OSError, EOFError), Wire(self.ldaps_uri) as wire:
            return wire.search("")[-1].code == 0
        return False

    def _started(self) -> None:
        """Lock the account that is locked as it is in life: by failed attempts."""
        locked = self.accounts[AccountState.LOCKED]
        with Wire(self.ldaps_uri) as wire:
            for _ in range(ad_sample.LOCKOUT_THRESHOLD):
                wire.bind(locked.dn, "wrong")


def _free_address(wanted: str | None) -> str:
    """An address of loopback on which none of Samba's ports is taken."""
    tried = [wanted] if wanted else [_any_address() for _ in range(20)]
    for address in tried:
        if all(listenable(address, port) for port in _PORTS):
            return address
    raise PortsTakenError(f"cannot listen on the ports {_PORTS} of {wanted or 'any address of loopback'}")


def _any_address() -> str:
    return f"127.{random.randint(64, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"


def _inputs() -> tuple[object, ...]:
    """All that the provisioned tree depends on."""
    programs = (run([program("samba"), "--version"]), Path(__file__).read_bytes())
    return programs, ad_sample.entries(), ad_sample.changes(0), ad_sample.aged_password()


def _provision(folder: Path) -> None:
    # The tool reads a configuration, and writes one whose services we do not want: ours replaces it.
    _write_configuration(folder, {})
    command = [
        *(program("samba-tool"), "domain", "provision", "--quiet", f"--targetdir={folder}"),
        *(f"--realm={ad_sample.REALM.upper()}", f"--domain={ad_sample.DOMAIN}", "--server-role=dc"),
        *("--dns-backend=SAMBA_INTERNAL", "--host-name=dc1", "--host-ip=127.0.0.1"),
        f"--adminpass={ad_sample.ADMINISTRATOR_PASSWORD}",
        *_configured(folder),
    ]
    run(command)
    _write_configuration(folder, {})
    _ldbmodify(folder, ad_sample.entries())
    _ldbmodify(folder, ad_sample.trust_account(), ad_sample.PERMIT_TRUST_ACCOUNT)
    _ldbmodify(folder, ad_sample.changes(_rid(folder, ad_sample.PRIMARY_GROUP)))
    _ldbmodify(folder, ad_sample.aged_password(), ad_sample.BYPASS_PASSWORD_RULES)


def _write_configuration(folder: Path, settings: Mapping[str, str]) -> None:
    for name in ("run", "log"):
        (folder / name).mkdir(exist_ok=True)
    everything = {
        "workgroup": ad_sample.DOMAIN,
        "realm": ad_sample.REALM.upper(),
        "netbios name": "DC1",
        "server role": "active directory domain controller",
        "private dir": str(folder / "private"),
        "lock directory": str(folder),
        "state directory": str(folder / "state"),
        "cache directory": str(folder / "cache"),
        "binddns dir": str(folder / "bind-dns"),
        "pid directory": str(folder / "run"),
        "ncalrpc dir": str(folder / "run" / "ncalrpc"),
        "winbindd socket directory": str(folder / "run" / "winbindd"),
        "ntp signd socket directory": str(folder / "run" / "ntp"),
        "log file": str(folder / "log" / "log"),
        **settings,
    }
    lines = ["[global]", *(f"\t{name} = {value}" for name, value in everything.items())]
    (folder / "smb.conf").write_text("\n".join(lines) + "\n")


def _configured(folder: Path) -> tuple[str, ...]:
    return (f"--configfile={folder / 'smb.conf'}",)


def _ldbmodify(folder: Path, ldif: str, *controls: str) -> None:
    (folder / "changes.ldif").write_text(ldif)
    flags = [f"--controls={control}" for control in controls]
    database = ("-H", str(_sam(folder)))
    run([program("ldbmodify"), *_configured(folder), *database, *flags, "changes.ldif"], cwd=folder)


def _rid(folder: Path, group: str) -> int:
    """The relative ID of a group: what its members have in primaryGroupID."""
    query = ["-H", str(_sam(folder)), f"(&(objectClass=group)(cn={group}))", "primaryGroupToken"]
    found = run([program("ldbsearch"), *_configured(folder), *query])
    for line in found.splitlines():
        name, _, value = line.partition(": ")
        if name == "primaryGroupToken":
            return int(value)
    raise ServerError(f"no group {group} was made:\n{found}")


def _sam(folder: Path) -> Path:
    return folder / "private" / "sam.ldb"

"""A real 389 Directory Server, filled with `support.dirsrv_sample`, on free ports of loopback.

Theory of operation. `dscreate` wants systemd, or at least the folders of the system. So the instance is made
from the same templates that `dscreate` uses, with every path in the temporary folder: dse.ldif from the
package's own, NSS's certificate database by `certutil` and `pk12util`, the data by `ns-slapd ldif2db`. The
server is `ns-slapd -d 0`: in the foreground, as the user who runs the tests, who need not be root. The
instance is named after the folder, because the server makes a semaphore of the instance's name.
"""

import contextlib
import enum
import getpass
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from support import certs, dirsrv_sample
from support.accounts import Account, AccountState
from support.certs import Issued
from support.ldap_tools import Identity, search
from support.ldif import modify
from support.server_process import (
    ServerError,
    ServerProcess,
    TemporaryServer,
    check_packages,
    free_ports,
    program,
    run,
)
from support.wire import Wire

_READY_WITHIN = 60.0  # seconds
_TEMPLATES = Path("/usr/share/dirsrv/data")
_CONFIGURATION = Path("/etc/dirsrv")
_BACKEND = "userRoot"
_NICKNAME = "Server-Cert"
_TRANSPORT = b"transport"
_PACKAGES = {  # a program or a file of each Debian package that is needed
    "ns-slapd": "389-ds-base",
    str(_TEMPLATES / "template-dse.ldif"): "389-ds-base",
    "certutil": "libnss3-tools",
    "pk12util": "libnss3-tools",
}


class Readers(enum.Enum):
    """Who may read the directory, by its access control instructions."""

    ANYONE = "ldap:///anyone"
    USERS = "ldap:///all"
    """Users who have bound."""
    SERVICE_ACCOUNT = f"ldap:///{dirsrv_sample.SERVICE_DN}"
    """No others: users may not read even their own entries."""


class AnonymousAccess(enum.Enum):
    """nsslapd-allow-anonymous-access: what the server lets anonymous clients do, whatever they may read."""

    ON = "on"
    ROOT_DSE = "rootdse"
    OFF = "off"


class Scram(enum.Enum):
    """Whether people can bind by SASL SCRAM."""

    WORKS = enum.auto()
    """Passwords are stored as cleartext."""
    OFFERED = enum.auto()
    """As installed: the root DSE names it, but hashed passwords make each bind fail (S111)."""
    ABSENT = enum.auto()
    """Not among nsslapd-allowed-sasl-mechanisms."""


class DirectoryServer389(TemporaryServer):
    """A context manager. Options are fixed when it is made; entering loads the data and starts the server.

    `certificate` is what the server shows over LDAPS and StartTLS. `require_secure_binds` refuses simple
    binds over unencrypted connections. `settings` are further attributes of cn=config, such as
    nsslapd-sizelimit.
    """

    name = "389"
    _orderly = False  # it would take 2 s
    base_dn = dirsrv_sample.BASE
    service = Identity(dirsrv_sample.SERVICE_DN, dirsrv_sample.SERVICE_PASSWORD)
    administrator = Identity("cn=Directory Manager", "manager-Secret1")
    accounts: Mapping[AccountState, Account] = dirsrv_sample.ACCOUNTS
    host = "127.0.0.1"

    def __init__(
        self,
        *,
        authority: Issued | None = None,
        certificate: Issued | None = None,
        readers: Readers = Readers.ANYONE,
        anonymous: AnonymousAccess = AnonymousAccess.ON,
        scram: Scram = Scram.OFFERED,
        require_secure_binds: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.authority = authority or certs.authority()
        self.certificate = certificate or certs.leaf(self.authority, *certs.LOCAL)
        self.port = 0
        self.ldaps_port = 0
        self._readers = readers
        self._scram = scram
        self._settings = {
            "nsslapd-listenhost": self.host,
            "nsslapd-securelistenhost": self.host,
            "nsslapd-security": "on",
            "nsslapd-defaultnamingcontext": self.base_dn,
            "nsslapd-pwpolicy-local": "on",
            "nsslapd-allow-anonymous-access": anonymous.value,
            "nsslapd-require-secure-binds": "on" if require_secure_binds else "off",
            "nsslapd-accesslog-logbuffering": "off",
            **({"nsslapd-allowed-sasl-mechanisms": "EXTERNAL GSSAPI"} if scram is Scram.ABSENT else {}),
            **(settings or {}),
        }

    @property
    def ca(self) -> Path:
        """The PEM file of the authority that signed the server's certificate."""
        return self.folder / "ca.pem"

    @property
    def uri(self) -> str:
        """Unencrypted; StartTLS is offered."""
        return f"ldap://{self.host}:{self.port}"

    @property
    def ldaps_uri(self) -> str:
        return f"ldaps://{self.host}:{self.ldaps_port}"

    def modify(self, ldif: str) -> None:
        """Change data, or the configuration, as the administrator."""
        who = ("-D", self.administrator.dn, "-w", self.administrator.password)
        trust = {"LDAPTLS_CACERT": str(self.ca), "LDAPTLS_REQCERT": "never"}
        changes = self.folder / "changes.ldif"
        changes.write_text(ldif)
        run(["ldapmodify", "-x", "-H", self.ldaps_uri, *who, "-f", str(changes)], environ=trust)

    @contextlib.contextmanager
    def configured(self, settings: Mapping[str, str]) -> Iterator[None]:
        """For a while, other values for attributes of cn=config that take effect at once."""
        place = (self.ldaps_uri, None, self.administrator, "cn=config")
        (entry,) = search(*place, "(objectClass=*)", *settings, scope="base").entries
        before = {name: entry.text(name) for name in settings}
        self.modify(modify("cn=config", "replace", settings))
        try:
            yield
        finally:
            self.modify(modify("cn=config", "replace", before))

    def log(self) -> str:
        """The access log so far; what the server writes of its start is in the file `389.log`."""
        return (self._instance / "log" / "access").read_text(errors="replace")

    @property
    def _instance(self) -> Path:
        return self.folder / f"slapd-{self.folder.name}"

    def _clean_up(self) -> None:
        # The semaphore that the server makes outside its folder.
        Path(f"/dev/shm/sem.{self._instance.name}.stats").unlink(missing_ok=True)

    def _prepare(self) -> None:
        check_packages(_PACKAGES)
        for name in ("schema", "lock", "tmp", "ldif", "bak", "run", "log", "db"):
            (self._instance / name).mkdir(parents=True)
        shutil.copy(_CONFIGURATION / "schema" / "99user.ldif", self._instance / "schema")
        (self._instance / "schema" / "98quintet.ldif").write_text(dirsrv_sample.SCHEMA)
        for name in ("slapd-collations.conf", "certmap.conf"):
            shutil.copy(_CONFIGURATION / "config" / name, self._instance)
        self.ca.write_bytes(self.authority.pem)
        self._store_certificate()

    def _store_certificate(self) -> None:
        """Put the certificate, its chain and its key into NSS's database, without a password."""
        database = f"sql:{self._instance}"
        key = self.certificate.key
        encryption = serialization.BestAvailableEncryption(_TRANSPORT)
        store = pkcs12.serialize_key_and_certificates(
            _NICKNAME.encode(), key, self.certificate.certificate, self.certificate.chain, encryption
        )
        (self._instance / "server.p12").write_bytes(store)
        run([program("certutil"), "-N", "-d", database, "--empty-password"])
        password = ("-W", _TRANSPORT.decode(), "-K", "")
        run([program("pk12util"), "-i", str(self._instance / "server.p12"), "-d", database, *password])
        authority = ("-n", "CA", "-t", "CT,,", "-a", "-i", str(self.ca))
        run([program("certutil"), "-A", "-d", database, *authority])

    def _choose(self) -> None:
        self.port, self.ldaps_port = free_ports(2, self.host)
        self._write_configuration()
        self._load()

    def _write_configuration(self) -> None:
        """What `dscreate` writes and then changes online, at once."""
        values = {
            **{f"{name}_dir": str(self._instance / name) for name in _OWN_FOLDERS},
            **dict.fromkeys(("cert_dir", "inst_dir", "config_dir"), str(self._instance)),
            "db_home_dir": str(self._instance / "db"),
            "db_lib": "bdb",
            "ds_bename": _BACKEND,
            "ds_passwd": f"{{CLEAR}}{self.administrator.password}",
            "ds_port": str(self.port),
            "ds_suffix": self.base_dn,
            "ds_user": getpass.getuser(),
            "fqdn": "localhost",
            "ldapi": str(self._instance / "ldapi"),
            "ldapi_enabled": "off",
            "ldapi_autobind": "off",
            "rootdn": self.administrator.dn,
        }
        names = ("template-dse.ldif", "template-suffix-db.ldif", "template-sasl.ldif")
        text = "\n\n".join((_TEMPLATES / name).read_text() for name in names)
        text = re.sub(r"%(\w+)%", lambda found: values[found[1]], text)
        text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
        settings = self._settings | {"nsslapd-securePort": str(self.ldaps_port)}
        text = _insert(text, "cn=config", settings)
        text = _replace(text, "cn=Account Policy Plugin,cn=plugins,cn=config", "nsslapd-pluginEnabled", "on")
        text = f"{text}\n\n{_ACCOUNT_POLICY}"
        text = re.sub(r"\n{3,}", "\n\n", text)  # an empty record stops the server
        (self._instance / "dse.ldif").write_text(text)

    def _load(self) -> None:
        target = f'(targetattr != "{" || ".join(_HIDDEN)}")'
        reading = f'allow (read, search, compare) userdn = "{self._readers.value}";'
        acis = (f'{target}(version 3.0; acl "Readers"; {reading})',)
        data = self._instance / "data.ldif"
        data.write_text(dirsrv_sample.entries(acis, cleartext=self._scram is Scram.WORKS))
        try:
            run([program("ns-slapd"), "ldif2db", "-D", str(self._instance), "-n", _BACKEND, "-i", str(data)])
        except ServerError as error:  # some entries were refused: the program says why only to its log
            said = (self._instance / "log" / "errors").read_text()
            raise ServerError(f"{error}\n{said}") from None

    def _start(self, process: ServerProcess) -> None:
        pid = str(self._instance / "run" / "pid")
        command = [program("ns-slapd"), "-D", str(self._instance), "-i", pid, "-d", "0"]
        process.start(command, ready=self._answers, within=_READY_WITHIN)

    def _answers(self) -> bool:
        """Whether the server answers an administrator over TLS."""
        with contextlib.suppress(OSError, EOFError), Wire(self.ldaps_uri) as wire:
            return wire.bind(self.administrator.dn, self.administrator.password).code == 0
        return False


_OWN_FOLDERS = ("schema", "lock", "tmp", "ldif", "bak", "run", "log", "db")
_HIDDEN = ("userPassword", "aci")
_ACCOUNT_POLICY = """dn: cn=config,cn=Account Policy Plugin,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
cn: config
alwaysrecordlogin: no
stateattrname: lastLoginTime
altstateattrname: 1.1
specattrname: acctPolicySubentry
limitattrname: accountInactivityLimit
"""


def _insert(text: str, dn: str, attributes: Mapping[str, str]) -> str:
    """The configuration with further attributes at the beginning of an entry."""
    lines = "".join(f"{name}: {value}\n" for name, value in attributes.items())
    head = f"dn: {dn}\n"
    assert head in text, dn
    return text.replace(head, head + lines, 1)


def _replace(text: str, dn: str, attribute: str, value: str) -> str:
    """The configuration with another value for an attribute that the entry has."""
    begins = text.index(f"dn: {dn}\n")
    ends = text.index("\n\n", begins)
    entry, count = re.subn(rf"(?m)^{attribute}: .*$", f"{attribute}: {value}", text[begins:ends])
    assert count == 1, (dn, attribute)
    return text[:begins] + entry + text[ends:]

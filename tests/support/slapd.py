"""A real slapd of one's own: unprivileged, in a temporary folder, on free loopback ports.

The packaged service is never touched. Only the process that was started here is ever stopped.
"""

import contextlib
import socket
from pathlib import Path
from urllib.parse import quote

from support import certs, small
from support.certs import Issued
from support.server_process import ServerProcess, TemporaryServer, free_ports, program, run

_MODULES = Path("/usr/lib/ldap")
_SCHEMAS = Path("/etc/ldap/schema")
_SLAPD = program("slapd")
_SLAPADD = str(Path(_SLAPD).with_name("slapadd"))
_READY_WITHIN = 20.0


class Slapd(TemporaryServer):
    """A context manager. Options are fixed when it is made; entering loads the data and starts the server.

    `ldif` is loaded by slapadd. `certificate` is what the server shows over LDAPS (`tls_port`) and StartTLS
    (`port`); `ca` is the PEM file of who signed it. `anonymous_read` decides whether one must bind before
    reading; `hidden` attributes are never shown to anonymous; `barred` entries may be known to exist, and
    nothing more; without `self_read` no user may read their own entry. `head` is extra configuration before
    the database, `extra` in it. `sasl` lets people bind by SCRAM as their uid. `verify_client` is slapd's
    `TLSVerifyClient`, with `client_ca` as the authority of clients. `stats` writes the access log that
    `log()` reads. It listens at `host`, and at the Unix socket `socket` as well.
    """

    name = "slapd"
    _attempts = 5

    def __init__(
        self,
        ldif: bytes = small.LDIF,
        *,
        base: str = small.BASE,
        authority: Issued | None = None,
        certificate: Issued | None = None,
        tls: bool = True,
        anonymous_read: bool = True,
        hidden: tuple[str, ...] = (),
        barred: tuple[str, ...] = (),
        self_read: bool = True,
        schemas: tuple[str, ...] = ("core", "cosine", "inetorgperson"),
        modules: tuple[str, ...] = ("back_mdb",),
        head: str = "",
        extra: str = "",
        sasl: bool = False,
        verify_client: str = "never",
        client_ca: bytes = b"",
        stats: bool = True,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__()
        self.base = base
        self.admin_dn = f"cn=admin,{base}"
        self.admin_password = "admin-secret"
        self.host = host
        self.port = 0
        self.tls_port = 0
        self.tls = tls
        self.authority = authority or certs.authority()
        self.certificate = certificate or certs.leaf(self.authority, *certs.LOCAL)
        self._ldif = ldif
        self._anonymous_read = anonymous_read
        self._hidden = hidden
        self._barred = barred
        self._self_read = self_read
        self._schemas = schemas
        self._modules = modules
        self._head = head
        self._extra = extra
        self._sasl = sasl
        self._verify_client = verify_client
        self._client_ca = client_ca
        self._stats = stats

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def url(self) -> str:
        return f"ldap://{self.host}:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.host}:{self.tls_port}"

    @property
    def socket(self) -> Path:
        return self.folder / "ldapi"

    @property
    def socket_url(self) -> str:
        return f"ldapi://{quote(str(self.socket), safe='')}"

    def show(self, certificate: Issued) -> None:
        """Show another certificate from the next `restart` on."""
        self.certificate = certificate
        self.certificate.write(self.folder, "server")

    def modify(self, ldif: str) -> None:
        """Change data as the administrator."""
        changes = self.folder / "changes.ldif"
        changes.write_text(ldif)
        who = ("-D", self.admin_dn, "-w", self.admin_password)
        run(["ldapmodify", "-x", "-e", "relax", "-H", self.url, *who, "-f", str(changes)])

    def _prepare(self) -> None:
        (self.folder / "db").mkdir()
        self.ca.write_bytes(self.authority.pem)
        (self.folder / "client-ca.pem").write_bytes(self._client_ca or self.authority.pem)
        self.certificate.write(self.folder, "server")
        (self.folder / "slapd.conf").write_text(self._configuration())
        (self.folder / "data.ldif").write_bytes(self._ldif)
        run([_SLAPADD, "-q", "-f", str(self.folder / "slapd.conf"), "-l", str(self.folder / "data.ldif")])

    def _configuration(self) -> str:
        folder = self.folder
        lines = [f"include {_SCHEMAS / name}.schema" for name in self._schemas]
        lines += [f"modulepath {_MODULES}", *(f"moduleload {name}" for name in self._modules)]
        lines += [f"pidfile {folder / 'slapd.pid'}", f"argsfile {folder / 'slapd.args'}", "threads 4"]
        lines += ["loglevel 0"]  # nothing to syslog; what `-d` asks for goes to our own file
        if self.tls:
            lines += [
                f"TLSCACertificateFile {folder / 'client-ca.pem'}",
                f"TLSCertificateFile {folder / 'server.pem'}",
                f"TLSCertificateKeyFile {folder / 'server.key'}",
                f"TLSVerifyClient {self._verify_client}",
            ]
        if self._sasl:
            pattern = '"uid=([^,]*),cn=[^,]*,cn=auth"'
            lines += [
                "password-hash {CLEARTEXT}",
                "sasl-host localhost",
                f'authz-regexp {pattern} "ldap:///{self.base}??sub?(uid=$1)"',
            ]
        lines += [self._head, "database mdb", f'suffix "{self.base}"', f'rootdn "{self.admin_dn}"']
        lines += [
            f"rootpw {self.admin_password}",
            f"directory {folder / 'db'}",
            "maxsize 1073741824",
            "dbnosync",
        ]
        lines += ["index objectClass eq"]
        if "inetorgperson" in self._schemas:
            lines += ["index cn,sn,givenName,uid,mail,member eq"]
        lines += [*self._access(), self._extra]
        return "\n".join(lines) + "\n"

    def _access(self) -> list[str]:
        lines = [f'access to dn.exact="{dn}" by * disclose' for dn in self._barred]
        lines.append("access to attrs=userPassword by self write by anonymous auth by * none")
        if self._hidden:
            lines.append(f"access to attrs={','.join(self._hidden)} by users read by * none")
        reader = "by * read" if self._anonymous_read else "by users read by anonymous auth by * none"
        own = "" if self._self_read else "by self none "
        return [*lines, f"access to * {own}{reader}"]

    def _choose(self) -> None:
        self.port, self.tls_port = free_ports(2, self.host)

    def _start(self, process: ServerProcess) -> None:
        urls = f"{self.url}/ {self.socket_url}/" + (f" {self.tls_url}/" if self.tls else "")
        level = "stats" if self._stats else "0"
        command = [_SLAPD, "-f", str(self.folder / "slapd.conf"), "-h", urls, "-d", level]
        process.start(command, ready=self._answers, within=_READY_WITHIN)

    def _answers(self) -> bool:
        ports = (self.port, self.tls_port) if self.tls else (self.port,)
        with contextlib.suppress(OSError):
            for port in ports:
                socket.create_connection((self.host, port), timeout=1).close()
            return True
        return False

"""OpenLDAP's `ldapsearch`: a second opinion on what a server says, not made by Quintet."""

import base64
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_TIMEOUT = 60.0  # seconds
_REFERRAL = "# ref"
_RESULT = re.compile(
    r"^(?P<call>ldap_\w+(?:\(\w+\))?: )?(?P<words>[^\n:]+?) \((?P<code>-?\d+)\)(?P<more>;.*)?$", re.MULTILINE
)
_TEXT = re.compile(r"^\t?[Aa]dditional info(?:rmation)?: (?P<text>.*)\Z", re.MULTILINE | re.DOTALL)


class LdapToolError(Exception):
    """The program could not be run, or did not say what it was asked."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom to bind as: a DN (or whatever a server takes for one) and a password."""

    dn: str
    password: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was found. `attributes` are by the name that the server wrote, in its order."""

    dn: str
    attributes: dict[str, list[bytes]]

    def text(self, name: str) -> list[str]:
        return [value.decode() for value in self.attributes.get(name, [])]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search: LDAP's result code and diagnostic message, entries, referrals."""

    code: int
    text: str
    entries: list[Entry] = field(default_factory=list)
    referrals: list[str] = field(default_factory=list)

    @property
    def dns(self) -> list[str]:
        return [entry.dn for entry in self.entries]


def search(
    uri: str,
    ca: Path | None,
    identity: Identity | None,
    base: str,
    query: str = "(objectClass=*)",
    *attributes: str,
    scope: str = "sub",
    options: tuple[str, ...] = (),
) -> Found:
    """One search. `ca` verifies the server; without it, the certificate is not looked at.

    `options` are further ones of ldapsearch, for example `("-E", "pr=100/noprompt")`.
    """
    flags = ("-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope, *options)
    done = _run(uri, ca, identity, *flags, query, *attributes)
    # The result code stands at the end: before it ldapsearch may remark on controls.
    results = list(_RESULT.finditer(done.stderr))
    if done.returncode and not results:
        raise LdapToolError(f"ldapsearch: {done.returncode} {done.stderr}")
    text = _TEXT.search(done.stderr)
    entries, referrals = _read(done.stdout)
    code = int(results[-1]["code"]) if done.returncode else 0
    return Found(code, text["text"].strip("\n") if text else "", entries, referrals)


def _run(
    uri: str, ca: Path | None, identity: Identity | None, *options: str
) -> subprocess.CompletedProcess[str]:
    who = ("-D", identity.dn, "-w", identity.password) if identity else ()
    trust = {"LDAPTLS_CACERT": str(ca)} if ca else {"LDAPTLS_REQCERT": "never"}
    command = ["ldapsearch", "-x", "-H", uri, *who, *options]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8", **trust},
        )
    except FileNotFoundError:
        raise LdapToolError("ldapsearch is missing (Debian: apt-get install ldap-utils)") from None


def _read(ldif: str) -> tuple[list[Entry], list[str]]:
    entries: list[Entry] = []
    referrals: list[str] = []
    for record in ldif.split("\n\n"):
        pairs = list(_pairs(record))
        referrals += [value.decode() for name, value in pairs if name == _REFERRAL]
        if pairs and pairs[0][0] == "dn":
            attributes: dict[str, list[bytes]] = {}
            for name, value in pairs[1:]:
                if name != _REFERRAL:
                    attributes.setdefault(name, []).append(value)
            entries.append(Entry(pairs[0][1].decode(), attributes))
    return entries, referrals


def _pairs(record: str) -> Iterator[tuple[str, bytes]]:
    for line in record.splitlines():
        name, colon, value = line.partition(":")
        if line.startswith("# refldap"):  # the only way in which ldapsearch -LLL prints a referral
            yield _REFERRAL, line.removeprefix("# ref").encode()
        elif colon and not line.startswith("#"):
            plain = value.removeprefix(" ").encode()
            yield name, base64.b64decode(value[1:]) if value.startswith(":") else plain

"""The TLS keys of the settings, as a profile, with all that is wrong with them (reference 2.3 to 2.8)."""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quintet.secret import Secret
from quintet.tls.fips import fips_is_active
from quintet.tls.names import is_host
from quintet.tls.settings import Origin, SecurityLevel, StoreKind, StoreLocation, TlsSettings, version_name
from quintet.tls.suites import SUITES, CipherSuiteError, Signal, Suite, find_suite, shown


@dataclass(frozen=True, slots=True)
class TlsProblem:
    """What is wrong with a TLS key, or worth knowing. `fatal`: the profile cannot be used.

    `key` is without its prefix, "TLS_CIPHER_SUITES"; `origin` tells how and where it is written. The message
    never holds a secret.
    """

    key: str
    origin: Origin | None
    message: str
    fatal: bool = True


Lookup = Callable[[str], tuple[str, Origin] | None]

_KINDS = {"p12": StoreKind.PKCS12, "pkcs12": StoreKind.PKCS12, "pfx": StoreKind.PKCS12, "jks": StoreKind.JKS}
_VERSIONS = {
    0x301: ssl.TLSVersion.TLSv1,
    0x302: ssl.TLSVersion.TLSv1_1,
    0x303: ssl.TLSVersion.TLSv1_2,
    0x304: ssl.TLSVersion.TLSv1_3,
}
_SSL_3 = 0x300
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9}")
_SCOPE = re.compile(r"(ST[A-Z]*)_TLS_")
_MOST_TOLD = 20
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


def read_tls_settings(value: Lookup, *, base: Path) -> tuple[TlsSettings, tuple[TlsProblem, ...]]:
    """The profile that the TLS keys of the LDAP scope ask for (reference 2.3 to 2.8), and all that is wrong.

    `value` gives the text and the origin of a key, its prefix left out ("TLS_TRUST_STORE_FILE"), with the
    scopes already resolved; None and blank both mean the default. Relative paths count from `base`. When a
    problem is fatal, the profile holds defaults in its place and must not be used.
    """
    reader = _Reader(value, base)
    return reader.profile(), tuple(reader.problems)


class _Reader:
    """Reads the keys one by one, and goes on after a problem, so that all are found in one go."""

    def __init__(self, value: Lookup, base: Path) -> None:
        self.problems: list[TlsProblem] = []
        self._value = value
        self._base = base
        self._origins: dict[str, Origin] = {}

    def profile(self) -> TlsSettings:
        level = self._level()
        minimum, maximum = self._versions()
        suites = self._suites()
        if not any(problem.fatal for problem in self.problems):
            minimum, maximum = self._fit_level(level, minimum, maximum)
            suites = self._fit_suites(suites, level)
            minimum, maximum = self._fit_versions(suites, minimum, maximum)
        return TlsSettings(
            trust_store=self._store("TRUST"),
            key_store=self._store("KEY"),
            key_label=self._text("TLS_KEY_LABEL", "key_label"),
            minimum=minimum,
            maximum=maximum,
            suites=tuple(suite.openssl for suite in suites if not suite.is_13),
            suites_13=tuple(suite.openssl for suite in suites if suite.is_13),
            level=level,
            fips=self._fips(),
            trusted_hosts=self._hosts(),
            origins=self._origins,
        )

    def _text(self, key: str, name: str, *, strip: bool = True) -> str | None:
        """The text of a key, None when it is not set; `name` is what `TlsSettings.origins` calls it."""
        found = self._value(key)
        if found is None or not found[0].strip():
            return None
        self._origins[name] = found[1]
        return found[0].strip() if strip else found[0]

    def _list(self, key: str, name: str) -> tuple[str, ...]:
        text = self._text(key, name) or ""
        return tuple(part for each in text.split(",") if (part := each.strip()))

    def _tell(self, key: str, name: str, message: str, *, fatal: bool = True) -> None:
        self.problems.append(TlsProblem(key, self._origins.get(name), message, fatal))

    # Stores, reference 2.3 to 2.5.

    def _store(self, which: str) -> StoreLocation | None:
        name, key = f"{which.lower()}_store", f"TLS_{which}_STORE_"
        file = self._text(key + "FILE", name)
        kind = self._kind(key + "TYPE", f"{name}_type")
        password = self._text(key + "PASSWORD", f"{name}_password", strip=False)
        stash = self._text(key + "PASSWORD_STASH_FILE", f"{name}_stash")
        if file is None:
            for part, written in (
                ("TYPE", "type"),
                ("PASSWORD", "password"),
                ("PASSWORD_STASH_FILE", "stash"),
            ):
                if f"{name}_{written}" in self._origins:
                    self._tell(
                        key + part, f"{name}_{written}", f"has no effect without {key}FILE", fatal=False
                    )
            return None
        if password is None and stash is None:
            self._tell(
                key + "FILE",
                name,
                f"the store has no password here: set {key}PASSWORD or {key}PASSWORD_STASH_FILE beside it",
                fatal=False,
            )
        self._warn_of_mixed_scopes(name, key)
        path = self._base / file
        if kind is None:
            kind = StoreKind.JKS if path.suffix.lower() == ".jks" else StoreKind.PKCS12
        secret = None if password is None else Secret(password)
        return StoreLocation(path, kind, secret, None if stash is None else self._base / stash)

    def _kind(self, key: str, name: str) -> StoreKind | None:
        text = self._text(key, name)
        if text is None:
            return None
        kind = _KINDS.get(text.lower())
        if kind is None:
            self._tell(key, name, f"{shown(text)} is no type of store; it must be p12 (also pfx) or jks")
        return kind

    def _warn_of_mixed_scopes(self, name: str, key: str) -> None:
        file = self._origins[name]
        parts = (("TYPE", "type"), ("PASSWORD", "password"), ("PASSWORD_STASH_FILE", "stash"))
        for part, written in parts:
            other = self._origins.get(f"{name}_{written}")
            if other is not None and _scope(other) != _scope(file):
                self._tell(
                    key + part,
                    f"{name}_{written}",
                    f"comes from the scope {_scope(other)}_, but {file.key} ({file.place}) does not,"
                    " nearly always by mistake; write both with the same prefix",
                    fatal=False,
                )

    # Versions, level, suites, reference 2.3, 2.6 and 2.7.

    def _versions(self) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        minimum = self._version("TLS_MIN_PROTOCOL_VERSION", "minimum", ssl.TLSVersion.TLSv1_2)
        maximum = self._version("TLS_MAX_PROTOCOL_VERSION", "maximum", ssl.TLSVersion.TLSv1_3)
        if minimum > maximum:
            at = "minimum" if "minimum" in self._origins else "maximum"
            key = "TLS_MIN_PROTOCOL_VERSION" if at == "minimum" else "TLS_MAX_PROTOCOL_VERSION"
            self._tell(
                key,
                at,
                f"the oldest version, {version_name(minimum)}, is above the newest, {version_name(maximum)}",
            )
        elif minimum < ssl.TLSVersion.TLSv1_2:
            self._tell(
                "TLS_MIN_PROTOCOL_VERSION",
                "minimum",
                f"{version_name(minimum)} is broken and should not be used: set 0x303, TLS 1.2",
                fatal=False,
            )
        return minimum, maximum

    def _version(self, key: str, name: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
        text = self._text(key, name)
        if text is None:
            return default
        code = _number(text)
        if code == _SSL_3:
            self._tell(
                key, name, f"{shown(text)} is SSLv3, which is broken and cannot be used: set 0x303, TLS 1.2"
            )
        elif code not in _VERSIONS:
            self._tell(
                key,
                name,
                f"{shown(text)} is no TLS version; it must be 0x303 (TLS 1.2), 0x304 (1.3), or the old"
                " 0x301 (1.0) or 0x302 (1.1)",
            )
        else:
            return _VERSIONS[code]
        return default

    def _level(self) -> SecurityLevel:
        text = self._text("TLS_SECURITY_LEVEL", "level")
        number = 0 if text is None else _number(text)
        if number is None or number > max(SecurityLevel):
            self._tell(
                "TLS_SECURITY_LEVEL", "level", f"{shown(text or '')} is no level; it must be 0, 1, 2, 3 or 4"
            )
            return SecurityLevel.NONE
        return SecurityLevel(number)

    def _suites(self) -> tuple[Suite, ...]:
        found: dict[Suite, None] = {}
        told = 0
        texts = self._list("TLS_CIPHER_SUITES", "suites")
        for text in texts:
            if told == _MOST_TOLD:
                self._tell("TLS_CIPHER_SUITES", "suites", f"the list is not read from {shown(text)} on")
                break
            try:
                found[find_suite(text)] = None
            except CipherSuiteError as error:
                told += 1
                self._tell("TLS_CIPHER_SUITES", "suites", str(error), fatal=not isinstance(error, Signal))
        if texts and not found and not any(problem.fatal for problem in self.problems):
            self._tell("TLS_CIPHER_SUITES", "suites", "the list names no cipher suite")
        return tuple(found)

    def _fit_level(
        self, level: SecurityLevel, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion
    ) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        """The versions that the level leaves. It is a minimum, so both must hold."""
        if level >= SecurityLevel.SP800_131A_TRANSITION and maximum < ssl.TLSVersion.TLSv1_2:
            self._tell(
                "TLS_MAX_PROTOCOL_VERSION",
                "maximum",
                f"{version_name(maximum)} does not do for TLS_SECURITY_LEVEL {level:d}, which needs TLS 1.2",
            )
        if level < SecurityLevel.SP800_131A_STRICT:
            return minimum, maximum
        if minimum > ssl.TLSVersion.TLSv1_2:
            self._tell(
                "TLS_MIN_PROTOCOL_VERSION",
                "minimum",
                f"TLS_SECURITY_LEVEL {level:d} is defined for TLS 1.2 only: set 0x303, or a level of 0 or 1",
            )
        return ssl.TLSVersion.TLSv1_2, min(maximum, ssl.TLSVersion.TLSv1_2)

    def _fit_suites(self, suites: tuple[Suite, ...], level: SecurityLevel) -> tuple[Suite, ...]:
        if not suites:
            return ()
        kept = tuple(suite for suite in suites if suite.most >= level)
        left_out = ", ".join(suite.name for suite in suites if suite.most < level)
        if not kept:
            allowed = ", ".join(suite.name for suite in SUITES if suite.most >= level and not suite.is_13)
            self._tell(
                "TLS_CIPHER_SUITES",
                "suites",
                f"none of these suites does for TLS_SECURITY_LEVEL {level:d}, which allows {allowed}",
            )
        elif left_out:
            self._tell(
                "TLS_CIPHER_SUITES",
                "suites",
                f"left out, because TLS_SECURITY_LEVEL {level:d} forbids them: {left_out}",
                fatal=False,
            )
        return kept

    def _fit_versions(
        self, suites: tuple[Suite, ...], minimum: ssl.TLSVersion, maximum: ssl.TLSVersion
    ) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        """The versions that the suites leave: TLS 1.3 only if the list names a suite of it, and so on."""
        if not suites:
            return minimum, maximum
        highest, lowest = maximum, minimum
        if not any(suite.is_13 for suite in suites):
            highest = min(maximum, ssl.TLSVersion.TLSv1_2)
        if all(suite.is_13 for suite in suites):
            lowest = ssl.TLSVersion.TLSv1_3
        if lowest > highest or min(suite.oldest for suite in suites) > highest:
            self._tell(
                "TLS_CIPHER_SUITES",
                "suites",
                f"none of these suites works from {version_name(minimum)} to {version_name(maximum)}:"
                " change the list, or the protocol versions",
            )
            return minimum, maximum
        return lowest, highest

    # The rest.

    def _fips(self) -> bool:
        text = self._text("TLS_FIPS_COMPLIANCE", "fips")
        if text is None or text.lower() in _FALSE:
            return False
        if text.lower() not in _TRUE:
            self._tell("TLS_FIPS_COMPLIANCE", "fips", f"{shown(text)} cannot be read; it must be 0 or 1")
            return False
        if not fips_is_active():
            self._tell(
                "TLS_FIPS_COMPLIANCE",
                "fips",
                f"cannot be kept: {ssl.OPENSSL_VERSION} does not run with its FIPS provider here."
                " Switch that on in openssl.cnf, or set this key to 0",
            )
        return True

    def _hosts(self) -> tuple[str, ...]:
        hosts = self._list("TLS_TRUSTED_HOSTS", "trusted_hosts")
        for host in hosts:
            if not is_host(host):
                self._tell(
                    "TLS_TRUSTED_HOSTS",
                    "trusted_hosts",
                    f"{shown(host)} is no host name: only a certificate with exactly this name matches it",
                    fatal=False,
                )
        return hosts


def _number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    return int(text, 16 if text[:2].lower() == "0x" else 10)


def _scope(origin: Origin) -> str:
    """The prefix of a key, also where it is the end of a variable's name."""
    found = _SCOPE.search(origin.key.upper())
    return found[1] if found else origin.key

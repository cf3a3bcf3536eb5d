"""How TLS to the directory is done: `TlsSettings`, and the reader of the TLS keys (config 2.3 to 2.8).

`TlsSettings` is a frozen value, so that a reload is a comparison. `read_tls_settings` makes it of the keys of
sametime.ini and tells everything that is wrong with them at once. `context` makes an `ssl.SSLContext` of it.
"""

import importlib
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path

from quintet.diagnostics import Place
from quintet.secret import Secret
from quintet.tls.names import is_host
from quintet.tls.suites import SUITES, CipherSuiteError, Signal, Suite, find_suite, shown


class StoreKind(Enum):
    """The file formats of trust and key stores. `.pfx` is another name of PKCS#12."""

    PKCS12 = "p12"
    JKS = "jks"


class SecurityLevel(IntEnum):
    """The minimum strength of algorithms and certificates (config 2.7)."""

    NONE = 0
    SP800_131A_TRANSITION = 1
    SP800_131A_STRICT = 2
    SUITE_B_128 = 3
    SUITE_B_192 = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an effective value came from: the key as it is written, and its place."""

    key: str
    place: Place


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A store file and how to open it. `stash` is the stash file that holds the password, if there is one."""

    path: Path
    kind: StoreKind
    password: Secret | None = None
    stash: Path | None = None


@dataclass(frozen=True, slots=True)
class SettingNames:
    """What the settings of a connection are called where an administrator writes them, for use in fixes.

    `prefix` is the prefix of its TLS keys; None where it has none, and only host and store can be set.
    """

    host: str = "the server's host name"
    store: str = "the TLS keys of sametime.ini"
    prefix: str | None = "STLDAP_TLS_"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Everything that decides a TLS connection, apart from the host.

    `suites` are OpenSSL names for TLS 1.2 and older, in order of preference; empty means our defaults.
    `suites_13` likewise for TLS 1.3. `trusted_hosts` are names, with wildcards by component; when there are
    any, the certificate must bear one of them, and the host name does not count (config 2.8, row C35). With
    `mirror_hosts` the names in our own certificate are among them (C38). With `crl_file` the whole chain is
    checked against the CRLs in that file. `origins` tells for each field name where it came from,
    `names` what the settings are called.
    """

    trust_store: StoreLocation | None = None
    key_store: StoreLocation | None = None
    key_label: str | None = None
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    suites: tuple[str, ...] = ()
    suites_13: tuple[str, ...] = ()
    level: SecurityLevel = SecurityLevel.NONE
    fips: bool = False
    trusted_hosts: tuple[str, ...] = ()
    mirror_hosts: bool = False
    crl_file: Path | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, hash=False)
    names: SettingNames = field(default=SettingNames(), compare=False)

    @property
    def restricts_hosts(self) -> bool:
        """Whether only listed names count, instead of the host name (config 2.8)."""
        return bool(self.trusted_hosts) or self.mirror_hosts

    @property
    def files(self) -> tuple[Path, ...]:
        """The files whose content is part of a context: when one changes, a new context must be made."""
        stores = (each.path for each in (self.trust_store, self.key_store) if each is not None)
        return (*stores, *((self.crl_file,) if self.crl_file else ()))


@dataclass(frozen=True, slots=True)
class TlsProblem:
    """What is wrong with a TLS key, or worth knowing. `fatal`: the settings must not be used.

    `code` is a `TlsFinding`'s name. `key` is without its prefix, "TLS_CIPHER_SUITES"; `origin` tells
    how and where it is written. The texts never hold a secret.
    """

    code: str
    key: str
    origin: Origin | None
    message: str
    fix: str = ""
    fatal: bool = True


class TlsSettingsError(Exception):
    """The settings ask for something that cannot be had here: `message` says what, `fix` what to do.

    `code` is a `TlsFinding`'s name.
    """

    code = "T313"

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(f"{message}; {fix}")
        self.message = message
        self.fix = fix


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
_SCOPE = re.compile(r"(ST[A-Z]*|QUINTET_[A-Z]+)_TLS_")
_MOST_TOLD = 20
_FLAGS = {**dict.fromkeys(("1", "true", "yes"), True), **dict.fromkeys(("0", "false", "no"), False)}
_PARTS = (("TYPE", "type"), ("PASSWORD", "password"), ("PASSWORD_STASH_FILE", "stash"))
_V1_2, _V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def version_name(version: ssl.TLSVersion) -> str:
    """A version as people call it: "TLS 1.2"."""
    return {"TLSv1": "TLS 1.0", "SSLv3": "SSLv3"}.get(
        version.name, version.name.replace("TLSv", "TLS ").replace("_", ".")
    )


def fips_is_active() -> bool:
    """Whether OpenSSL uses approved algorithms only, by its own configuration. Python can only ask."""
    try:
        library = importlib.import_module("_hashlib")  # where Python asks; there is no public name for it
    except ImportError:
        return False
    return bool(library.get_fips_mode())


def read_tls_settings(
    value: Lookup, *, base: Path, crl_file: tuple[str, Origin] | None = None
) -> tuple[TlsSettings, tuple[TlsProblem, ...]]:
    """The settings that the TLS keys of the LDAP scope ask for (config 2.3 to 2.8), and their problems.

    `value` gives the text and the origin of a key, its prefix left out ("TLS_TRUST_STORE_FILE"), with the
    scopes already resolved; None and blank both mean the default. `crl_file` is the value of our own key
    QUINTET_TLS_CRL_FILE. Relative paths count from `base`. When a problem is fatal, the settings hold a
    default in its place and must not be used.
    """
    reader = _Reader(value, base, crl_file)
    return reader.settings(), tuple(reader.problems)


class _Reader:
    """Reads the keys one by one, and goes on after a problem, so that all are found in one run."""

    def __init__(self, value: Lookup, base: Path, crl_file: tuple[str, Origin] | None) -> None:
        self.problems: list[TlsProblem] = []
        self._value = value
        self._base = base
        self._crl_file = crl_file
        self._origins: dict[str, Origin] = {}

    def settings(self) -> TlsSettings:
        level = self._level()
        minimum, maximum = self._versions()
        suites = self._suites()
        if not any(problem.fatal for problem in self.problems):
            minimum, maximum = self._fit_level(level, minimum, maximum)
            suites = self._fit_suites(suites, level)
            minimum, maximum = self._fit_versions(suites, minimum, maximum)
        key_store = self._store("KEY")
        return TlsSettings(
            trust_store=self._store("TRUST"),
            key_store=key_store,
            key_label=self._text("TLS_KEY_LABEL", "key_label"),
            minimum=minimum,
            maximum=maximum,
            suites=tuple(suite.openssl for suite in suites if not suite.is_13),
            suites_13=tuple(suite.openssl for suite in suites if suite.is_13),
            level=level,
            fips=self._fips(),
            trusted_hosts=self._hosts(),
            mirror_hosts=self._mirror(key_store),
            crl_file=self._crls(),
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

    def _flag(self, key: str, name: str) -> bool:
        text = self._text(key, name)
        if text is not None and text.lower() not in _FLAGS:
            self._tell("T309", key, name, f"{shown(text)} is not a flag", "set it to 0 or 1")
        return _FLAGS.get(text.lower(), False) if text else False

    def _tell(
        self, code: str, key: str, name: str, message: str, fix: str = "", *, fatal: bool = True
    ) -> None:
        self.problems.append(TlsProblem(code, key, self._origins.get(name), message, fix, fatal))

    # Stores, config 2.3 to 2.5.

    def _store(self, which: str) -> StoreLocation | None:
        name, key = f"{which.lower()}_store", f"TLS_{which}_STORE_"
        file = self._text(key + "FILE", name)
        kind = self._kind(key + "TYPE", f"{name}_type")
        password = self._text(key + "PASSWORD", f"{name}_password", strip=False)
        stash = self._text(key + "PASSWORD_STASH_FILE", f"{name}_stash")
        for part, written in _PARTS:
            self._check_part(key, part, name, f"{name}_{written}")
        if file is None:
            return None
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
            self._tell("T301", key, name, f"{shown(text)} is not a type of store", "set it to p12 or jks")
        return kind

    def _check_part(self, key: str, part: str, store: str, name: str) -> None:
        """A key beside `…_STORE_FILE` needs that key, in the same scope."""
        file, other = self._origins.get(store), self._origins.get(name)
        if other is None:
            return
        if file is None:
            self._tell(
                "T302", key + part, name, f"has no effect without {key}FILE", f"set {key}FILE", fatal=False
            )
        elif _scope(other) != _scope(file):
            self._tell(
                "T303",
                key + part,
                name,
                f"comes from the scope {_scope(other)}_, but {file.key} ({file.place}) from {_scope(file)}_,"
                " nearly always by mistake",
                "write both with the same prefix",
                fatal=False,
            )

    # Versions, level, suites, config 2.3, 2.6 and 2.7.

    def _versions(self) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        oldest, newest = "TLS_MIN_PROTOCOL_VERSION", "TLS_MAX_PROTOCOL_VERSION"
        minimum = self._version(oldest, "minimum", _V1_2)
        maximum = self._version(newest, "maximum", _V1_3)
        if minimum > maximum:
            key, name = (oldest, "minimum") if "minimum" in self._origins else (newest, "maximum")
            self._tell(
                "T305",
                key,
                name,
                f"the oldest version, {version_name(minimum)}, is newer than the newest,"
                f" {version_name(maximum)}",
                f"set {oldest} to 0x303 and {newest} to 0x303 or 0x304",
            )
        elif minimum < _V1_2:
            message = f"{version_name(minimum)} is insecure"
            self._tell("T306", oldest, "minimum", message, "set it to 0x303 (TLS 1.2)", fatal=False)
        return minimum, maximum

    def _version(self, key: str, name: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
        text = self._text(key, name)
        code = None if text is None else _number(text)
        if text is None or code in _VERSIONS:
            return _VERSIONS[code] if code else default
        if code == 0:  # the recommended minimum, or the newest version, of the 9.x library (C90)
            message = f"{shown(text)} is not documented for Sametime 12; {version_name(default)} is used"
            self._tell("T304", key, name, message, "remove the key", fatal=False)
        elif code == _SSL_3:
            message = f"{shown(text)} is SSLv3, which is insecure and not supported"
            self._tell("T304", key, name, message, "set it to 0x303 (TLS 1.2)")
        else:
            fix = "set it to 0x303 (TLS 1.2) or 0x304 (1.3); 0x301 (1.0) and 0x302 (1.1) are insecure"
            self._tell("T304", key, name, f"{shown(text)} is not a TLS version", fix)
        return default

    def _level(self) -> SecurityLevel:
        text = self._text("TLS_SECURITY_LEVEL", "level")
        number = 0 if text is None else _number(text)
        if number is None or number > max(SecurityLevel):
            message = f"{shown(text or '')} is not a security level"
            self._tell("T307", "TLS_SECURITY_LEVEL", "level", message, "set it to 0, 1, 2, 3 or 4")
            return SecurityLevel.NONE
        return SecurityLevel(number)

    def _suites(self) -> tuple[Suite, ...]:
        key, name = "TLS_CIPHER_SUITES", "suites"
        found: dict[Suite, None] = {}
        told = 0
        texts = self._list(key, name)
        if texts == ("*",):  # all implemented suites in the 9.x library (C29)
            message = '"*" is not documented for Sametime 12; the default cipher suites are used'
            self._tell("T308", key, name, message, "remove the key", fatal=False)
            return ()
        for text in texts:
            if told == _MOST_TOLD:
                self._tell("T308", key, name, f"the list is not read from {shown(text)} on")
                break
            try:
                found[find_suite(text)] = None
            except CipherSuiteError as error:
                told += 1
                self._tell("T308", key, name, str(error), error.fix, fatal=not isinstance(error, Signal))
        if texts and not found and not any(problem.fatal for problem in self.problems):
            self._tell("T308", key, name, "the list names no cipher suite", "remove the key for the defaults")
        return tuple(found)

    def _fit_level(
        self, level: SecurityLevel, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion
    ) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        """The versions that the level leaves. It is a minimum, so both must hold."""
        setting = f"TLS_SECURITY_LEVEL {level:d}"
        if level >= SecurityLevel.SP800_131A_TRANSITION and maximum < _V1_2:
            message = f"{version_name(maximum)} is below {setting}, which needs TLS 1.2"
            self._tell("T307", "TLS_MAX_PROTOCOL_VERSION", "maximum", message, "set it to 0x303")
        if level < SecurityLevel.SP800_131A_STRICT:
            return minimum, maximum
        if minimum > _V1_2:
            message = f"{setting} is defined for TLS 1.2 only"
            fix = "set it to 0x303, or TLS_SECURITY_LEVEL to 0 or 1"
            self._tell("T307", "TLS_MIN_PROTOCOL_VERSION", "minimum", message, fix)
        return _V1_2, min(maximum, _V1_2)

    def _fit_suites(self, suites: tuple[Suite, ...], level: SecurityLevel) -> tuple[Suite, ...]:
        kept = tuple(suite for suite in suites if suite.most >= level)
        forbidden = ", ".join(suite.name for suite in suites if suite.most < level)
        if forbidden:
            allowed = ", ".join(suite.name for suite in SUITES if suite.most >= level and not suite.is_13)
            message = f"TLS_SECURITY_LEVEL {level:d} forbids {forbidden}"
            message += "; they are ignored" if kept else ", and no other suite is listed"
            key = "TLS_CIPHER_SUITES"
            self._tell("T307", key, "suites", message, f"that level allows {allowed}", fatal=not kept)
        return kept

    def _fit_versions(
        self, suites: tuple[Suite, ...], minimum: ssl.TLSVersion, maximum: ssl.TLSVersion
    ) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        """The versions that the suites leave: TLS 1.3 only if the list names a suite of it, and so on."""
        if not suites:
            return minimum, maximum
        highest, lowest = maximum, minimum
        if not any(suite.is_13 for suite in suites):
            highest = min(maximum, _V1_2)
        if all(suite.is_13 for suite in suites):
            lowest = _V1_3
        if lowest > highest or min(suite.oldest for suite in suites) > highest:
            message = f"none of these suites works from {version_name(minimum)} to {version_name(maximum)}"
            fix = "change the list, or the protocol versions"
            self._tell("T308", "TLS_CIPHER_SUITES", "suites", message, fix)
            return minimum, maximum
        return lowest, highest

    # Hosts, revocation, FIPS.

    def _hosts(self) -> tuple[str, ...]:
        hosts = self._list("TLS_TRUSTED_HOSTS", "trusted_hosts")
        for host in hosts:
            if not is_host(host):
                message = f"{shown(host)} is not a host name, so hardly any certificate bears it"
                fix = "write the name alone, without scheme, port and path"
                self._tell("T310", "TLS_TRUSTED_HOSTS", "trusted_hosts", message, fix, fatal=False)
        return hosts

    def _mirror(self, key_store: StoreLocation | None) -> bool:
        key, name = "TLS_MIRROR_TRUSTED_HOSTS", "mirror_hosts"
        on = self._flag(key, name)
        if on and key_store is None:
            message = "needs our own certificate, whose names it lists, and no key store is set"
            self._tell("T311", key, name, message, "set TLS_KEY_STORE_FILE, or this key to 0")
        return on

    def _crls(self) -> Path | None:
        if self._crl_file is None or not self._crl_file[0].strip():
            return None
        text, self._origins["crl_file"] = self._crl_file
        return self._base / text.strip()

    def _fips(self) -> bool:
        key, name = "TLS_FIPS_COMPLIANCE", "fips"
        on = self._flag(key, name)
        if on and not fips_is_active():
            message = f"cannot be met: {ssl.OPENSSL_VERSION} does not use its FIPS provider here"
            self._tell("T312", key, name, message, "enable the provider in openssl.cnf, or set this key to 0")
        return on


def _number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    return int(text, 16 if text[:2].lower() == "0x" else 10)


def _scope(origin: Origin) -> str:
    """The prefix of a key, also where it is the end of a variable's name."""
    found = _SCOPE.search(origin.key.upper())
    return found[1] if found else origin.key

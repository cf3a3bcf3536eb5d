"""Java's `keytool` and `openssl`, as an administrator uses them on stores."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.certs import Issued

PASSWORD = "store-secret"
_LINE = re.compile(r"^(?P<alias>.+?), \w+ \d+, \d+, (?P<kind>\w+),", re.MULTILINE)


def keytool(*arguments: str | Path, legacy: bool = False) -> str:
    """What `keytool` printed. `legacy` makes it write the encoding of old releases."""
    flags = ("-J-Dkeystore.pkcs12.legacy",) if legacy else ()
    return _run("keytool", *flags, "-J-Duser.language=en", *arguments)


def trust_store(
    path: Path,
    certificates: Mapping[str, Issued],
    *,
    password: str = PASSWORD,
    kind: str | None = None,
    legacy: bool = False,
) -> Path:
    """A trust store of those certificates by alias; PKCS12 or JKS by the file's ending unless `kind` says."""
    for alias, issued in certificates.items():
        pem = path.with_name(f"{path.name}.{alias}.pem")
        pem.write_bytes(issued.pem)
        keytool(
            *("-importcert", "-noprompt", "-alias", alias, "-file", pem),
            *_store(path, password, kind),
            legacy=legacy,
        )
        pem.unlink()
    return path


def key_store(
    path: Path,
    keys: Mapping[str, Issued],
    *,
    password: str = PASSWORD,
    kind: str | None = None,
    legacy: bool = False,
) -> Path:
    """A key store: each key with its certificates, imported by `keytool` from `openssl`'s PKCS#12."""
    for alias, issued in keys.items():
        middle = path.with_name(f"{path.name}.{alias}.openssl.p12")
        openssl_key_store(middle, issued, alias=alias, password=password)
        keytool(
            *("-importkeystore", "-noprompt", "-srckeystore", middle, "-srcstoretype", "PKCS12"),
            *("-srcstorepass", password, "-srcalias", alias, "-destkeystore", path),
            *("-deststoretype", kind or _kind(path), "-deststorepass", password, "-destkeypass", password),
            legacy=legacy,
        )
        middle.unlink()
    return path


def openssl_key_store(path: Path, issued: Issued, *, alias: str = "1", password: str = PASSWORD) -> Path:
    """A key store as `openssl pkcs12 -export` makes it."""
    certificate, private = issued.write(path.parent, f"{path.name}.{alias}")
    _run(
        *("openssl", "pkcs12", "-export", "-in", certificate, "-inkey", private),
        *("-name", alias, "-out", path, "-passout", f"pass:{password}"),
    )
    certificate.unlink()
    private.unlink()
    return path


def entries(path: Path, password: str = PASSWORD) -> dict[str, str]:
    """Alias and kind ("trustedCertEntry", "PrivateKeyEntry") of every entry that `keytool` sees."""
    text = keytool("-list", "-keystore", path, "-storepass", password)
    return {match["alias"]: match["kind"] for match in _LINE.finditer(text)}


def _store(path: Path, password: str, kind: str | None) -> tuple[str | Path, ...]:
    return ("-keystore", path, "-storetype", kind or _kind(path), "-storepass", password)


def _kind(path: Path) -> str:
    return "JKS" if path.suffix == ".jks" else "PKCS12"


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}): {done.stdout}{done.stderr}")
    return done.stdout

"""The first start with a stash file: the password moves from sametime.ini into the stash (config 2.5).

The stash file is written first and the clear line removed after it, so that the password is always somewhere.
Nothing is changed when the password does not open its store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from quintet.config.edit import remove_key
from quintet.config.ini_values import is_variable
from quintet.config.load import Files, read_ini_values, settings_file
from quintet.config.schema import INI, LDAP_PREFIXES, PORT_PREFIXES
from quintet.config.source import EditError
from quintet.config.trust import read_tls
from quintet.diagnostics import Diagnostic, Diagnostics, Finding, Pitfall, Place, Severity
from quintet.files import replace_file
from quintet.tls import Origin, StoreError, StoreLocation, open_store, write_stash

_SECTION = "Config"


def stash_passwords(
    folder: Path, environ: Mapping[str, str], *, env_files: Sequence[Path] = ()
) -> tuple[Diagnostic, ...]:
    """Does what a first start does, for the stores of LDAP and of the Sametime port, and reports it.

    Where a stash file is set and does not exist yet, it is written, and the clear password removed from
    sametime.ini; no other byte of that changes. A password in a variable cannot be removed: a warning says
    so.
    Called again, it does nothing.
    """
    findings = Diagnostics()
    values = read_ini_values(Files(folder, {}, Diagnostics()), environ, env_files)
    for prefixes in (LDAP_PREFIXES, PORT_PREFIXES):
        profile = read_tls(values, folder, Diagnostics(), prefixes)
        for name, location in (("TRUST", profile.trust_store), ("KEY", profile.key_store)):
            password = values.scoped(f"TLS_{name}_STORE_PASSWORD", prefixes)
            if location is not None and password is not None:
                _stash(folder, location, password[1], findings)
    return findings.problems


def _stash(folder: Path, location: StoreLocation, password: Origin, findings: Diagnostics) -> None:
    stash, secret = location.stash, location.password
    if stash is None or secret is None or stash.exists():
        return
    try:
        open_store(replace(location, stash=None))
        write_stash(stash, secret)
    except StoreError as error:
        message = f"{password.key} is not moved to {stash}, and stays where it is: {error.message}"
        findings.add(Pitfall.D35, password.place, password.key, message, error.fix, severity=Severity.ERROR)
        return
    moved = f"the password of {location.path} is in {stash} now"
    if is_variable(password):
        message = f"{moved}, and still in the variable {password.key}"
        fix = f"remove the variable {password.key} from the environment"
        findings.add(Finding.Q89, password.place, password.key, message, fix, severity=Severity.WARNING)
        return
    path = settings_file(folder, INI)
    try:
        replace_file(path, remove_key(path.read_bytes(), _SECTION, password.key))
    except (OSError, EditError) as error:
        why = error.message if isinstance(error, EditError) else error.strerror
        message = f"{moved}, but its line cannot be removed: {why}"
        fix = f"remove {password.key}"
        findings.add(Finding.Q89, password.place, password.key, message, fix, severity=Severity.WARNING)
    else:
        message = f"{moved}, and {password.key} was removed here"
        findings.add(Finding.Q89, Place(path.name), password.key, message)

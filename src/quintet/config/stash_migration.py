"""The first start with a stash file: the password moves from sametime.ini into the stash (reference 2.5).

The stash is written first and the clear line removed after it, so that the password is always somewhere.
Nothing is touched when the password does not open its store.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from quintet.config import ini
from quintet.config.edit_ini import remove_key
from quintet.config.environment import ENVIRONMENT
from quintet.config.ini_values import place_of
from quintet.config.load import Files, read_ini_values
from quintet.config.source import EditError
from quintet.config.trust import read_tls
from quintet.diagnostics import Diagnostic, Diagnostics, Place
from quintet.files import replace_file
from quintet.tls import Origin, StoreError, StoreLocation, open_store, write_stash

_SECTION = "Config"


def stash_passwords(folder: Path, environ: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Does what a first start does, for trust store and key store, and tells what was done or went wrong.

    Where a stash file is set and does not exist yet, it is written, and the clear password removed from
    sametime.ini; no other byte of that changes. A password in the environment cannot be removed: whoever set
    it is told. Called again, it does nothing.
    """
    findings = Diagnostics()
    values = read_ini_values(Files(folder, {}, Diagnostics()), environ)
    profile = read_tls(values, folder, Diagnostics())
    for name, ref in (("TRUST", profile.trust_store), ("KEY", profile.key_store)):
        password = values.scoped(f"TLS_{name}_STORE_PASSWORD")
        if ref is not None and ref.stash is not None and ref.password is not None and password is not None:
            _stash(folder, ref, ref.stash, password[1], findings)
    return findings.problems


def _stash(folder: Path, ref: StoreLocation, stash: Path, password: Origin, findings: Diagnostics) -> None:
    place = place_of(password)
    if stash.exists() or ref.password is None:
        return
    try:
        open_store(replace(ref, stash=None))
        write_stash(stash, ref.password)
    except StoreError as error:
        findings.error(place, password.key, f"the password is not stashed, and stays where it is: {error}")
        return
    if place == ENVIRONMENT:
        findings.warning(
            place, password.key, f"the password is in {stash} now; remove the variable from the environment"
        )
        return
    try:
        _remove(folder / ini.FILE, password.key)
    except (OSError, EditError) as error:
        findings.warning(
            place,
            password.key,
            f"the password is in {stash} now, but its line cannot be removed ({_reason(error)}); remove it",
        )
    else:
        findings.note(
            Place(ini.FILE), password.key, f"the password is in {stash} now, and its line here was removed"
        )


def _remove(path: Path, key: str) -> None:
    replace_file(path, remove_key(path.read_bytes(), _SECTION, key))


def _reason(error: OSError | EditError) -> str:
    return error.message if isinstance(error, EditError) else str(error.strerror)

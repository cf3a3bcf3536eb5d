"""Choosing how much is encrypted: what must change in the three files, and whether it would work.

`make_plan` only reads; `trying.refusals` shows whether it would work; `carry_out` writes.
"""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from quintet.admin.differences import difference
from quintet.admin.rewriting import Rewrite, rewrite
from quintet.config.edit_ini import get_key, remove_key, set_key
from quintet.config.edit_switches import storages_without_store, switch_cards, switch_connections
from quintet.config.load import load
from quintet.config.settings import Settings
from quintet.config.source import EditError
from quintet.directory.services import Protection
from quintet.files import PRIVATE
from quintet.tls import read_stash

INI, COMMUNITY, CARDS = "sametime.ini", "StCommunityConfig.xml", "UserInfoConfig.xml"
SECTION, FLAG = "Directory", "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"
_ON = ("1", "true", "yes")


class ProtectError(Exception):
    """The files cannot be brought to this level; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A level of protection, the files that must change for it, and the settings as they would then be."""

    level: Protection
    rewrites: tuple[Rewrite, ...]
    settings: Settings

    @property
    def difference(self) -> str:
        """The lines that change, as a unified diff without secrets; empty when all is so already."""
        return "\n".join(difference(each.path.name, each.old, each.new) for each in self.rewrites)


def make_plan(
    folder: Path, environ: Mapping[str, str], level: Protection, *, cards: bool | None = None
) -> Plan:
    """What must change so that `level` holds; `cards` says likewise for the business cards, None leaves them.

    Raises `ProtectError`, or `SettingsError` when the files would not do as settings even then.
    """
    old = {name: _read(folder / name) for name in (INI, COMMUNITY, CARDS)}
    new = dict(old)
    ini = _edited(INI, old[INI] or b"", lambda data: _with_flag(data, level))
    if old[INI] is not None or ini:
        new[INI] = ini
    encrypted = level is not Protection.NONE
    new[COMMUNITY] = _edited(
        COMMUNITY, old[COMMUNITY], lambda data: switch_connections(data, ssl_enabled=encrypted)
    )
    if cards is not None:
        new[CARDS] = _with_cards(folder, environ, new, on=cards)
    settings = load(folder, environ, overrides=_contents(new))
    _check(settings, environ, level, cards=cards)
    rewrites = tuple(
        Rewrite(folder / name, old[name], data, _mode(folder / name, old[name], data))
        for name, data in new.items()
        if data is not None and data != old[name]
    )
    return Plan(level, rewrites, settings)


def carry_out(plan: Plan) -> tuple[Path, ...]:
    """Writes the files, all or none, and returns the backups. Raises `RewriteError`."""
    return rewrite(plan.rewrites)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProtectError(f"{path} cannot be read: {error.strerror}") from error


def _edited(name: str, data: bytes | None, change: Callable[[bytes], bytes]) -> bytes:
    if data is None:
        raise ProtectError(f"there is no {name} in the settings folder")
    try:
        return change(data)
    except EditError as error:
        place = name if error.line is None else f"{name}:{error.line}"
        raise ProtectError(f"{place}: {error.message}; {error.fix}") from error


def _with_flag(data: bytes, level: Protection) -> bytes:
    if level is Protection.PASSWORDS:
        return set_key(data, SECTION, FLAG, "1")
    value = get_key(data, SECTION, FLAG)
    return remove_key(data, SECTION, FLAG) if value and value.casefold() in _ON else data


def _with_cards(
    folder: Path, environ: Mapping[str, str], new: Mapping[str, bytes | None], *, on: bool
) -> bytes:
    def change(data: bytes) -> bytes:
        store = None
        if on and storages_without_store(data):
            store = _trust_store(load(folder, environ, overrides=_contents(new)))
        return switch_cards(data, ssl_enabled=on, store=store)

    return _edited(CARDS, new[CARDS], change)


def _trust_store(settings: Settings) -> tuple[str, str]:
    """Path and password of the store that the five connections trust, for the cards to trust as well."""
    ref = settings.tls.trust_store
    if ref is None:
        raise ProtectError(
            "no trust store is set, so the cards' server could not be checked: use quintet trust fetch"
        )
    password = ref.password or (read_stash(ref.stash) if ref.stash else None)
    if password is None:
        raise ProtectError(f"the password of {ref.path} is not set, and the cards need it")
    return str(ref.path), password.reveal()


def _contents(files: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if data is not None}


def _mode(path: Path, old: bytes | None, new: bytes) -> int | None:
    """A file that is given a password is closed to others."""
    if old is None:
        return PRIVATE
    gained = new.count(b"KeyStorePassword") > old.count(b"KeyStorePassword")
    return stat.S_IMODE(path.stat().st_mode) & PRIVATE if gained else None


def _check(settings: Settings, environ: Mapping[str, str], level: Protection, *, cards: bool | None) -> None:
    """Whether the files, so changed, take effect."""
    if settings.directory.only_passwords is not (level is Protection.PASSWORDS):
        names = [n for n in environ if n.startswith("STI_") and n.casefold().endswith(FLAG.casefold())]
        variable = " and ".join(names) or f"STI__{SECTION}__{FLAG}"
        wanted = "1" if level is Protection.PASSWORDS else "0"
        raise ProtectError(
            f"the variable {variable} in the environment overrides {INI}, so changing the file would have no "
            f"effect: remove it where the server is started, or set it to {wanted}"
        )
    if any(server.ssl_enabled is (level is Protection.NONE) for server in settings.servers):
        raise ProtectError(f"a Connection of {COMMUNITY} would keep its SSLEnabled; change it by hand")
    storages = settings.cards.storages if settings.cards else ()
    if cards is not None and any(s.ssl_enabled is not cards for storage in storages for s in storage.servers):
        raise ProtectError(f"a StorageDetails of {CARDS} would keep its SslEnabled; change it by hand")

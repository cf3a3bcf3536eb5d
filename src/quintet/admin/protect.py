"""Set the protection level: what must change in the three files, and whether the change would work.

`make_plan` only reads; `failures` opens the connections that the plan asks for; `carry_out` writes.
"""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from quintet.admin.differences import difference
from quintet.cards import Cards
from quintet.config import (
    CARDS,
    COMMUNITY,
    INI,
    EditError,
    Settings,
    get_key,
    load,
    read,
    remove_key,
    set_key,
    settings_file,
    storages_without_store,
    switch_cards,
    switch_connections,
)
from quintet.diagnostics import Place
from quintet.directory import Directory, DirectoryError, Protection
from quintet.files import PRIVATE, FileChange, read_existing, write_files
from quintet.tls import read_stash

SECTION, FLAG = "Directory", "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"
_ON = ("1", "true", "yes")


class ProtectError(Exception):
    """The files can't be changed to this level. `place` is where the reason is, `fix` what to do instead."""

    def __init__(self, message: str, fix: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {message}" if place is not None else message)
        self.fix = fix
        self.place = place


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """A protection level, the files that must change for it, and the settings as they would then be.

    `cards_affected`: the change has an effect on the business cards' connections, too.
    """

    level: Protection
    changes: tuple[FileChange, ...]
    settings: Settings
    cards_affected: bool

    @property
    def difference(self) -> str:
        """The lines that change, as a unified diff without secrets; empty when nothing changes."""
        return "\n".join(difference(each.path.name, each.old, each.new) for each in self.changes)


def make_plan(
    folder: Path, environ: Mapping[str, str], level: Protection, *, cards: bool | None = None
) -> ProtectionPlan:
    """What must change for `level`. `cards` says whether cards are encrypted; None keeps that.

    Raises `ProtectError`, and `SettingsError` when the changed files would still have errors.
    """
    paths = {name: settings_file(folder, name) for name in (INI, COMMUNITY, CARDS)}
    old = {name: _read(path) for name, path in paths.items()}
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
    changes = tuple(
        FileChange(paths[name], old[name], data, _mode(paths[name], old[name], data))
        for name, data in new.items()
        if data is not None and data != old[name]
    )
    before = read(folder, environ)[0]
    affected = cards is not None or before is None or before.cards != settings.cards
    return ProtectionPlan(level, changes, settings, cards_affected=affected)


async def failures(plan: ProtectionPlan, opening: list[Directory | Cards] | None = None) -> tuple[str, ...]:
    """Why connections of the plan would fail, one sentence each; empty when all were opened.

    The cards' connections are tried when the change affects them: also when only the level changes, which
    decides whether their account's password may be sent unencrypted. `opening` gets what is opened, in order.
    """
    settings = plan.settings
    opening = [] if opening is None else opening
    try:
        async with Directory(settings) as directory:
            opening.append(directory)
            statuses = await directory.connect_all()
        if plan.cards_affected and settings.cards is not None:
            async with Cards(settings) as cards:
                opening.append(cards)
                statuses += await cards.connect_all()
    except DirectoryError as error:
        return (str(error),)
    failed = {str(status.error): status for status in statuses if status.failed}
    return tuple(f"{status.service.value}: {error}" for error, status in failed.items())


def carry_out(plan: ProtectionPlan) -> tuple[Path, ...]:
    """Write the files, all or none, and return the backups. Raises `WriteError`."""
    return write_files(plan.changes)


def _read(path: Path) -> bytes | None:
    try:
        return read_existing(path)
    except OSError as error:
        fix = "check the file's owner and mode"
        raise ProtectError(f"the file can't be read: {error.strerror}", fix, Place(path.name)) from error


def _edited(name: str, data: bytes | None, change: Callable[[bytes], bytes]) -> bytes:
    if data is None:
        fix = "quintet init creates the settings"
        raise ProtectError("there is no such file in the settings folder", fix, Place(name))
    try:
        return change(data)
    except EditError as error:
        raise ProtectError(error.message, error.fix, Place(name, error.line)) from error


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
    """Path and password of the trust store of the five services, for the cards to use as well."""
    location = settings.tls.trust_store
    if location is None:
        raise ProtectError(
            "no trust store is set, so the certificate of the cards' server can't be checked",
            "import its certificate: quintet trust fetch HOST:PORT",
        )
    password = location.password or (read_stash(location.stash) if location.stash else None)
    if password is None:
        raise ProtectError(
            f"the password of the trust store {location.path} is not set, and the cards need it",
            "set STLDAP_TLS_TRUST_STORE_PASSWORD in [Config] of sametime.ini",
        )
    return str(location.path), password.reveal()


def _contents(files: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if data is not None}


def _mode(path: Path, old: bytes | None, new: bytes) -> int | None:
    """A file that a password is added to becomes readable by its owner only."""
    if old is None:
        return PRIVATE
    gained = new.count(b"KeyStorePassword") > old.count(b"KeyStorePassword")
    return stat.S_IMODE(path.stat().st_mode) & PRIVATE if gained else None


def _check(settings: Settings, environ: Mapping[str, str], level: Protection, *, cards: bool | None) -> None:
    """Whether the changed files take effect."""
    if settings.directory.only_passwords is not (level is Protection.PASSWORDS):
        names = [n for n in environ if n.startswith("STI_") and n.casefold().endswith(FLAG.casefold())]
        variable = " and ".join(names) or f"STI__{SECTION}__{FLAG}"
        wanted = "1" if level is Protection.PASSWORDS else "0"
        raise ProtectError(
            f"the environment variable {variable} overrides {INI}, so changing the file would have no effect",
            f"remove the variable where the server is started, or set it to {wanted}",
        )
    by_hand = "change it by hand"
    if any(server.ssl_enabled is (level is Protection.NONE) for server in settings.servers):
        raise ProtectError("a Connection would keep its SSLEnabled", by_hand, Place(COMMUNITY))
    storages = settings.cards.storages if settings.cards else ()
    if cards is not None and any(s.ssl_enabled is not cards for storage in storages for s in storage.servers):
        raise ProtectError("a StorageDetails would keep its SslEnabled", by_hand, Place(CARDS))

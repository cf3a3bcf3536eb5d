"""The three files, the trust store and its stash, as `quintet init` writes them: all of them or none."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from quintet.admin.init.proposing import Proposal
from quintet.config import (
    CARDS,
    COMMUNITY,
    INI,
    Account,
    load,
    render_cards,
    render_community,
    render_ini,
    settings_file,
)
from quintet.directory import Protection
from quintet.files import PRIVATE, FileChange, replace_file, write_files
from quintet.secret import Secret
from quintet.tls import Store, write_stash, write_store

STORE, STASH = "ldaptruststore.p12", "ldaptruststore.sth"
_TRUST = "STLDAP_TLS_TRUST_STORE_"
FILES = (INI, COMMUNITY, CARDS, STORE, STASH)


@dataclass(frozen=True, slots=True)
class SettingsPlan:
    """All that goes into the files. `store` is None without TLS; `stash`: its password goes into a stash."""

    host: str
    port: int
    tls_port: int
    start_tls: bool
    level: Protection
    account: Account | None
    store: Store | None
    stash: bool
    proposal: Proposal


def in_the_way(folder: Path) -> tuple[Path, ...]:
    """The files that are there already."""
    return tuple(path for name in FILES if (path := settings_file(folder, name)).exists())


def write(
    folder: Path, environ: Mapping[str, str], plan: SettingsPlan
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Write everything; the new files and the backups of old ones. Only their owner can read them.

    Raises SettingsError when the settings would not do, StashError and WriteError; then nothing is changed.
    """
    password = Secret(secrets.token_urlsafe(24)) if plan.store is not None else None
    contents: dict[str, bytes] = {
        COMMUNITY: _community(plan).encode(),
        CARDS: _cards(plan, password).encode(),
    }
    stashed = plan.stash and password is not None
    contents[INI] = _ini(plan, password, stashed=stashed).encode()
    if plan.store is not None and password is not None:
        contents[STORE] = write_store(plan.store, password)
    _try(folder, environ, contents, password if stashed else None)
    with _out_of_the_way(folder / STASH) as kept:
        if stashed and password is not None:
            write_stash(folder / STASH, password)
        backups = write_files(
            [FileChange.of(folder / name, data, mode=PRIVATE) for name, data in contents.items()]
        )
    names = [*contents, STASH] if stashed else list(contents)
    return tuple(folder / name for name in names), (*backups, *kept)


@contextmanager
def _out_of_the_way(path: Path) -> Iterator[tuple[Path, ...]]:
    """An old file is kept as NAME.bak, and put back when the work fails."""
    kept = path.with_name(f"{path.name}.bak")
    there = path.exists()
    if there:
        path.replace(kept)
    try:
        yield (kept,) if there else ()
    except BaseException:
        path.unlink(missing_ok=True)
        if there:
            kept.replace(path)
        raise


def _try(
    folder: Path, environ: Mapping[str, str], contents: Mapping[str, bytes], stashed: Secret | None
) -> None:
    """Whether the files would do as settings. Raises SettingsError."""
    with TemporaryDirectory(prefix=".init-", dir=folder) as name:
        trial = Path(name)
        for file, data in contents.items():
            replace_file(trial / file, data)
        if stashed is not None:
            write_stash(trial / STASH, stashed)
        load(trial, environ)


def _ini(plan: SettingsPlan, password: Secret | None, *, stashed: bool) -> str:
    keys = {}
    if password is not None:
        keys[f"{_TRUST}TYPE"], keys[f"{_TRUST}FILE"] = "p12", STORE
        if stashed:
            keys[f"{_TRUST}PASSWORD_STASH_FILE"] = STASH
        else:
            keys[f"{_TRUST}PASSWORD"] = password.reveal()
    if plan.level is Protection.PASSWORDS:
        keys["ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"] = "1"
    if plan.start_tls:
        keys["QUINTET_START_TLS"] = "1"
    if plan.proposal.login_domains:
        keys["QUINTET_LOGIN_DOMAINS"] = ",".join(plan.proposal.login_domains)
    return render_ini(keys)


def _community(plan: SettingsPlan) -> str:
    name, password = _account(plan)
    chosen = plan.proposal
    connection = {
        "HostName": plan.host,
        "Port": str(plan.port),
        "SSLEnabled": "0" if plan.level is Protection.NONE else "1",
        "SSLPort": str(plan.tls_port),
        "SearchOrder": "1",
        "BindEntryDn": name,
        "BindEntryPwd": password,
        "PersonResolveBase": chosen.person_base,
        "PersonResolveFilter": chosen.person_filter,
        "UserDnSearchFilter": chosen.login_filter,
        "PersonObjectClass": chosen.person_class,
        "UserIdAttribute": chosen.user_id_attribute,
        "NameAttribute": chosen.name_attribute,
        "EmailAttribute": chosen.mail_attribute,
        "GroupResolveBase": chosen.group_base,
        "GroupResolveFilter": chosen.group_filter,
        "GroupMembership": chosen.membership,
        "GroupObjectClass": chosen.group_class,
        "GroupMemberAttribute": chosen.member_attribute,
    }
    return render_community([connection])


def _cards(plan: SettingsPlan, password: Secret | None) -> str:
    name, secret = _account(plan)
    chosen = plan.proposal
    encrypted = plan.level is not Protection.NONE and not plan.start_tls
    server = {
        "HostName": plan.host,
        "Port": str(plan.port),
        "SslEnabled": str(encrypted).lower(),
        "SslPort": str(plan.tls_port),
        "UserName": name,
        "Password": secret,
        "BaseDN": chosen.person_base,
        "SearchFilter": chosen.card_filter,
        "UserIdAttribute": chosen.user_id_attribute,
        "PersonObjectClass": chosen.person_class,
    }
    store = {} if password is None else {"KeyStorePath": STORE, "KeyStorePassword": password.reveal()}
    return render_cards([server], store, dict(chosen.details))


def _account(plan: SettingsPlan) -> tuple[str, str]:
    return (plan.account.name, plan.account.password.reveal()) if plan.account is not None else ("", "")

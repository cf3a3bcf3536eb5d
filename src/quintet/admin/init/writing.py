"""The three files, the trust store and its stash, as `quintet init` writes them: all of them or none."""

import itertools
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
class PlannedServer:
    """One server: how it is reached, and what is proposed for it.

    `given` are settings of its `Connection`, by their names, that come before those of the proposal.
    """

    host: str
    port: int
    tls_port: int
    level: Protection
    account: Account | None
    proposal: Proposal
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettingsPlan:
    """All that goes into the files. `store` is None without TLS; `stash`: its password goes into a stash."""

    servers: tuple[PlannedServer, ...]
    start_tls: bool
    store: Store | None
    stash: bool


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
    numbered = zip(plan.servers, itertools.count(1), strict=False)
    contents: dict[str, bytes] = {
        COMMUNITY: render_community([_connection(*each) for each in numbered]).encode(),
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
    if any(each.level is Protection.PASSWORDS for each in plan.servers):
        keys["ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"] = "1"
    if plan.start_tls:
        keys["QUINTET_START_TLS"] = "1"
    domains = dict.fromkeys(domain for each in plan.servers for domain in each.proposal.login_domains)
    if domains:
        keys["QUINTET_LOGIN_DOMAINS"] = ",".join(domains)
    return render_ini(keys)


def _connection(server: PlannedServer, nth: int) -> dict[str, str]:
    name, password = _account(server)
    chosen = server.proposal
    return {
        "HostName": server.host,
        "Port": str(server.port),
        "SSLEnabled": "0" if server.level is Protection.NONE else "1",
        "SSLPort": str(server.tls_port),
        "SearchOrder": str(nth),
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
        **server.given,
    }


def _cards(plan: SettingsPlan, password: Secret | None) -> str:
    servers = [_storage_details(each, start_tls=plan.start_tls) for each in plan.servers]
    store = {} if password is None else {"KeyStorePath": STORE, "KeyStorePassword": password.reveal()}
    return render_cards(servers, store, dict(plan.servers[0].proposal.details))


def _storage_details(server: PlannedServer, *, start_tls: bool) -> dict[str, str]:
    name, secret = _account(server)
    chosen, encrypted = server.proposal, server.level is not Protection.NONE
    return {
        "HostName": server.host.partition(",")[0],
        "Port": str(server.port),
        "SslEnabled": str(encrypted).lower(),
        "SslPort": str(server.tls_port),
        **({"QUINTET_START_TLS": "true"} if encrypted and start_tls else {}),
        "UserName": name,
        "Password": secret,
        "BaseDN": chosen.person_base,
        "SearchFilter": chosen.card_filter,
        "UserIdAttribute": chosen.user_id_attribute,
        "PersonObjectClass": chosen.person_class,
    }


def _account(server: PlannedServer) -> tuple[str, str]:
    account = server.account
    return (account.name, account.password.reveal()) if account is not None else ("", "")

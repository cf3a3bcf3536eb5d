"""The three files, the trust store and its stash, as `quintet init` writes them: all of them or none."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import quoteattr

from quintet.admin.init.proposing import Proposal
from quintet.admin.rewriting import Rewrite, rewrite
from quintet.config.load import load
from quintet.config.settings import Account
from quintet.directory.services import Protection
from quintet.files import PRIVATE, replace_file
from quintet.secret import Secret
from quintet.tls import Store, write_stash, write_store

INI, COMMUNITY, CARDS = "sametime.ini", "StCommunityConfig.xml", "UserInfoConfig.xml"
STORE, STASH = "ldaptruststore.p12", "ldaptruststore.sth"
FILES = (INI, COMMUNITY, CARDS, STORE, STASH)


@dataclass(frozen=True, slots=True)
class Plan:
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
    return tuple(folder / name for name in FILES if (folder / name).exists())


def write(folder: Path, environ: Mapping[str, str], plan: Plan) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Write everything; the new files and the backups of old ones. Only their owner can read them.

    Raises SettingsError when the settings would not do, StashError and RewriteError; then nothing is changed.
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
        backups = rewrite([_change(folder / name, data) for name, data in contents.items()])
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


def _change(path: Path, data: bytes) -> Rewrite:
    return Rewrite(path, _read(path), data, PRIVATE)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _ini(plan: Plan, password: Secret | None, *, stashed: bool) -> str:
    lines = ["[Config]"]
    if password is not None:
        prefix = "STLDAP_TLS_TRUST_STORE_"
        lines += [f"{prefix}TYPE=p12", f"{prefix}FILE={STORE}"]
        lines += [
            f"{prefix}PASSWORD_STASH_FILE={STASH}" if stashed else f"{prefix}PASSWORD={password.reveal()}"
        ]
    lines += ["", "[Directory]"]
    if plan.level is Protection.PASSWORDS:
        lines += ["ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1"]
    if plan.start_tls:
        lines += ["QUINTET_START_TLS=1"]
    if plan.proposal.login_domains:
        lines += [f"QUINTET_LOGIN_DOMAINS={','.join(plan.proposal.login_domains)}"]
    return "\n".join(lines) + "\n"


def _community(plan: Plan) -> str:
    name, password = _account(plan)
    chosen = plan.proposal
    attributes = {
        "HostName": plan.host,
        "Port": str(plan.port),
        "SSLEnabled": "0" if plan.level is Protection.NONE else "1",
        "SSLPort": str(plan.tls_port),
        "SearchOrder": "1",
        "BindEntryDn": name,
        "BindEntryPassword": password,
        "PersonResolveBase": chosen.person_base,
        "PersonResolveScope": "recursive",
        "PersonResolveFilter": chosen.person_filter,
        "UserDnSearchFilter": chosen.login_filter,
        "PersonObjectClass": chosen.person_class,
        "UserIdAttribute": chosen.user_id_attribute,
        "NameAttribute": chosen.name_attribute,
        "EmailAttribute": chosen.mail_attribute,
        "GroupResolveBase": chosen.group_base,
        "GroupResolveScope": "recursive",
        "GroupResolveFilter": chosen.group_filter,
        "GroupMembership": chosen.membership,
        "GroupObjectClass": chosen.group_class,
        "GroupNameAttribute": "cn",
        "GroupMemberAttribute": chosen.member_attribute,
    }
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<StCommunityConfig>
  <Settings DirRefreshInterval="60" ConfigRefreshInterval="60"/>
  <LDAP>
    <Connection {_written(attributes, "        ")}/>
  </LDAP>
</StCommunityConfig>
"""


def _cards(plan: Plan, password: Secret | None) -> str:
    who, secret = _account(plan)
    chosen = plan.proposal
    encrypted = plan.level is not Protection.NONE and not plan.start_tls
    attributes = {
        "HostName": plan.host,
        "Port": str(plan.port),
        "SslEnabled": str(encrypted).lower(),
        "SslPort": str(plan.tls_port),
        "UserName": who,
        "Password": secret,
        "BaseDN": chosen.person_base,
        "Scope": "2",
        "SearchFilter": chosen.card_filter,
        "UserIdAttribute": chosen.user_id_attribute,
        "PersonObjectClass": chosen.person_class,
    }
    store = {"KeyStorePath": STORE, "KeyStorePassword": password.reveal()} if password is not None else {}
    properties = f"      <SslProperties {_written(store, '          ')}/>\n" if store else ""
    details = "\n".join(_detail(field, names) for field, names in chosen.details)
    fields = [field for field, _ in chosen.details]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<UserInformation>
  <ReadStConfigUpdates value="false"/>
  <Resources>
    <Storage type="LDAP">
      <CommonField CommonFieldName="MailAddress"/>
      <StorageDetails {_written(attributes, "          ")}/>
{properties}      <Details>
{details}
      </Details>
    </Storage>
  </Resources>
  <ParamsSets>
    <Set SetId="0" params="{",".join(_for_anybody(fields))}"/>
    <Set SetId="1" params="{",".join(fields)}"/>
  </ParamsSets>
</UserInformation>
"""


def _for_anybody(fields: Iterable[str]) -> list[str]:
    return [each for each in fields if each in ("Name", "Company")]


def _detail(field: str, names: str) -> str:
    kind = "image/jpeg" if field == "Photo" else "text/plain"
    separator = ' DisplaySeparator=" / "' if "," in names else ""
    return f'        <Detail Id="{field}" FieldName="{names}" Type="{kind}"{separator}/>'


def _account(plan: Plan) -> tuple[str, str]:
    return (plan.account.name, plan.account.password.reveal()) if plan.account is not None else ("", "")


def _written(attributes: Mapping[str, str], indent: str) -> str:
    """One attribute a line; line feeds in values survive XML's normalisation as references."""
    entities = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
    return f"\n{indent}".join(f"{name}={quoteattr(value, entities)}" for name, value in attributes.items())

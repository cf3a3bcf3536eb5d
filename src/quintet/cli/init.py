"""`quintet init`: ask for a server and an account, examine the directory, and write matching settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509

from quintet.admin import trust as stores
from quintet.admin.certificate_files import read_certificates
from quintet.admin.doctor import Checks, examine
from quintet.admin.fetching import Peer, verify
from quintet.admin.init import (
    ExportedServer,
    PlannedServer,
    Proposal,
    Reached,
    SearchRefusedError,
    SettingsPlan,
    in_the_way,
    is_name,
    propose,
    reach,
    read_export,
    with_export,
    write,
)
from quintet.admin.trust_anchor import choose_anchor, machine_roots
from quintet.cli.app import command
from quintet.cli.certificates import print_chain
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.doctor import finding_document, is_bad, print_findings
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.level import LEVELS, Level
from quintet.cli.prompts import Yes, agree, ask, ask_password, read_password
from quintet.cli.report_error import EXITS, report_problems
from quintet.cli.show import AsJson, hint, print_fields, print_json, print_line, say, text, warn
from quintet.cli.trust import taken_from
from quintet.config import PLAIN_PORT, TLS_PORT, Account
from quintet.directory import Protection
from quintet.files import locked
from quintet.ldap import Address, Connection, InvalidCredentials, RootDSE, connect
from quintet.secret import Secret
from quintet.tls import Explanation, Presented, Store, TlsSettings, make_context, new_store, subject_of

_PERSON, _GROUP = "Person base DN", "Group base DN"
PASSWORD_VARIABLE = "QUINTET_ACCOUNT_PASSWORD"  # noqa: S105  # the name of a variable


class ServerNotTrustedError(Exception):
    """The server's certificate does not verify, even with the given certificates trusted."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


class AccountRejectedError(Exception):
    """The server rejects the account."""


EXITS[ServerNotTrustedError] = ExitCode.UNREACHABLE
EXITS[AccountRejectedError] = ExitCode.NO
EXITS[SearchRefusedError] = ExitCode.USAGE


@command
def init(
    context: typer.Context,
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="The LDAP server.")] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="Its plain LDAP port; default 389.", min=1, max=65535),
    ] = None,
    tls_port: Annotated[
        int | None,
        typer.Option("--tls-port", metavar="PORT", help="Its LDAPS port; default 636.", min=1, max=65535),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="DN", help="The service account, as a DN; empty: anonymous."),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file", metavar="FILE", help="Read the account's password from the first line of FILE."
        ),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the account's password from standard input.")
    ] = False,
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept", metavar="FINGERPRINT", help="Trust the certificate with this SHA-256 fingerprint."
        ),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Trust the certificates in FILE instead.")
    ] = None,
    protection: Annotated[
        Level | None,
        typer.Option(
            "--protection",
            metavar=LEVELS,
            help="Which connections are encrypted; default: all, if the server has TLS.",
        ),
    ] = None,
    person_base: Annotated[
        str | None, typer.Option("--person-base", metavar="DN", help="Person base DN.")
    ] = None,
    group_base: Annotated[
        str | None, typer.Option("--group-base", metavar="DN", help="Group base DN.")
    ] = None,
    from_dxl: Annotated[
        Path | None,
        typer.Option(
            "--from-dxl",
            metavar="FILE",
            help="Take what the LDAPServer documents of an exported stconfig.nsf (Domino XML) say."
            " Never tried on a real export.",
        ),
    ] = None,
    stash: Annotated[
        bool, typer.Option("--stash", help="Write the store's password to a stash file, not to sametime.ini.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite existing files; backups end in .bak.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Asks, examines the server, proposes, writes, and runs the doctor on what it wrote.

    The account's password can also come from the environment variable QUINTET_ACCOUNT_PASSWORD.
    """
    folder, environ = folder_of(context), environ_of(context)
    _check_folder(folder, force=force)
    exported = _exported(from_dxl) if from_dxl is not None else (None,)
    if len(exported) > 1 and host is not None:
        raise UsageError(f"{from_dxl} names {len(exported)} servers, --host one", "leave out one of them")
    options = _Options(host, port, tls_port, account, accept, ca, protection, person_base, group_base)
    asker, password = (
        _Asker(yes=yes),
        _Password(password_file, password_stdin, environ.get(PASSWORD_VARIABLE)),
    )
    servers: list[_Examined] = []
    store: Store | None = None
    for each in exported:
        server, store = _examine(options, each, asker, password, store, quiet=as_json)
        servers.append(server)
    start_tls = {each.start_tls for each in servers if each.planned.level is not Protection.NONE}
    if len(start_tls) > 1:
        raise UsageError(
            "some servers have TLS only by StartTLS, others on a TLS port; one setting holds for all",
            "enable TLS on the TLS port of each server",
        )
    agree(f"Write the settings to {folder.resolve()}?", yes=yes)
    plan = SettingsPlan(tuple(each.planned for each in servers), start_tls == {True}, store, stash)
    written = _write(folder, environ, plan, force=force)
    checks = Checks()
    findings = run(examine(folder, environ, checks=checks))
    if as_json:
        documents = [each.document for each in servers]
        more = {"servers": documents} if from_dxl is not None else {}
        print_json(
            {
                **documents[0],
                **more,
                "written": [str(each) for each in written],
                "findings": [finding_document(each) for each in findings],
                "checks": asdict(checks.tally),
            }
        )
    else:
        print_findings(findings, checks.tally)
        say("Next: quintet serve runs the server; quintet eavesdrop shows what is readable on the network.")
    if is_bad(findings, checks.tally):
        raise typer.Exit(ExitCode.NO)


def _check_folder(folder: Path, *, force: bool) -> None:
    there = in_the_way(folder)
    if there and not force:
        raise UsageError(
            f"already there: {', '.join(str(each) for each in there)}",
            "name another folder with --config, or overwrite them with --force, which keeps backups",
        )


class _Asker:
    """Questions with defaults; with --yes the default is the answer."""

    def __init__(self, *, yes: bool) -> None:
        self.yes = yes

    def text(self, question: str, given: str | None, default: str | None) -> str:
        if given is not None:
            return given.strip()
        if self.yes:
            if default is None:
                raise UsageError(f"{question} is missing", "with --yes no question is asked: use --host")
            return default
        return ask(question, default, option="the options; --yes takes the defaults", parse=str)

    def number(self, question: str, given: int | None, default: int) -> int:
        if given is not None:
            return given
        return default if self.yes else ask(question, str(default), option="--yes", parse=_port)

    def given_base(self, question: str, given: str | None) -> str | None:
        """The base of the command line, which counts before anything is looked at; None if there is none."""
        return None if given is None else self.base(question, given, "")

    def base(self, question: str, given: str | None, default: str) -> str:
        answer = self.text(f"{question} (empty: all)", given, default)
        if not is_name(answer):
            raise UsageError(f"{question}: {answer!r} is not a valid DN", "an example: o=example")
        return answer


def _port(typed: str) -> int:
    port = int(typed) if typed.isdecimal() else 0
    if not 0 < port < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return port


class _Password:
    """Where the account's password comes from; the terminal is the last resort."""

    def __init__(self, file: Path | None, stdin: bool, variable: str | None) -> None:
        if file is not None and stdin:
            raise UsageError(
                "--password-file and --password-stdin can't be combined", "leave one of them out"
            )
        self._file = file
        self._variable = variable
        self._typed = read_password() if stdin else None

    def get(self, ask: Callable[[], Secret]) -> Secret:
        if self._file is not None:
            return read_password(self._file)
        if self._typed is not None:
            return self._typed
        return Secret(self._variable) if self._variable else ask()


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line says of the server; None where it says nothing."""

    host: str | None
    port: int | None
    tls_port: int | None
    account: str | None
    accept: str | None
    ca: Path | None
    protection: Level | None
    person_base: str | None
    group_base: str | None


@dataclass(frozen=True, slots=True)
class _Examined:
    """One server after it was looked at."""

    kind: str
    start_tls: bool
    planned: PlannedServer

    @property
    def document(self) -> dict[str, Any]:
        proposal = self.planned.proposal
        return {
            "product": self.kind,
            "protection": self.planned.level.name.lower(),
            "settings": asdict(proposal) | {"details": dict(proposal.details)},
        }


def _exported(path: Path) -> Sequence[ExportedServer]:
    """What the export says; that it is untested, and what can't be used."""
    export = read_export(path)
    warn("--from-dxl was never tried on a real export: compare the settings with the document")
    report_problems(export.problems)
    return export.servers


def _examine(
    options: _Options,
    exported: ExportedServer | None,
    asker: _Asker,
    password: _Password,
    store: Store | None,
    *,
    quiet: bool,
) -> tuple[_Examined, Store | None]:
    """Ask about one server, look at it, and propose its settings; the store, with what it needs, is returned.

    The options come first, then what the export says, then the answers.
    """
    said = exported or ExportedServer(())
    host = options.host or (said.hosts[0] if said.hosts else None)
    name = asker.text("LDAP server", host, None)
    found = run(
        reach(
            name,
            asker.number("Plain LDAP port", options.port or said.port, PLAIN_PORT),
            asker.number("LDAPS port", options.tls_port or said.tls_port, TLS_PORT),
        )
    )
    if not quiet:
        _print_server(found)
    level = _level(found, options.protection, said.protection)
    if found.peer is not None and found.shown is not None:
        store = _trust(found, options.accept, options.ca, store, yes=asker.yes)
    given_account = options.account if options.account is not None else said.account
    who = _account(
        found, given_account, password, asker, unencrypted_is_chosen=options.protection is Level.NONE
    )
    person_base, group_base = options.person_base, options.group_base
    if person_base is None:
        person_base = said.connection.get("PersonResolveBase")
    if group_base is None:
        group_base = said.connection.get("GroupResolveBase")
    given = (asker.given_base(_PERSON, person_base), asker.given_base(_GROUP, group_base))
    proposal = run(_look(found, store, who, *given))
    proposal = with_export(proposal, said)
    proposal = replace(
        proposal,
        person_base=asker.base(_PERSON, person_base, proposal.person_base),
        group_base=asker.base(_GROUP, group_base, proposal.group_base),
    )
    if not quiet:
        _print(found.root, proposal, level)
    for note in proposal.notes:
        warn(note)
    bases = {"PersonResolveBase": proposal.person_base, "GroupResolveBase": proposal.group_base}
    planned = PlannedServer(
        host=",".join((name, *said.hosts[1:])) if options.host is None else name,
        port=found.port,
        tls_port=found.tls_port,
        level=level,
        account=who,
        proposal=proposal,
        given={key: text for key, text in said.connection.items() if key not in bases},
    )
    return _Examined(found.root.kind.value, found.start_tls, planned), store


def _print_server(found: Reached) -> None:
    print_line(text(f"{found.host} is {found.root}."))
    if found.shown is not None:
        print_chain(found.shown, str(found.peer))


def _level(found: Reached, wanted: Level | None, exported: Protection | None) -> Protection:
    if wanted is None and exported is Protection.NONE:
        warn(f"the export has TLS off for {found.host}: all data, passwords included, will be readable")
        hint("--protection all encrypts them")
        return Protection.NONE
    if found.peer is not None:
        return Protection[wanted.name] if wanted is not None else Protection.ALL
    warn(f"{found.host} has no working TLS: {found.problem}")
    if wanted not in (None, Level.NONE):
        raise UsageError(f"--protection {wanted} needs TLS", "enable TLS on the server, or choose none")
    if wanted is None and exported is not None:
        raise UsageError(
            f"the export has TLS on for {found.host}, which has none",
            "correct the server or the ports (--port, --tls-port), or choose --protection none",
        )
    warn("all data, passwords included, will be readable on the network")
    return Protection.NONE


def _trust(found: Reached, accept: str | None, ca: Path | None, store: Store | None, *, yes: bool) -> Store:
    """A store with which the server is trusted, `store` and what it lacks; a handshake proves it."""
    peer, shown = found.peer, found.shown
    assert peer is not None
    assert shown is not None
    if store is not None and _verified(peer, store, shown) is None:
        return store
    additions = stores.add(store or new_store(), _certificates(peer, shown, accept, ca, yes=yes))
    for certificate, reason in additions.left_out:
        raise UsageError(f"the certificate {subject_of(certificate)} would not help: {reason}")
    problem = _verified(peer, additions.store, shown)
    if problem is not None:
        raise ServerNotTrustedError(problem.message, problem.fix)
    return additions.store


def _verified(peer: Peer, store: Store, shown: Presented) -> Explanation | None:
    """None when the server is trusted with the store; else the reason."""
    return run(verify(peer, settings=TlsSettings(), trust=store, presented=shown))


def _certificates(
    peer: Peer, shown: Presented, accept: str | None, ca: Path | None, *, yes: bool
) -> Sequence[x509.Certificate]:
    if ca is not None:
        return _certificates_in(ca)
    anchor = choose_anchor(shown.chain, (), machine_roots())
    if accept is None and yes:
        raise UsageError(
            "--yes does not decide whether to trust the certificate",
            "compare its fingerprint with the server's administrator, and pass it with --accept",
        )
    taken = taken_from(anchor, shown.chain, accept, ask=True)
    if taken is None and accept is None:
        say(f"{peer} sends only its own certificate; its CA is {anchor.wanted}")
        return _certificates_in(Path(typer.prompt("File with the certificate of that CA", err=True)))
    if taken is None:
        raise ServerNotTrustedError(
            f"{peer} does not send the CA certificate that issued its own: {anchor.wanted}",
            "get it from the CA, and pass it with --ca FILE",
        )
    return (taken,)


def _account(
    found: Reached, given: str | None, password: _Password, asker: _Asker, *, unencrypted_is_chosen: bool
) -> Account | None:
    name = asker.text("Service account, as a DN (empty: anonymous)", given, "")
    if not name:
        return None
    if found.peer is None and not unencrypted_is_chosen:
        if asker.yes:
            raise UsageError(
                "the account's password would be sent unencrypted",
                "enable TLS on the server, or choose --protection none if that is intended",
            )
        agree("The account's password will be sent unencrypted, now and later. Send it?", yes=False)
    secret = password.get(lambda: ask_password(name, option="--password-file or --password-stdin"))
    if not secret:
        raise UsageError(
            "the account's password is empty", "a bind with an empty password is anonymous (RFC 4513)"
        )
    return Account(name, secret)


def _certificates_in(file: Path) -> Sequence[x509.Certificate]:
    return read_certificates(file.expanduser().read_bytes())


async def _look(
    found: Reached,
    store: Store | None,
    who: Account | None,
    person_base: str | None,
    group_base: str | None,
) -> Proposal:
    async with await _connected(found, store) as connection:
        if who is not None:
            try:
                await connection.bind(who.name, who.password.reveal())
            except InvalidCredentials as error:
                raise AccountRejectedError(
                    f"{found.host} rejects {who.name} with this password; nothing was written"
                ) from error
        return await propose(
            connection, found.root, anonymous=who is None, person_base=person_base, group_base=group_base
        )


async def _connected(found: Reached, store: Store | None) -> Connection:
    if found.peer is None or store is None:
        return await connect(Address(found.host, found.port))
    return await found.peer.connect(make_context(TlsSettings(), trust=store))


def _print(root: RootDSE, proposal: Proposal, level: Protection) -> None:
    rows = [
        ("protection", level.name.lower()),
        ("Person base DN", proposal.person_base or "(the whole directory)"),
        ("Person object class", proposal.person_class),
        ("Search filter", proposal.person_filter),
        ("Login filter", proposal.login_filter),
        ("Display name attribute", proposal.name_attribute),
        ("Sametime ID attribute", proposal.user_id_attribute or "(the DN)"),
        ("Group base DN", proposal.group_base or "(the whole directory)"),
        ("Group object class", f"{proposal.group_class}, members in {proposal.member_attribute}"),
        *([("Login domains", ", ".join(proposal.login_domains))] if proposal.login_domains else []),
        ("Business card", ", ".join(f"{field} ({names})" for field, names in proposal.details)),
    ]
    print_line((f"Settings for {root.kind.value}", "bold"))
    print_fields(rows)


def _write(folder: Path, environ: Mapping[str, str], plan: SettingsPlan, *, force: bool) -> Sequence[Path]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(folder):
        _check_folder(folder, force=force)
        written, backups = write(folder, environ, plan)
    for path in written:
        say(f"Written: {path}")
    for path in backups:
        say(f"The old file is {path}")
    return written

"""`quintet init`: asks for a server and an account, looks at the directory, and writes settings that fit."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from quintet.admin import trust as stores
from quintet.admin.certificate_files import read_certificates
from quintet.admin.doctor.examine import examine
from quintet.admin.fetching import Peer, Shown, verify
from quintet.admin.init.connect import Reached, reach
from quintet.admin.init.proposing import Proposal, is_name, propose
from quintet.admin.init.root_dse import Root
from quintet.admin.init.writing import Plan, in_the_way, write
from quintet.admin.rewriting import only_one
from quintet.admin.trust_anchor import Found, choose_anchor, machine_roots
from quintet.cli.app import app
from quintet.cli.certificates import print_chain
from quintet.cli.context import folder_of, run
from quintet.cli.doctor import finding_document, print_findings
from quintet.cli.exit_codes import EXITS, ExitCode, UsageError
from quintet.cli.level import Level
from quintet.cli.prompts import Yes, agree, ask_password, read_password
from quintet.cli.show import AsJson, hint, out, print_json, print_table, say, text, warn
from quintet.cli.trust import taken_from
from quintet.config import PLAIN_PORT, TLS_PORT, Account
from quintet.diagnostics import Severity
from quintet.directory.services import Protection
from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.errors import InvalidCredentials
from quintet.secret import Secret
from quintet.tls.context import make_context
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import Store, new_store

PASSWORD_VARIABLE = "QUINTET_ACCOUNT_PASSWORD"  # noqa: S105  # the name of a variable


class ServerNotTrustedError(Exception):
    """The server's certificate does not hold, even with what is to be trusted."""

    def __init__(self, what: str, fix: str | None = None) -> None:
        super().__init__(what)
        self.fix = fix


class AccountRejectedError(Exception):
    """The server does not take the account."""


EXITS[ServerNotTrustedError] = ExitCode.UNREACHABLE
EXITS[AccountRejectedError] = ExitCode.NO


@app.command()
def init(
    context: typer.Context,
    host: Annotated[str | None, typer.Option("--host", help="The LDAP server.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Its clear port; 389.", min=1, max=65535)] = None,
    tls_port: Annotated[
        int | None, typer.Option("--tls-port", help="Its TLS port; 636.", min=1, max=65535)
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="DN", help="Who searches; empty for nobody.")
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="The account's password is its first line."),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the account's password from standard input.")
    ] = False,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="FINGERPRINT", help="Trust the certificate with this SHA-256."),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Trust the certificates in FILE instead.")
    ] = None,
    protection: Annotated[
        Level | None, typer.Option("--protection", help="What to encrypt; all where the server has TLS.")
    ] = None,
    person_base: Annotated[
        str | None, typer.Option("--person-base", metavar="DN", help="Where people are.")
    ] = None,
    group_base: Annotated[
        str | None, typer.Option("--group-base", metavar="DN", help="Where groups are.")
    ] = None,
    stash: Annotated[
        bool, typer.Option("--stash", help="Keep the store's password in a stash, not in sametime.ini.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there; the old ones are kept as .bak.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the settings for a directory: asks, looks, proposes, writes, and examines what it wrote.

    The account's password can also come in the environment, as QUINTET_ACCOUNT_PASSWORD.
    """
    folder = folder_of(context)
    _check_folder(folder, force=force)
    asker, password = _Asker(yes=yes), _Password(password_file, password_stdin)
    name = asker.text("LDAP server", host, None)
    found = run(
        reach(
            name, asker.number("Clear port", port, PLAIN_PORT), asker.number("TLS port", tls_port, TLS_PORT)
        )
    )
    if not as_json:
        _print_server(found)
    level = _level(found, protection)
    store = _trust(found, accept, ca, yes=yes) if found.peer is not None and found.shown is not None else None
    clear_is_chosen = protection is Level.NONE
    who = _account(found, account, password, asker, clear_is_chosen=clear_is_chosen)
    proposal = run(_look(found, store, who))
    proposal = replace(
        proposal,
        person_base=asker.base("Base for people", person_base, proposal.person_base),
        group_base=asker.base("Base for groups", group_base, proposal.group_base),
    )
    if not as_json:
        _print(found.root, proposal, level)
    for note in proposal.notes:
        warn(note)
    agree(f"Write the settings to {folder.resolve()}?", yes=yes)
    plan = Plan(
        host=name,
        port=found.port,
        tls_port=found.tls_port,
        start_tls=found.start_tls,
        level=level,
        account=who,
        store=store,
        stash=stash,
        proposal=proposal,
    )
    written = _write(folder, plan, force=force)
    findings = run(examine(folder, os.environ))
    if as_json:
        print_json(
            {
                "product": found.root.product.value,
                "protection": level.name.lower(),
                "settings": asdict(proposal) | {"details": dict(proposal.details)},
                "written": [str(each) for each in written],
                "findings": [finding_document(each) for each in findings],
            }
        )
    else:
        print_findings(findings)
        hint("quintet serve keeps the connections open; quintet eavesdrop shows what others can read")
    if any(each.severity is Severity.ERROR for each in findings):
        raise typer.Exit(ExitCode.NO)


def _check_folder(folder: Path, *, force: bool) -> None:
    there = in_the_way(folder)
    if there and not force:
        raise UsageError(
            f"there is already {', '.join(str(each) for each in there)}",
            "name another folder with --config, or replace them with --force, which keeps the old ones",
        )


class _Asker:
    """Questions with defaults. Where nobody is to be asked, the default counts."""

    def __init__(self, *, yes: bool) -> None:
        self.yes = yes

    def text(self, question: str, given: str | None, default: str | None) -> str:
        if given is not None:
            return given.strip()
        if self.yes:
            if default is None:
                raise UsageError(f"{question} is not given", "with --yes nothing is asked: give --host")
            return default
        return str(typer.prompt(question, default=default, show_default=bool(default), err=True)).strip()

    def number(self, question: str, given: int | None, default: int) -> int:
        if given is not None:
            return given
        return default if self.yes else int(typer.prompt(question, default=default, type=int, err=True))

    def base(self, question: str, given: str | None, default: str) -> str:
        answer = self.text(f"{question} (empty: all)", given, default)
        if not is_name(answer):
            raise UsageError(
                f"{question}: {answer!r} is no distinguished name", "write for example o=example"
            )
        return answer


class _Password:
    """Where the account's password comes from; it is asked for when it comes from nowhere else."""

    def __init__(self, file: Path | None, stdin: bool) -> None:
        if file is not None and stdin:
            raise UsageError("--password-file and --password-stdin are both given", "leave one of them out")
        self._file = file
        self._typed = read_password() if stdin else None

    def get(self, ask: Callable[[], Secret]) -> Secret:
        if self._file is not None:
            return read_password(self._file)
        if self._typed is not None:
            return self._typed
        variable = os.environ.get(PASSWORD_VARIABLE)
        return Secret(variable) if variable else ask()


def _print_server(found: Reached) -> None:
    out().print(text(f"{found.host} is {found.root}."), soft_wrap=True)
    if found.shown is not None:
        print_chain(found.shown, str(found.peer))


def _level(found: Reached, wanted: Level | None) -> Protection:
    if found.peer is not None:
        return Protection[wanted.name] if wanted is not None else Protection.ALL
    warn(f"{found.host} has no TLS that works: {found.problem}")
    if wanted not in (None, Level.NONE):
        raise UsageError(
            f"without TLS, --protection {wanted} cannot be", "let the server offer TLS, or choose none"
        )
    warn("everything, names and passwords, will be readable on the network")
    return Protection.NONE


def _trust(found: Reached, accept: str | None, ca: Path | None, *, yes: bool) -> Store:
    """A store that makes the server trusted; whether it does is proven by a handshake."""
    peer, shown = found.peer, found.shown
    assert peer is not None
    assert shown is not None
    additions = stores.add(new_store(), _certificates(peer, shown, accept, ca, yes=yes))
    for certificate, reason in additions.left_out:
        raise UsageError(f"{certificate.subject.rfc4514_string()} would not help: {reason}")
    problem = run(verify(peer, profile=TlsSettings(), trust=additions.store, chain=shown.chain))
    if problem is not None:
        raise ServerNotTrustedError(problem.sentence, problem.fix)
    return additions.store


def _certificates(
    peer: Peer, shown: Shown, accept: str | None, ca: Path | None, *, yes: bool
) -> Sequence[x509.Certificate]:
    if ca is not None:
        return read_certificates(ca.read_bytes())
    anchor = choose_anchor(shown.chain, (), machine_roots())
    if accept is None and yes:
        raise UsageError(
            "whether to trust the certificate is not answered by --yes",
            "compare its fingerprint with whoever runs the server, and give it with --accept",
        )
    taken = taken_from(anchor, shown.chain, accept, ask=True)
    if taken is None:
        assert anchor.found is Found.NOWHERE or accept is not None
        raise ServerNotTrustedError(
            f"{peer} does not send the certificate that must be trusted: {anchor.wanted}",
            "get it from whoever issued the chain, and give it with --ca FILE",
        )
    return (taken,)


def _account(
    found: Reached, given: str | None, password: _Password, asker: _Asker, *, clear_is_chosen: bool
) -> Account | None:
    name = asker.text("Account that searches, as a DN (empty: none)", given, "")
    if not name:
        return None
    if found.peer is None and not clear_is_chosen:
        if asker.yes:
            raise UsageError(
                "the account's password would be sent in clear",
                "let the server offer TLS, or choose --protection none, if that is meant",
            )
        agree("The account's password will be sent in clear, now and later. Send it?", yes=False)
    secret = password.get(lambda: ask_password(name, option="--password-file or --password-stdin"))
    if not secret:
        raise UsageError("the account's password is empty", "an empty password proves nothing to a directory")
    return Account(name, secret)


async def _look(found: Reached, store: Store | None, who: Account | None) -> Proposal:
    async with await _connected(found, store) as connection:
        if who is not None:
            try:
                await connection.bind(who.name, who.password.reveal())
            except InvalidCredentials as error:
                raise AccountRejectedError(
                    f"{found.host} does not take {who.name} with this password; nothing was written"
                ) from error
        return await propose(connection, found.root)


async def _connected(found: Reached, store: Store | None) -> Connection:
    if found.peer is None or store is None:
        return await connect(Address(found.host, found.port))
    return await found.peer.connect(make_context(TlsSettings(), trust=store))


def _print(root: Root, proposal: Proposal, level: Protection) -> None:
    rows = [
        ("protection", level.name.lower()),
        ("people below", proposal.person_base or "the whole directory"),
        ("a person is", proposal.person_class),
        ("found by", proposal.person_filter),
        ("signs in by", proposal.login_filter),
        ("is called", proposal.name_attribute),
        ("has the ID", proposal.user_id_attribute or "the DN"),
        ("groups below", proposal.group_base or "the whole directory"),
        ("a group is", f"{proposal.group_class}, its members in {proposal.member_attribute}"),
        ("card shows", ", ".join(f"{field} ({names})" for field, names in proposal.details)),
    ]
    print_table((f"for {root.product.value}", ""), rows)


def _write(folder: Path, plan: Plan, *, force: bool) -> Sequence[Path]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(folder):
        _check_folder(folder, force=force)
        written, backups = write(folder, os.environ, plan)
    for path in written:
        say(f"Written: {path}")
    for path in backups:
        say(f"The old file is {path}")
    return written

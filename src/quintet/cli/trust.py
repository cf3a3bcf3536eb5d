"""`quintet trust`: lists and changes trust stores."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509

from quintet.admin import trust as stores
from quintet.admin.certificate_files import NoCertificatesError, read_certificates
from quintet.admin.fetching import FetchError, Peer, fetch, verify
from quintet.admin.listing import rows_of
from quintet.admin.trust import Target, TrustError
from quintet.admin.trust_anchor import Anchor, AnchorSource, choose_anchor, has_fingerprint, machine_roots
from quintet.cli.app import CommandGroup, app
from quintet.cli.certificates import entry_document, facts_document, print_chain, print_entries
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.prompts import PasswordFile, Yes, agree, ask_password, read_password
from quintet.cli.report_error import EXITS
from quintet.cli.show import AsJson, hint, out, print_json, printable, say, text, warn
from quintet.files import locked
from quintet.secret import Secret
from quintet.tls import (
    NoSuchEntryError,
    StoreError,
    TlsSettingsError,
    facts_of,
    fingerprint,
    is_authority,
    subject_of,
)


class NotAcceptedError(TrustError):
    """The accepted fingerprint is not that of the certificate to import."""


EXITS[TrustError] = ExitCode.USAGE
EXITS[NotAcceptedError] = ExitCode.NO
EXITS[FetchError] = ExitCode.UNREACHABLE
EXITS[NoCertificatesError] = ExitCode.USAGE
EXITS[StoreError] = ExitCode.USAGE
EXITS[NoSuchEntryError] = ExitCode.NO
EXITS[TlsSettingsError] = ExitCode.USAGE

trust = typer.Typer(
    name="trust",
    cls=CommandGroup,
    help="List and change the trust store: that of the settings, or the one that --store names.",
    no_args_is_help=True,
)
app.add_typer(trust)

StoreFile = Annotated[
    Path | None, typer.Option("--store", metavar="FILE", help="Another store: .p12, .pfx or .jks.")
]
Legacy = Annotated[
    bool,
    typer.Option(
        "--legacy/--modern",
        help="The encoding of a .p12 store: the one that Sametime and old Java read, or AES-256 and SHA-256.",
    ),
]
_ADDRESS = re.compile(
    r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/@\[\]]+))(?::(?P<port>[0-9]{1,5}))?"
)


@trust.command("list")
def list_entries(
    context: typer.Context,
    store: StoreFile = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """List the entries of a store: names, keys, validity, and which programs can read them."""
    target = _existing(context, store, password_file)
    rows = rows_of(target.store)
    if as_json:
        print_json(
            {
                "store": str(target.path),
                "kind": target.store.kind.value,
                "entries": [entry_document(row) for row in rows],
                "unreadable": [{"alias": e.alias, "reason": e.reason} for e in target.store.unreadable],
                "notes": [
                    {"code": n.code, "message": n.message, "fix": n.fix or None} for n in target.store.notes
                ],
            }
        )
        return
    print_entries(rows)
    plural = "entry" if len(rows) == 1 else "entries"
    out().print(text(f"{target.path}: {len(rows)} {plural}"), soft_wrap=True)
    for note in target.store.notes:
        warn(str(note))


@trust.command("fetch")
def fetch_certificate(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The LDAP server and its TLS port.")],
    starttls: Annotated[
        bool, typer.Option("--starttls", help="Connect to the plain LDAP port, and change to TLS there.")
    ] = False,
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept", metavar="FINGERPRINT", help="Import the certificate with this SHA-256 fingerprint."
        ),
    ] = None,
    store: StoreFile = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Find the certificate to trust in the chain that a server presents, and import it."""
    folder = folder_of(context)
    peer = _peer(address, starttls=starttls)
    server = run(fetch(peer))
    with locked(store.parent if store else folder):
        target = _existing_or_new(context, store, password_file)
        anchor = choose_anchor(server.chain, target.store.certificates, machine_roots())
        if not as_json:
            print_chain(server, str(peer))
        taken = taken_from(anchor, server.chain, accept, ask=not as_json)
        alias = None
        changed = target.store
        if taken is not None:
            additions = stores.add(target.store, [taken])
            for _, reason in additions.left_out:
                raise TrustError(f"trusting {subject_of(taken)} would not help: {reason}")
            alias, changed = additions.added[0][0], additions.store
            _made(target, stores.save(target, changed, folder=folder), quiet=as_json)
    trusted = taken is not None or anchor.found is AnchorSource.IN_STORE
    problem = None
    if trusted:
        settings = stores.tls_settings(folder, environ_of(context))
        problem = run(verify(peer, settings=settings, trust=changed, presented=server))
    if as_json:
        print_json(
            {
                "address": str(peer),
                "tls_version": server.tls_version,
                "cipher": server.cipher,
                "chain": [facts_document(facts_of(each)) for each in server.chain],
                "anchor": {
                    "found": anchor.found.name.lower().replace("_", "-"),
                    "subject": anchor.wanted,
                    "fingerprint": fingerprint(anchor.certificate) if anchor.certificate else None,
                },
                "imported": alias,
                "store": str(target.path) if alias else None,
                "trusted": trusted and problem is None,
                "problem": str(problem) if problem else None,
                "code": problem.code if problem else None,
            }
        )
    else:
        _conclude(anchor, alias, str(problem) if problem else None, str(peer))
    if not trusted and (accept is not None or anchor.certificate is None):
        raise typer.Exit(ExitCode.NO)


@trust.command("import")
def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="PEM, DER or PKCS#7.")],
    alias: Annotated[str | None, typer.Option("--alias", help="The entry's name in the store.")] = None,
    store: StoreFile = None,
    password_file: PasswordFile = None,
    force: Annotated[
        bool, typer.Option("--force", help="Import even certificates that would not help.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Import certificates from files. A certificate that would not help is refused, with the reason."""
    folder = folder_of(context)
    certificates = [one for file in files for one in _read(file)]
    with locked(store.parent if store else folder):
        target = _existing_or_new(context, store, password_file)
        additions = stores.add(target.store, certificates, alias=alias, force=force)
        for certificate, reason in additions.left_out:
            warn(f"{subject_of(certificate)} is not imported: {reason}")
        backups: Sequence[Path] = ()
        if additions.added:
            for name, certificate in additions.added:
                say(f"{name}: {subject_of(certificate)}")
                say(f"  SHA-256 {fingerprint(certificate)}")
            agree(f"Import into {target.path}?", yes=yes)
            backups = stores.save(target, additions.store, folder=folder)
            _made(target, backups, quiet=as_json)
    if as_json:
        print_json(
            {
                **_made_document(target, backups),
                "imported": [
                    {"alias": name, **facts_document(facts_of(each))} for name, each in additions.added
                ],
                "left_out": [
                    {**facts_document(facts_of(each)), "reason": reason}
                    for each, reason in additions.left_out
                ],
            }
        )
    if not additions.added:
        say("Nothing was changed.")
        raise typer.Exit(ExitCode.NO)
    if not as_json:
        names = ", ".join(name for name, _ in additions.added)
        out().print(text(f"Imported: {names}"), soft_wrap=True)


@trust.command("remove")
def remove_entries(
    context: typer.Context,
    aliases: Annotated[list[str], typer.Argument(metavar="ALIAS...")],
    store: StoreFile = None,
    password_file: PasswordFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove entries from a store."""
    folder = folder_of(context)
    with locked(store.parent if store else folder):
        target = _existing(context, store, password_file)
        left = stores.without(target.store, aliases)
        agree(f"Remove {', '.join(printable(a) for a in aliases)} from {target.path}?", yes=yes)
        backups = stores.save(target, left, folder=folder)
        _made(target, backups, quiet=as_json)
    if as_json:
        print_json({**_made_document(target, backups), "removed": aliases, "trusted_left": len(left.trusted)})
    else:
        out().print(text(f"Removed: {', '.join(aliases)}"), soft_wrap=True)
    if not left.trusted:
        warn(f"{target.path} holds no trusted certificate now, so no server can be trusted")


@trust.command("create")
def create_store(
    context: typer.Context,
    store: StoreFile = None,
    password_file: PasswordFile = None,
    legacy: Legacy = True,
    as_json: AsJson = False,
) -> None:
    """Make an empty store."""
    folder = folder_of(context)
    with locked(store.parent if store else folder):
        if store is not None:
            target = stores.new_file_store(store, _password(store, password_file, new=True))
        else:
            target = stores.settings_store_or_new(folder, environ_of(context))
            if target.old is not None:
                raise TrustError(f"{target.path} exists already", "import certificates into it")
        backups = stores.save(target, target.store, folder=folder, legacy=legacy)
        _made(target, backups, quiet=as_json)
    if as_json:
        print_json({**_made_document(target, backups), "legacy": legacy})


@trust.command("convert")
def convert_store(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The new file: .p12, .pfx or .jks; without it, the same file."),
    ] = None,
    legacy: Legacy = True,
    store: StoreFile = None,
    password_file: PasswordFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Write a store in another format or encoding. The password stays the same."""
    with locked(store.parent if store else folder_of(context)):
        target = _existing(context, store, password_file)
        if to is None:
            encoding = "legacy encoding, which Sametime reads" if legacy else "modern encoding"
            agree(f"Rewrite {target.path} in the {encoding}?", yes=yes)
        backups = stores.convert(target, to or target.path, legacy=legacy)
    written = to or target.path
    if as_json:
        kept = [str(path) for path in backups]
        kind = stores.kind_by_name(written).value
        print_json({"store": str(written), "kind": kind, "legacy": legacy, "backups": kept})
        return
    out().print(text(f"Written: {written}{_kept(backups)}"), soft_wrap=True)
    if to is not None and store is None:
        hint(f"to use it, name it in sametime.ini: ..._TRUST_STORE_FILE={to.resolve()}")


@trust.command("stash")
def stash_password(
    context: typer.Context,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move the password of the settings' store from sametime.ini into a stash file."""
    folder = folder_of(context)
    with locked(folder):
        agree("Write a stash file, and remove the password from sametime.ini?", yes=yes)
        stashed = stores.stash(folder, environ_of(context))
    if as_json:
        kept = [str(path) for path in stashed.backups]
        print_json({"stash": str(stashed.path), "backups": kept, "variable": stashed.variable})
    else:
        out().print(text(f"Written: {stashed.path}{_kept(stashed.backups)}"), soft_wrap=True)
    if stashed.variable is not None:
        warn(f"the variable {stashed.variable} still holds the password; remove it from the environment")


def _existing(context: typer.Context, store: Path | None, password_file: Path | None) -> Target:
    if store is not None:
        return stores.file_store(store, _password(store, password_file), ask=password_file is None)
    return stores.settings_store(folder_of(context), environ_of(context))


def _existing_or_new(context: typer.Context, store: Path | None, password_file: Path | None) -> Target:
    if store is None:
        return stores.settings_store_or_new(folder_of(context), environ_of(context))
    if not store.exists():
        return stores.new_file_store(store, _password(store, password_file, new=True))
    return stores.file_store(store, _password(store, password_file), ask=password_file is None)


def _password(store: Path, file: Path | None, *, new: bool = False) -> Callable[[], Secret]:
    """How to get the password: from the file, else by asking, once it is known to be needed.

    An existing store may have an empty one, which an empty file gives as well.
    """

    def password() -> Secret:
        if file is not None:
            found = read_password(file, empty=not new)
        else:
            found = ask_password(str(store), option="--password-file", twice=new)
        if new and not found:
            raise UsageError(f"the password of the new store {store} is empty", "choose another one")
        return found

    return password


def _read(file: Path) -> tuple[x509.Certificate, ...]:
    try:
        return read_certificates(file.read_bytes())
    except NoCertificatesError as error:
        raise NoCertificatesError(f"{file}: {error}") from error


def _peer(text: str, *, starttls: bool) -> Peer:
    """HOST:PORT, HOST alone, or an IPv6 address in brackets."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r}: expected HOST:PORT", "for example ldap.example.com:636")
    port = int(found["port"] or (389 if starttls else 636))
    if not 0 < port < 65536:
        raise UsageError(f"{port} is not a port", "ports go from 1 to 65535")
    return Peer(found["bracketed"] or found["host"], port, starttls)


def taken_from(
    anchor: Anchor, chain: Iterable[x509.Certificate], accept: str | None, *, ask: bool
) -> x509.Certificate | None:
    """The certificate to import, when there is one and its fingerprint is confirmed.

    The CA certificates of the chain can be accepted, too, but only by their own fingerprints.
    """
    if anchor.found is AnchorSource.IN_STORE:
        return None
    certificate = anchor.certificate
    if accept is None:
        if certificate is None or not ask:
            return None
        say(f"To be trusted: {subject_of(certificate)}, {anchor.found.value}")
        say(f"  SHA-256 {fingerprint(certificate)}")
        agree(
            "Is this the fingerprint that the server's administrators gave you? Import the certificate?",
            yes=False,
        )
        return certificate
    choices = [*([certificate] if certificate else ()), *(c for c in chain if is_authority(c))]
    try:
        accepted = next((c for c in choices if has_fingerprint(c, accept)), None)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if accepted is None and certificate is not None:
        raise NotAcceptedError(
            f"the certificate to import, {subject_of(certificate)}, has another fingerprint: "
            f"{fingerprint(certificate)}",
            "ask the server's administrators for the right one; the connection may be intercepted",
        )
    return accepted


def _conclude(anchor: Anchor, alias: str | None, problem: str | None, place: str) -> None:
    if alias is not None:
        out().print(text(f"Imported as {alias}."), soft_wrap=True)
    elif anchor.found is AnchorSource.IN_STORE:
        out().print(text(f"The trust store holds {anchor.wanted} already."), soft_wrap=True)
    else:
        say(f"{place} does not send the certificate to trust: {anchor.wanted}")
        where = f" (its address: {anchor.address})" if anchor.address else ""
        hint(f"get it from the CA{where}, then: quintet trust import FILE")
        return
    if problem is None:
        out().print(text(f"{place} is trusted now.", "green"), soft_wrap=True)
    else:
        warn(f"{place} is still not trusted: {problem}")


def _made(target: Target, backups: Iterable[Path], *, quiet: bool = False) -> None:
    """Prints what was written beside the store itself."""
    if quiet:
        return
    if target.old is None:
        say(f"Created the store {target.path}")
    if target.stash is not None:
        say(f"Its password is in {target.stash}")
    if target.ini:
        say(f"Set in sametime.ini: {', '.join(stores.PREFIX + key for key in target.ini)}")
    for path in backups:
        say(f"The old file is {path}")


def _made_document(target: Target, backups: Iterable[Path]) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "store": str(target.path),
        "kind": target.kind.value,
        "created": target.old is None,
        "stash": str(target.stash) if target.stash is not None else None,
        "settings": [stores.PREFIX + key for key in target.ini or ()],
        "backups": [str(path) for path in backups],
    }


def _kept(backups: Iterable[Path]) -> str:
    names = ", ".join(path.name for path in backups)
    return f" (the old file: {names})" if names else ""

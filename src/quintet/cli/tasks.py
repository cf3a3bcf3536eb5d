"""`quintet authenticate`, `resolve`, `browse` and `members`: four of the tasks from the command line."""

from typing import Annotated

import typer

from quintet.admin.explain import SignInExplanation, explain
from quintet.cards import Cards
from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.documents import Document, kind_of, person_or_group
from quintet.cli.exit_codes import ExitCode
from quintet.cli.explanation import explanation_document, print_explanation
from quintet.cli.prompts import ask_password, read_password
from quintet.cli.report_error import negative_answer
from quintet.cli.show import AsJson, print_json, print_line, print_table, printable, text, warn
from quintet.config import Settings
from quintet.directory import (
    LARGEST_PAGE,
    AuthenticationError,
    Directory,
    DirectoryUnavailableError,
    Group,
    Membership,
    Page,
    Person,
    Resolution,
    may_be_resolved,
)
from quintet.secret import Secret

_DN_BELOW_NAME = {"dn": "name"}
_SERVERS_LIMIT = (
    "the server's limit for this account, which the directory administrator can raise (slapd: limits)"
)


@command
def authenticate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The login name, as the user types it.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    explanation: Annotated[
        bool, typer.Option("--explain", help="Show each step and what the server's answer means.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The password is asked for at the terminal, unless it comes from standard input.

    --explain is for administrators: it shows what users never see, such as that an account is locked.
    """
    settings = settings_of(context, account_warnings=False)
    password = read_password() if password_stdin else ask_password(name, option="--password-stdin")
    if explanation:
        _explain(settings, name, password, as_json=as_json)
        return
    with negative_answer(name, as_json=as_json, document={"person": None}):
        person = run(_authenticate(settings, name, password))
    if as_json:
        print_json({"person": person_or_group(person)})
        return
    print_line(("Authentication succeeded.", "green"))
    _print_people([person])


@command
def resolve(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name, or the beginning of one.")],
    people: Annotated[bool, typer.Option("--people", help="Only people.")] = False,
    groups: Annotated[bool, typer.Option("--groups", help="Only groups.")] = False,
    as_json: AsJson = False,
) -> None:
    both = people == groups
    settings = settings_of(context, account_warnings=False)
    found = run(_resolve(settings, name, people=people or both, groups=groups or both))
    if as_json:
        print_json(
            {
                "matches": [person_or_group(match) for match in found.matches],
                "exact": found.exact,
                "complete": found.complete,
            }
        )
    elif found.matches:
        print_table(
            ("kind", "name", "mail"),
            [(kind_of(match), match.name, _mail(match), match.dn) for match in found.matches],
            below=_DN_BELOW_NAME,
        )
    if not found.matches and found.unavailable:
        servers = ", ".join(found.unavailable)
        raise DirectoryUnavailableError(
            f"no match at the servers that answered, and {servers} could not be reached"
        )
    _warn_of_gaps(found)
    if found.truncated:
        ours = len(found.matches) >= settings.directory.max_results
        whose = "the limit (ST_DB_LDAP_MAX_RESULTS)" if ours else _SERVERS_LIMIT
        warn(f"there are more matches than {whose}; give more of the name")
    if not found.matches:
        if not may_be_resolved(name, settings.directory):
            warn(
                "the name was not looked up: its mail domain is excluded by ST_RESOLVE_BLACKLIST or"
                " ST_RESOLVE_WHITELIST in [Config] of sametime.ini"
            )
        elif not as_json:
            print_line("No match found.")
        raise typer.Exit(ExitCode.NO)


@command
def browse(
    context: typer.Context,
    dn: Annotated[
        str | None, typer.Argument(metavar="DN", help="The container; by default the configured bases.")
    ] = None,
    page_size: Annotated[
        int, typer.Option(min=1, max=LARGEST_PAGE, metavar="NUMBER", help="Entries on a page.")
    ] = 100,
    page: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="The token of the next page, as the last page printed it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    settings = settings_of(context, account_warnings=False)
    with negative_answer(
        "the bases" if dn is None else dn, as_json=as_json, document={"entries": [], "next": None}
    ):
        found = run(_browse(settings, dn, page_size, page))
    if as_json:
        entries = [{"kind": kind_of(each), "dn": each.dn, "name": each.name} for each in found.entries]
        print_json({"entries": entries, "next": found.next})
    else:
        entries_found = [(kind_of(each), each.name, each.dn) for each in found.entries]
        print_table(("kind", "name"), entries_found, below=_DN_BELOW_NAME)
        if found.next is not None:
            print_line(f"Next page: --page {found.next}")
    _warn_of_gaps(found)
    if found.truncated:
        warn(f"there are more entries than {_SERVERS_LIMIT}; the rest is not shown")


@command
def members(
    context: typer.Context,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="The group's name or DN.")],
    as_json: AsJson = False,
) -> None:
    settings = settings_of(context, account_warnings=False)
    nothing: Document = {"group": None, "members": [], "truncated": False, "missing": []}
    with negative_answer(group, as_json=as_json, document=nothing):
        found = run(_members(settings, group))
    if as_json:
        print_json(
            {
                "group": person_or_group(found.group),
                "members": [person_or_group(member) for member in found.members],
                "truncated": found.truncated,
                "missing": list(found.missing),
            }
        )
        return
    print_line((f"{printable(found.group.name)}: {len(found.members)} people", "bold"))
    if found.members:
        _print_people(found.members)
    for nested in found.groups:
        print_line(text(f"nested group: {nested.name}"))
    for missing in found.missing:
        warn(f"{missing} is a member, but the entry was not found in the directory")
    if found.truncated:
        warn(f"the group is larger than the limit of {found.limit} members; the rest is not shown")


def _explain(settings: Settings, name: str, password: Secret, *, as_json: bool) -> None:
    found = run(_explained(settings, name, password))
    if as_json:
        print_json(explanation_document(found))
    else:
        print_explanation(found)
    if isinstance(found.failure, AuthenticationError):
        raise typer.Exit(ExitCode.NO)
    if found.failure is not None:
        raise found.failure


async def _explained(settings: Settings, name: str, password: Secret) -> SignInExplanation:
    async with Directory(settings) as directory, Cards(settings) as cards:
        return await explain(directory, cards, name, lambda: directory.authenticate(name, password.reveal()))


async def _authenticate(settings: Settings, name: str, password: Secret) -> Person:
    async with Directory(settings) as directory:
        return await directory.authenticate(name, password.reveal())


async def _resolve(settings: Settings, name: str, *, people: bool, groups: bool) -> Resolution:
    async with Directory(settings) as directory:
        return await directory.resolve(name, people=people, groups=groups)


async def _browse(settings: Settings, dn: str | None, page_size: int, token: str | None) -> Page:
    async with Directory(settings) as directory:
        return await directory.browse(dn, page_size=page_size, token=token)


async def _members(settings: Settings, group: str) -> Membership:
    async with Directory(settings) as directory:
        return await directory.members(group)


def _print_people(people: list[Person] | tuple[Person, ...]) -> None:
    rows = [(person.name, person.mail, person.dn) for person in people]
    print_table(("name", "mail"), rows, below=_DN_BELOW_NAME)


def _mail(found: Person | Group) -> str | None:
    return found.mail if isinstance(found, Person) else None


def _warn_of_gaps(found: Resolution | Page) -> None:
    for server in found.unavailable:
        warn(f"{server} could not be reached, so the answer may be incomplete; quintet connections shows why")
    for base in found.missing_bases:
        warn(f"{base} does not exist or the account can't read it; check it in StCommunityConfig.xml")

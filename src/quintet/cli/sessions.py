"""`quintet sessions`: who is signed in at the running server, and ending their sessions."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from quintet.cli.app import CommandGroup, app
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import AsJson, print_json, print_table, say, text
from quintet.runtime import RequestUnavailableError, ask_running

NO_TLS = "none"

sessions = typer.Typer(
    name="sessions",
    cls=CommandGroup,
    help="List the users who are signed in with a Sametime client, and end their sessions.",
    invoke_without_command=True,
)
app.add_typer(sessions)


def ask_server(context: typer.Context, request: str, **arguments: str) -> Any:
    """The answer of the server that runs with the folder. Raises UsageError if none does, and OSError."""
    folder = folder_of(context)
    try:
        answered = run(ask_running(folder, environ_of(context), request, **arguments))
    except RequestUnavailableError as error:
        raise UsageError(
            "the running server has no port for Sametime clients",
            "set VPMX_PORT in [Debug] of sametime.ini, and restart quintet serve",
        ) from error
    if answered is None:
        raise UsageError(f"no server is running with {folder}", "start it with quintet serve")
    return answered.answer


@sessions.callback()
def list_sessions(
    context: typer.Context,
    everywhere: Annotated[bool, typer.Option("--all", help="Those of all nodes of the community.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the users who are signed in, the oldest session first.

    LDAP counts the requests of a session by the connections that they used. Of the sessions of all nodes
    20,000 are listed; what is missing because a node or Valkey does not answer is said on standard error.
    """
    if context.invoked_subcommand is not None:
        return
    answer = ask_server(context, "all-sessions") if everywhere else None
    if answer is not None:
        _print_all(answer, as_json=as_json)
        return
    rows = [_document(each) for each in ask_server(context, "sessions")]
    if as_json:
        print_json({"sessions": rows})
    elif rows:
        print_table(
            ("user", "client", "TLS", "address", "since", "LDAP", "session"),
            [
                (
                    row["user_name"],
                    row["client"],
                    row["tls"] or NO_TLS,
                    row["address"],
                    row["since"],
                    ", ".join(f"{task} {count}" for task, count in row["ldap"].items()),
                    row["id"],
                )
                for row in rows
            ],
        )
    else:
        say(text("No user is signed in."))


@sessions.command("end")
def end_sessions(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME|ID", help="A login name, a Sametime ID, or the ID of a session.")
    ],
) -> None:
    """End the sessions of a user, or one session, so that the client does not sign in again by itself.

    Exit code 1 when there is none.
    """
    ended = ask_server(context, "end-sessions", name=name)
    if not ended:
        say(text(f"{name} is not signed in."))
        raise typer.Exit(ExitCode.NO)
    say(text(f"{ended} {'session' if ended == 1 else 'sessions'} ended."))


def _print_all(answer: dict[str, Any], *, as_json: bool) -> None:
    rows = [dict(zip(answer["columns"], each, strict=True)) for each in answer["rows"]]
    for row in rows:
        row["since"] = _time(row.pop("connected_at"))
        row["client"] = row.pop("client_type")
    asked = answer["asked"]
    missing = max(0, (asked or 0) - answer["answered"])
    left_out = max(0, answer["sessions"] - len(rows))
    if as_json:
        print_json({"sessions": rows, "other_nodes": asked, "unanswered": missing, "left_out": left_out})
    elif rows:
        columns = ("user_name", "node", "client", "address", "since", "id")
        headings = ("user", "node", "client", "address", "since", "session")
        print_table(headings, [[row[each] for each in columns] for row in rows])
    else:
        say(text("No user is signed in."))
    if asked is None:
        say(text("Valkey is unavailable: only the sessions of this node are shown. See quintet doctor."))
    elif missing:
        say(text(f"{missing} of {asked} other nodes did not answer: sessions there may be missing."))
    if left_out:
        say(text(f"{left_out} more sessions are not shown."))


def _document(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "user_name": row["user_name"],
        "client": row["client_type"],
        "tls": row["tls"],
        "address": row["address"],
        "since": _time(row["connected_at"]),
        "last_active": _time(row["last_active"]),
        "status": row["status"],
        "watched": row["watched"],
        "unsent": row["unsent"],
        "ldap": row["tasks"],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

"""The settings that a command works on, and running its work."""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import typer

from quintet.cli.app import Invocation
from quintet.cli.exit_codes import UsageError
from quintet.cli.report_error import report_problems
from quintet.config import EditError, Settings, load, read_env_file
from quintet.diagnostics import Diagnostic, Severity

_Result = TypeVar("_Result")
_ALLOW_ACCOUNT = "QUINTET_ALLOW_CLEAR_SERVICE_BIND"


def folder_of(context: typer.Context) -> Path:
    """The folder that `--config` names."""
    return _invocation(context).config


def environ_of(context: typer.Context) -> Mapping[str, str]:
    """The environment of the process, and below it the variables of the files that `--env-file` names.

    Raises OSError and UsageError for a file that can't be read.
    """
    found: dict[str, str] = {}
    for path in _invocation(context).env_file:
        found |= _variables(path)
    return found | dict(os.environ)


def settings_of(context: typer.Context, *, account_warnings: bool = True) -> Settings:
    """The settings of the folder and the environment; warnings go to standard error. Raises SettingsError.

    Without `account_warnings`, what concerns only how the service accounts bind is left out: for commands
    that say nothing of accounts, or say it of each connection.
    """
    settings = load(folder_of(context), environ_of(context))
    report_problems(
        each
        for each in settings.problems
        if each.severity is Severity.WARNING and (account_warnings or not _is_about_account(each, settings))
    )
    return settings


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Do it, and return its result. Ctrl-C cancels it and raises KeyboardInterrupt."""
    return asyncio.run(work)


def _invocation(context: typer.Context) -> Invocation:
    invocation = context.find_root().obj
    assert isinstance(invocation, Invocation)
    return invocation


def _variables(path: Path) -> dict[str, str]:
    try:
        return {each.name: each.value for each in read_env_file(path.read_bytes(), path.name)}
    except EditError as error:
        raise UsageError(f"{path}: {error.message}", error.fix) from error


def _is_about_account(problem: Diagnostic, settings: Settings) -> bool:
    storages = settings.cards.storages if settings.cards is not None else ()
    accounts = [
        *(server.account for server in settings.servers),
        *(server.account for storage in storages for server in storage.servers),
    ]
    named = {(account.place, account.key) for account in accounts if account is not None}
    return problem.key == _ALLOW_ACCOUNT or (problem.place, problem.key) in named

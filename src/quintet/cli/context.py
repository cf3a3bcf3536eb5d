"""The settings that a command works on."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import typer

from quintet.cli.show import tell_problems
from quintet.config import Settings, load
from quintet.diagnostics import Severity

_Result = TypeVar("_Result")


def folder_of(context: typer.Context) -> Path:
    """The folder that `--config` names."""
    folder = context.find_root().obj
    assert isinstance(folder, Path)
    return folder


def settings_of(context: typer.Context) -> Settings:
    """The settings in that folder; warnings go to standard error. Raises SettingsError."""
    settings = load(folder_of(context), os.environ)
    tell_problems(p for p in settings.problems if p.severity is Severity.WARNING)
    return settings


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Do it, and give back what it gives. Ctrl-C cancels it."""
    return asyncio.run(work)

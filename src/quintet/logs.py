"""Structured logs: one event per line, no secrets; names and DNs only at debug level."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from quintet.secret import Secret

_PERSONAL = frozenset({"dn", "name", "mail", "base", "filter", "bound_as"})
_NEVER = frozenset({"password", "credentials", "secret", "token"})


def configure(*, debug: bool = False, quiet: bool = False, stream: TextIO | None = None) -> None:
    """Set up logging: JSON lines, or a readable form at a terminal.

    `quiet` is for commands: only warnings and errors, each as a plain sentence.
    """
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    form: Processor
    if quiet:
        form = plainly
    elif (stream or sys.stderr).isatty():
        form = structlog.dev.ConsoleRenderer()
    else:
        form = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            keep_secrets if debug else keep_private,
            form,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Standard error may be replaced later, so it is looked up for each line.
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def keep_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Masks every `Secret`, and every value whose name says that it is one."""
    for key, value in event.items():
        if key in _NEVER or isinstance(value, Secret):
            event[key] = "***"
    return event


def keep_private(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """As `keep_secrets`; also removes the names of people and entries."""
    for key in _PERSONAL & event.keys():
        del event[key]
    return keep_secrets(logger, method, event)


def plainly(_: WrappedLogger, __: str, event: EventDict) -> str:
    """The event as one line for a terminal, without control characters."""
    level, message = event.pop("level", "info"), event.pop("event", "")
    event.pop("timestamp", None)
    details = ", ".join(f"{key}: {value!r}" for key, value in event.items())
    return f"{level}: {message} ({details})" if details else f"{level}: {message}"

"""Structured logs: one event a line, no secrets, DNs only at debug level."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from quintet.secret import Secret

_PERSONAL = frozenset({"dn", "name", "mail", "base", "filter", "bound_as"})
_NEVER = frozenset({"password", "credentials", "secret", "token"})


def configure(*, debug: bool = False, quiet: bool = False, stream: TextIO | None = None) -> None:
    """Set up logging: JSON lines, or a readable form when a person watches.

    `quiet` is for commands: only what is wrong, each as a plain sentence.
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
        # Standard error may be exchanged after this; so it is looked up for each line.
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def keep_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Whatever is a secret, or bears the name of one, is left out."""
    for key, value in event.items():
        if key in _NEVER or isinstance(value, Secret):
            event[key] = "***"
    return event


def keep_private(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """As `keep_secrets`; names of people and entries are left out, too."""
    for key in _PERSONAL & event.keys():
        del event[key]
    return keep_secrets(logger, method, event)


def plainly(_: WrappedLogger, __: str, event: EventDict) -> str:
    """The event as one line for a person at a terminal, with nothing in it that steers one."""
    level, message = event.pop("level", "info"), event.pop("event", "")
    event.pop("timestamp", None)
    details = ", ".join(f"{key}: {value!r}" for key, value in event.items())
    return f"{level}: {message} ({details})" if details else f"{level}: {message}"

"""The log of what happens on the connections: one event per line, without names and values.

A repeated failure is logged once, until the connection works again.
"""

from dataclasses import asdict
from typing import Any, final

import structlog

from quintet.config.settings import TraceSettings
from quintet.diagnostics import Diagnostic, Severity
from quintet.directory.events import Event, Gone, Opened, OpenFailed, Operated, Retried, SignedIn, Warned
from quintet.directory.records import ConnectionStatus

CARDS = "business-card"
_QUIET_ENDS = ("idle", "old", "moved", "closed")


@final
class EventLogger:
    """A `Trace` for the directory and the cards. `traces` selects what else is logged; `debug`: all."""

    def __init__(self, traces: TraceSettings | None = None, *, debug: bool = False) -> None:
        self.traces = traces or TraceSettings()
        self._debug = debug
        self.log: Any = structlog.get_logger()
        self._failing: dict[tuple[str, str, str], str] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Operated) and not self._traced(event):
            return  # by far the most frequent event
        details = {key: _rounded(value) for key, value in asdict(event).items()}
        match event:
            case Opened():
                self._failing.pop((event.task, event.server, event.address), None)
                self.log.info("connection opened", **details)
            case OpenFailed():
                self._failed(event, details)
            case Gone():
                tell = self.log.debug if event.reason in _QUIET_ENDS else self.log.warning
                tell("connection gone", **details)
            case Retried():
                self.log.info("operation repeated", **details)
            case Warned():
                self.log.warning(details.pop("message"), **details)
            case SignedIn():
                tell = self.log.debug if event.outcome == "ok" else self.log.info
                tell("sign-in", **details)
            case Operated():
                self.log.info("operation", **details)

    def _traced(self, event: Operated) -> bool:
        return self._debug or (self.traces.user_info if event.task == CARDS else self.traces.ldap)

    def problems(self, found: tuple[Diagnostic, ...]) -> None:
        """Every problem of the settings."""
        levels = {
            Severity.ERROR: self.log.error,
            Severity.WARNING: self.log.warning,
            Severity.NOTE: self.log.info,
        }
        for each in found:
            code, place = each.code.name, str(each.place)
            levels[each.severity]("settings", code=code, place=place, key=each.key, message=each.message)

    def settings_rejected(self, reason: str) -> None:
        self.log.error("new settings rejected; the old ones stay in use", reason=reason)

    def handshakes(self, found: tuple[ConnectionStatus, ...]) -> None:
        """What was negotiated with each server (ST_TLS_DEBUG)."""
        if not self.traces.tls:
            return
        for each in found:
            if each.encrypted and each.tls_version is not None:
                self.log.info(
                    "handshake",
                    task=each.task,
                    address=each.address,
                    tls_version=each.tls_version,
                    cipher=each.cipher,
                    certificate=each.certificate.subject if each.certificate else None,
                    expires=each.certificate.expires if each.certificate else None,
                )

    def _failed(self, event: OpenFailed, details: dict[str, Any]) -> None:
        where = (event.task, event.server, event.address)
        known = self._failing.get(where) == event.error
        self._failing[where] = event.error
        (self.log.debug if known else self.log.warning)("no connection", **details)


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value

"""The log of what happens on the connections: one event per line, without names and values.

A repeated failure is logged once, until the connection works again.
"""

from typing import Any, final

import structlog

from quintet.config import TraceSettings
from quintet.diagnostics import Diagnostic, Severity
from quintet.directory import (
    BoundConnection,
    ConnectionEvent,
    ConnectionStatus,
    Event,
    Service,
    SignedIn,
    SignInsBlocked,
    Warned,
)
from quintet.ldap import (
    ConnectionFailed,
    ConnectionGone,
    ConnectionOpened,
    GoneReason,
    OperationEnded,
    OperationRepeated,
    UpkeepFailed,
)

_QUIET_ENDS = (GoneReason.IDLE, GoneReason.OLD, GoneReason.MOVED, GoneReason.CLOSED)


@final
class EventLogger:
    """A `Trace` for the directory and the cards. `traces` selects what else is logged; `debug`: all."""

    def __init__(self, traces: TraceSettings | None = None, *, debug: bool = False) -> None:
        self.traces = traces or TraceSettings()
        self._debug = debug
        self.log: Any = structlog.get_logger()
        self._failing: dict[tuple[Service, str], str] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case ConnectionEvent():
                self._on_connection(event)
            case Warned(service, server, message):
                self.log.warning(message, task=service.value, server=server)
            case SignedIn():
                tell = self.log.debug if event.outcome == "ok" else self.log.info
                tell("sign-in", outcome=event.outcome, reason=event.reason, seconds=round(event.seconds, 4))

            case SignInsBlocked(scope, network, seconds):
                self.log.warning("sign-ins blocked", scope=scope, network=network, seconds=round(seconds))

    def _on_connection(self, told: ConnectionEvent) -> None:
        event = told.event
        if isinstance(event, OperationEnded) and not self._traced(told.service):
            return  # most events by far are of this kind, and are not wanted in the log
        where: dict[str, Any] = {"task": told.service.value, "server": told.server}
        match event:
            case ConnectionOpened(address, encrypted, prepared, seconds):
                self._failing.pop((told.service, str(address)), None)
                way = prepared.method.value if isinstance(prepared, BoundConnection) else None
                self.log.info(
                    "connection opened",
                    **where,
                    address=str(address),
                    encrypted=encrypted,
                    way=way,
                    seconds=round(seconds, 4),
                )
            case ConnectionFailed(address, error, retry_in):
                words, place = str(error), (told.service, str(address))
                known = self._failing.get(place) == words
                self._failing[place] = words
                tell = self.log.debug if known else self.log.warning
                tell("no connection", **where, address=place[1], error=words, retry_in=round(retry_in, 4))
            case ConnectionGone(address, reason):
                tell = self.log.debug if reason in _QUIET_ENDS else self.log.warning
                tell("connection gone", **where, address=str(address), reason=reason.value)
            case OperationRepeated(operation, error):
                self.log.info("operation repeated", **where, operation=operation, why=error)
            case UpkeepFailed(error):
                self.log.warning("upkeep failed", **where, error=error)
            case OperationEnded(operation, outcome, seconds):
                self.log.info(
                    "operation", **where, operation=operation, outcome=outcome, seconds=round(seconds, 4)
                )

    def _traced(self, service: Service) -> bool:
        cards = service is Service.BUSINESS_CARD
        return self._debug or (self.traces.user_info if cards else self.traces.ldap)

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
                    task=each.service.value,
                    address=each.address,
                    tls_version=each.tls_version,
                    cipher=each.cipher,
                    certificate=each.certificate.subject if each.certificate else None,
                    expires=each.certificate.expires if each.certificate else None,
                )

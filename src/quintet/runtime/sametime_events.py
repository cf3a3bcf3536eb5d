"""The log of what happens at the Sametime port: one event per line, without names, texts and secrets."""

from typing import Any, final

import structlog

from quintet.sametime.serving import (
    ClientIgnored,
    ClientSignedIn,
    ConnectionTurnedAway,
    ExperimentalUsed,
    FewOpenFiles,
    GroupRead,
    PrivacyKept,
    SametimeTraceEvent,
    ServiceRefused,
    SessionClosed,
    SignInRefused,
    SlowReader,
    StorageChanged,
    StorageState,
    TaskFailed,
    TurnedAway,
    UnencryptedClientsAllowed,
    ValueSaved,
)

_QUIET = (TurnedAway.GONE, TurnedAway.LATE)


@final
class SametimeEventLogger:
    """A `SametimeTrace`. Every client has a few events; what each request does is at debug level."""

    def __init__(self) -> None:
        self.log: Any = structlog.get_logger()

    def __call__(self, event: SametimeTraceEvent) -> None:
        log = self.log
        match event:
            case ClientSignedIn(client_type, auth_type, tls, address, seconds):
                log.info(
                    "client signed in",
                    client=client_type,
                    by=auth_type,
                    tls=tls,
                    address=address,
                    seconds=round(seconds, 4),
                )
            case SignInRefused(reason, client_type, auth_type, address, why):
                log.info(
                    "client refused",
                    reason=reason,
                    why=why,
                    client=client_type,
                    by=auth_type,
                    address=address,
                )
            case SessionClosed(reason, client_type, seconds):
                log.info("session ended", reason=reason, client=client_type, seconds=round(seconds))
            case ConnectionTurnedAway(cause, address, detail):
                tell = log.debug if cause in _QUIET else log.info
                tell("client turned away", cause=cause.value, address=address, detail=detail)
            case StorageChanged(state, code, detail):
                if state is StorageState.AVAILABLE:
                    log.info("database available")
                else:
                    log.error("database trouble", effect=state.value, code=code, reason=detail)
            case TaskFailed(what, error, where):
                log.error("a fault in Quintet", request=what, error=error, where=where)
            case FewOpenFiles(possible, wanted):
                log.warning("few open files are allowed", sessions=possible, wanted=wanted)
            case UnencryptedClientsAllowed():
                log.warning("clients without TLS are allowed: a determined listener can read their passwords")
            case SlowReader(client_type, unsent):
                log.info("client doesn't read", client=client_type, unsent=unsent)
            case ServiceRefused(service, client_type, reason):
                log.info("service refused", service=service, client=client_type, reason=reason)
            case ExperimentalUsed(what, client_type):
                log.info("experimental", what=what, client=client_type)
            case GroupRead(members, truncated, error):
                log.debug("group read", members=members, truncated=truncated, error=error)
            case ValueSaved(key, outcome):
                log.debug("value saved", key=key, outcome=outcome)
            case PrivacyKept(client_type):
                log.debug("privacy list kept", client=client_type)
            case ClientIgnored(what, client_type, cause):
                log.debug("client ignored", what=what, client=client_type, cause=cause)

"""From the settings of a server to what bounds each of its parts."""

import resource
from contextlib import suppress
from typing import Final

from quintet.config import ServerLimits
from quintet.sametime.community import ConferenceLimits, PresenceLimits
from quintet.sametime.limits import SessionLimits
from quintet.sametime.services.server_attributes import ServerAbilities
from quintet.sametime.settings import SametimeSettings

_FILES_BESIDE: Final = 200


def raise_file_limit(sessions: int) -> int | None:
    """Raise the soft limit of open files to the hard one. How many sessions it allows, if that is too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = soft - _FILES_BESIDE
    return possible if soft != resource.RLIM_INFINITY and possible < sessions else None


def presence_limits(limits: ServerLimits) -> PresenceLimits:
    """Bounds of presence."""
    return PresenceLimits(
        limits.sessions_per_user,
        limits.watched,
        limits.watched_groups,
        limits.attributes,
        limits.attribute_size,
    )


def conference_limits(limits: ServerLimits) -> ConferenceLimits:
    """Bounds of conferences."""
    return ConferenceLimits(limits.conferences, limits.conference_members)


def session_limits(limits: ServerLimits) -> SessionLimits:
    """Bounds of a session."""
    return SessionLimits(
        bytes_before_sign_in=limits.bytes_before_sign_in,
        message_before_sign_in=limits.bytes_before_sign_in,
        message_size=limits.message_size,
        client_channels=limits.channels,
        server_channels=limits.channels,
    )


def abilities(settings: SametimeSettings) -> ServerAbilities:
    """What the server says that it offers."""
    return ServerAbilities(
        browsing=settings.browse and settings.browse_pages,
        largest_file=settings.largest_file_kb if settings.file_transfer else None,
        domains_allowed=",".join(settings.domains_allowed) or None,
        domains_denied=",".join(settings.domains_denied) or None,
        user_info_url=settings.user_info_url,
    )

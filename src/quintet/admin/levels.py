"""The settings as they would be at another protection level, with nothing written anywhere."""

from dataclasses import replace

from quintet.config import Settings
from quintet.directory.services import Protection


def at_level(settings: Settings, level: Protection) -> Settings:
    """These settings at `level`.

    When that is not the level that the administrator set, the service account is never sent in clear for the
    sake of trying: clear connections then bind as they would under `PASSWORDS`.
    """
    encrypt = level is not Protection.NONE
    cards = settings.cards
    configured = Protection.of(
        ssl_enabled=all(server.ssl_enabled for server in settings.servers),
        only_passwords=settings.directory.only_passwords,
    )
    guard = level is not configured
    return replace(
        settings,
        cards=cards and replace(cards, guard_account=cards.guard_account or guard),
        servers=tuple(replace(server, ssl_enabled=encrypt) for server in settings.servers),
        directory=replace(
            settings.directory,
            only_passwords=level is Protection.PASSWORDS,
            guard_service_account=guard,
        ),
    )

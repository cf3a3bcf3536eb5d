"""The settings as they would be at another protection level. Nothing is written."""

from dataclasses import replace

from quintet.config import Settings
from quintet.directory import Protection, weakest


def at_level(settings: Settings, level: Protection) -> Settings:
    """These settings at `level`.

    When that is not the configured level, the service account's password is never sent unencrypted: the
    unencrypted connections then bind as they would under `PASSWORDS`.
    """
    encrypt = level is not Protection.NONE
    cards = settings.cards
    guard = level is not weakest(settings)
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

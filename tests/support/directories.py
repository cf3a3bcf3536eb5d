"""Settings for servers in memory, without files: clear ones, all in the organisation of `support.small`."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from quintet.config.settings import CardSettings, DirectorySettings, ServerSettings, Settings, TraceSettings
from quintet.ldap import DN, Entry, Scope, Template
from quintet.ldap.ldif import read_entries
from quintet.tls import TlsSettings
from support import small

DEAD = 1
"""A port on loopback where nobody listens."""


def small_entries(*more: str) -> list[Entry]:
    """The small organisation; `more` is further LDIF, an entry each."""
    return list(read_entries(small.LDIF + b"".join(b"\n" + each.encode() for each in more)))


def server_settings(port: int, *, order: int = 1, **changes: Any) -> ServerSettings:
    base = ServerSettings(
        hosts=("127.0.0.1",),
        port=port,
        ssl_port=port,
        ssl_enabled=False,
        search_order=order,
        account=None,
        person_base=DN.parse(small.BASE),
        person_scope=Scope.SUBTREE,
        person_filter=Template("(&(objectclass=inetOrgPerson)(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))"),
        login_filter=Template(
            "(&(objectclass=inetOrgPerson)(|(uid=%s)(cn=%s)(givenname=%s)(sn=%s)(mail=%s)))"
        ),
        person_class="inetOrgPerson",
        group_base=DN.parse(small.BASE),
        group_scope=Scope.SUBTREE,
        group_filter=Template("(&(objectclass=groupOfNames)(cn=%s*))"),
        group_class="groupOfNames",
        group_membership=Template("(&(objectclass=groupOfNames)(member=%s))"),
        member_of=None,
        user_id_attribute=None,
        name_attribute="cn",
        mail_attribute="Mail",
        group_name_attribute="cn",
        group_member_attribute="Member",
    )
    return replace(base, **changes)


def settings(servers: Iterable[ServerSettings], **directory: Any) -> Settings:
    """Short time limits, so that a fault costs a test nothing."""
    times: dict[str, Any] = {"connect_timeout": 1.0, "operation_timeout": 2.0}
    return Settings(
        folder=Path(),
        servers=tuple(servers),
        tls=TlsSettings(),
        directory=DirectorySettings(**times | directory),
        cards=None,
        traces=TraceSettings(),
    )


def card_settings(cards: CardSettings) -> Settings:
    """Settings with business cards and nothing else."""
    return replace(settings([]), cards=cards)


async def until(condition: Callable[[], object]) -> None:
    """Let everything else go on until the condition holds; what never comes fails the test."""
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110 (counters in this very loop set no events)
            await asyncio.sleep(0)

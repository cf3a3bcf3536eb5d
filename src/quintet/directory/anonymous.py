"""Whether servers without an account can be searched at all.

Active Directory takes an anonymous bind and then refuses every search (rows S6 and S8), 389 Directory Server
can be set to do the same (S103). So an open connection proves nothing there.
"""

from quintet.directory.endpoint import COMMUNITY
from quintet.directory.entries import ANY_ENTRY
from quintet.directory.errors import DirectoryError, DirectoryUnavailableError, UnreachableReason
from quintet.directory.services import Service
from quintet.directory.snapshot import Snapshot
from quintet.ldap import (
    InappropriateAuthentication,
    LdapError,
    OperationsError,
    StrongerAuthRequired,
    UnwillingToPerform,
)

BIND_REQUIRED = (OperationsError, InappropriateAuthentication, StrongerAuthRequired, UnwillingToPerform)
"""How servers refuse to be searched by an anonymous client: Active Directory by result 1, others by these."""


async def search_refusals(snapshot: Snapshot) -> tuple[DirectoryUnavailableError, ...]:
    """An error for each server that has no account and does not let anonymous clients search."""
    found = []
    for server in snapshot.servers:
        if server.settings.account is not None:
            continue
        try:
            await server.read(Service.RESOLVE_NAMES, server.settings.person_base, ANY_ENTRY, ("1.1",))
        except BIND_REQUIRED as error:
            refusal = DirectoryUnavailableError.because(
                UnreachableReason.ACCOUNT,
                f"no account is configured, and anonymous clients may not search: {error.message}",
                server=server.label,
                fix=f"Set {COMMUNITY.account} in {COMMUNITY.file} to an account that may read",
            )
            refusal.__cause__ = error
            found.append(refusal)
        except (LdapError, DirectoryError):
            continue  # the row of the connection, or of the base, says so
    return tuple(found)

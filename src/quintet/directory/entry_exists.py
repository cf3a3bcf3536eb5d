"""Whether an entry is there: the smallest question that a directory can be asked."""

from quintet.ldap.connection import Connection
from quintet.ldap.filters import Present
from quintet.ldap.messages import BASE_OBJECT

ANYTHING = Present("objectClass").encode()
"""The filter that every entry passes."""

NO_ATTRIBUTES = ("1.1",)
ROOT_DSE = ""


async def entry_exists(connection: Connection, dn: str, *, seconds: float | None = None) -> bool:
    """Whether the entry can be seen. Raises as `Connection.search` does."""
    found = await connection.search(dn, BASE_OBJECT, ANYTHING, NO_ATTRIBUTES, timeout=seconds)
    return bool(found.entries)

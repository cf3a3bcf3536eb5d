"""An LDAP v3 client for asyncio: many operations at once over one connection, in pure Python.

::

    async with await connect(Address("ldap.example.com", 636), tls=context) as ldap:
        await ldap.bind("cn=reader,o=example", password)
        found = await ldap.search("o=example", 2, parse("(mail=ada@example.com)"), ["cn"])

Errors are in `quintet.ldap.errors`, as one tree.
"""

from quintet.ldap.connection import Connection, connect
from quintet.ldap.dn import DN, escape_value
from quintet.ldap.errors import LdapError, ResultError
from quintet.ldap.filters import Filter, Template, parse
from quintet.ldap.limits import Address, Limits
from quintet.ldap.results import Page, SearchResult

__all__ = [
    "DN",
    "Address",
    "Connection",
    "Filter",
    "LdapError",
    "Limits",
    "Page",
    "ResultError",
    "SearchResult",
    "Template",
    "connect",
    "escape_value",
    "parse",
]

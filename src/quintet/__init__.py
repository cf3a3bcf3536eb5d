"""A Sametime-compatible community server for any LDAP directory."""

__version__ = "0.1.0"

"""The directory side of a Sametime community: five tasks over five LDAP connections."""

__version__ = "0.1.0"

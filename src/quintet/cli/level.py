"""The level of protection, as it is written on the command line."""

from enum import StrEnum


class Level(StrEnum):
    """What is encrypted: all five connections, only the one that carries users' passwords, or none."""

    ALL = "all"
    PASSWORDS = "passwords"
    NONE = "none"


LEVELS = "|".join(Level)
"""For the help."""

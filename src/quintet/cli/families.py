"""All families of commands. Importing a family registers its commands, in the order of `quintet --help`."""

from quintet.cli import checking

__all__ = ["checking"]

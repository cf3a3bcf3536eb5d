"""The command line: parses, calls, prints. Every question is answered by a module below this one.

A family of commands is a module here that registers them on `quintet.cli.app.app`; `families` names them all.
"""

from quintet.cli import families
from quintet.cli.app import main

__all__ = ["families", "main"]

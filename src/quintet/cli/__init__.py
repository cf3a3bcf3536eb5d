"""The command line: parses, calls, prints. Every question is answered by a module below this one.

`commands` is the table of all commands; the module that a row names has the command's options and output.
"""

from quintet.cli.app import main

__all__ = ["main"]

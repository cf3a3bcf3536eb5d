"""What can keep a port from opening. Imports nothing heavy, so that the command line may know it."""

import errno
from typing import ClassVar


class PortError(Exception):
    """A port can't be opened. `key` is the setting that names it, in `section` of sametime.ini."""

    code: ClassVar[str] = "PORT"

    def __init__(self, address: str, port: int, key: str, error: OSError, *, section: str = "Config") -> None:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
        self.fix = (
            f"Stop the program that uses it, or set {key} in [{section}] of sametime.ini to another port, or"
            " to 0 for none"
        )
        super().__init__(f"port {port} at {address} can't be opened: {reason} ({self.code}). {self.fix}")
        self.address = address
        self.port = port
        self.key = key

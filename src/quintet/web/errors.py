"""What can keep the HTTP front from starting. Imports nothing heavy, so that the command line may know it."""

import errno


class PortError(Exception):
    """A port can't be opened. `key` is the setting that names it."""

    def __init__(self, address: str, port: int, key: str, error: OSError) -> None:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else (error.strerror or str(error))
        super().__init__(
            f"port {port} at {address} can't be opened: {reason}. Stop the program that uses it, or set"
            f" {key} in [Config] of sametime.ini to another port, or to 0 for none"
        )
        self.address = address
        self.port = port
        self.key = key

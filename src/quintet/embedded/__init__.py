"""An LDAP server in memory, for trying out and for tests, and a sample organisation to fill it.

`EmbeddedServer` is the server, `sample` the organisation. `quintet.embedded.faults` has what a test can let
go wrong: delays, drops, garbage and the like.
"""

from quintet.embedded import sample
from quintet.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "sample"]

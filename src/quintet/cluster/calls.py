"""Calls that count only for one connection and one lease: what is left of an earlier one is not heard."""

from collections.abc import Sequence
from typing import final

from quintet.cluster.lease import NodeLease
from quintet.cluster.valkey import Answer, Argument, Script, Valkey


@final
class FencedCalls:
    """What the parts of a node share. `up` is whether the connection is up and the lease is held.

    `now` is what the last event brought, in seconds of a monotonic clock.
    """

    def __init__(self, valkey: Valkey, prefix: str, lease: NodeLease) -> None:
        self.valkey = valkey
        self.prefix = prefix
        self.lease = lease
        self.now = 0.0
        self.up = False
        self._epoch = 0
        self._calls = 0

    def begin(self) -> None:
        """The lease is confirmed on this connection."""
        self.up = True

    def end(self) -> None:
        """The connection or the lease is lost: no answer to what was asked is heard."""
        self.up = False
        self._epoch += 1

    def ask(self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer) -> int:
        """Call a script. The number of the call: later ones have greater numbers, and see what it did."""
        epoch = self._epoch
        self.valkey.call(script, keys, args, lambda reply: answer(reply) if epoch == self._epoch else None)
        self._calls += 1
        return self._calls

    def write(self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer) -> int:
        """Call a script that checks this node's lease first."""
        node = self.lease.node
        return self.ask(script, keys, [self.lease.leases, node.name, node.incarnation, *args], answer)

    def index(self, digest: str) -> str:
        """The key of what this incarnation has written of users whose digests begin like this one."""
        return self.key("i", f"{self.lease.node.incarnation}:{digest[:1]}")

    def names(self, part: str) -> list[str]:
        """The keys of both hashes with a part of the login names."""
        return [self.key("a", f"0{part}"), self.key("a", f"1{part}")]

    def key(self, kind: str, name: str) -> str:
        """A key of the community."""
        return f"{self.prefix}:{kind}:{name}"

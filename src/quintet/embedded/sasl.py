"""SASL binds to the embedded server: SCRAM, for entries whose password is kept as it is."""

from collections.abc import Sequence
from typing import final

from quintet.embedded.tree import Tree, TreeEntry, parsed
from quintet.ldap import Equality, Scope, sasl


def mechanisms(*, bound: bool) -> Sequence[str]:
    """What is offered; the PLUS forms where the channel can be bound to."""
    return [each for each in sasl.MECHANISMS if bound or not each.endswith("-PLUS")]


@final
class Exchange:
    """One bind, in two steps. `answer` raises ScramError when one fails; in the end `node` is who it was."""

    def __init__(self, tree: Tree, mechanism: str, binding: bytes | None) -> None:
        self.mechanism = mechanism
        self.node: TreeEntry | None = None
        self._tree = tree
        self._found: TreeEntry | None = None
        self._server = sasl.ScramServer(
            mechanism, self._credentials, binding=binding, plus_offered=binding is not None
        )
        self._begun = False

    def answer(self, credentials: bytes) -> bytes:
        if not self._begun:
            self._begun = True
            return self._server.first(credentials)
        answer = self._server.final(credentials)
        if self._found is None or self._server.authzid not in ("", f"u:{self._server.user}"):
            raise sasl.ScramError(
                "proxy authorization is not supported: the authorization identity must be empty or the user's"
            )
        self.node = self._found
        return answer

    def _credentials(self, user: str) -> sasl.Credentials | None:
        """By a DN, a uid or a cn. A password that is kept as a hash is of no use."""
        self._found = self._entry(user)
        for password in self._found.raw("userpassword") if self._found else ():
            if not password.startswith(b"{"):
                return sasl.credentials(self.mechanism, password)
        return None

    def _entry(self, user: str) -> TreeEntry | None:
        name = parsed(user)
        if name and (node := self._tree.get(name)) is not None:
            return node
        for attribute in ("uid", "cn"):
            wanted = Equality(attribute, user.encode("utf-8", "surrogateescape"))
            found = [node for node in self._tree.search(None, Scope.SUBTREE, wanted) if node]
            if len(found) == 1:
                return found[0]
        return None

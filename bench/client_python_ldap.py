"""python-ldap, around OpenLDAP's C library.

    client_python_ldap.py TARGET serial|pipelined|kept|each

Searches run one after another or pipelined by hand. Sign-ins, a search and a bind, run in threads, either on
connections that are kept, or, as most products do it, with a new connection for each user's bind.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from people import BASE, password
from worker import ATTRIBUTES, CALLERS, THREADS, Client, Target, expect, in_sequence, in_threads, serve

ldap = importlib.import_module("ldap")  # by name, since it has no types and is not installed everywhere
escape = importlib.import_module("ldap.filter").escape_filter_chars

_LOGIN_FILTER = "(&(objectclass=inetOrgPerson)(|(uid={0})(cn={0})(mail={0})))"
_LOGIN_ATTRIBUTES = ["cn", "mail"]


def prepare(target: Target) -> None:
    """Set up TLS once for all connections of this process, so that a new one needs no context of its own."""
    ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, target.ca)
    ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)


def service_connection(target: Target) -> Any:
    connection = ldap.initialize(target.url)
    connection.simple_bind_s(target.user, target.password)
    return connection


class Serial:
    """One search after another over one connection."""

    def __init__(self, target: Target) -> None:
        prepare(target)
        self._ldap = service_connection(target)
        self.works = {"search": in_sequence(self._search)}

    def _search(self, name: str) -> None:
        found = self._ldap.search_s(BASE, ldap.SCOPE_SUBTREE, f"(uid={name})", ATTRIBUTES)
        expect(len(found), found[0][1]["mail"][0], name)

    def close(self) -> None:
        self._ldap.unbind_s()


class Pipelined:
    """Searches over one connection, sent before the former ones are answered."""

    def __init__(self, target: Target) -> None:
        prepare(target)
        self._ldap = service_connection(target)
        self.works = {"search": self._searches}

    def _searches(self, names: Iterator[str], times: list[float]) -> None:
        clock = time.perf_counter
        waiting: dict[int, tuple[str, float]] = {}
        more = True
        while True:
            while more and len(waiting) < CALLERS:
                name = next(names, None)
                if name is None:
                    more = False
                    break
                began = clock()
                sent = self._ldap.search_ext(BASE, ldap.SCOPE_SUBTREE, f"(uid={name})", ATTRIBUTES)
                waiting[sent] = name, began
            if not waiting:
                return
            _, found, answered, _ = self._ldap.result3(ldap.RES_ANY, 1)
            name, began = waiting.pop(answered)
            expect(len(found), found[0][1]["mail"][0], name)
            times.append(clock() - began)

    def close(self) -> None:
        self._ldap.unbind_s()


class SignIns:
    """Sign-ins in threads; each has a connection of its own for searches."""

    def __init__(self, target: Target) -> None:
        prepare(target)
        self._connections = [service_connection(target) for _ in range(THREADS)]
        self.works = {"sign-in": in_threads([self._operation(target, each) for each in self._connections])}

    def _operation(self, target: Target, searches: Any) -> Callable[[str], None]:
        raise NotImplementedError

    def close(self) -> None:
        for each in self._connections:
            each.unbind_s()


class Kept(SignIns):
    """Users bind on a connection that each thread keeps."""

    def _operation(self, target: Target, searches: Any) -> Callable[[str], None]:
        binds = ldap.initialize(target.bind_url)
        self._connections = [*self._connections, binds]

        def sign_in(name: str) -> None:
            binds.simple_bind_s(_find(searches, name), password(name))

        return sign_in


class Each(SignIns):
    """Each bind has a connection of its own, which is closed afterwards."""

    def _operation(self, target: Target, searches: Any) -> Callable[[str], None]:
        def sign_in(name: str) -> None:
            found = _find(searches, name)
            binds = ldap.initialize(target.bind_url)
            try:
                binds.simple_bind_s(found, password(name))
            finally:
                binds.unbind_s()

        return sign_in


def _find(searches: Any, name: str) -> str:
    wanted = _LOGIN_FILTER.format(escape(name))
    found = searches.search_s(BASE, ldap.SCOPE_SUBTREE, wanted, _LOGIN_ATTRIBUTES)
    expect(len(found), found[0][1]["mail"][0], name)
    return str(found[0][0])


_KINDS: dict[str, Callable[[Target], Client]] = {
    "serial": Serial,
    "pipelined": Pipelined,
    "kept": Kept,
    "each": Each,
}

if __name__ == "__main__":
    serve(_KINDS[sys.argv[2]])

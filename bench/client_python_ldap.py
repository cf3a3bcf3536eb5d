"""python-ldap, around OpenLDAP's C library: one search after another, and pipelined by hand."""

import importlib
import sys
from collections.abc import Callable, Iterator

from worker import ATTRIBUTES, BASE, IN_FLIGHT, Target, expect, serve

ldap = importlib.import_module("ldap")  # by name, since it has no types and is not installed everywhere


class PythonLdap:
    def __init__(self, target: Target) -> None:
        self._ldap = ldap.initialize(target.url)
        if target.tls:
            self._ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, target.ca)
            self._ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            self._ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        self._ldap.simple_bind_s(target.user, target.password)

    def close(self) -> None:
        self._ldap.unbind_s()


class Serial(PythonLdap):
    def search_until(self, people: Iterator[str], more: Callable[[], bool]) -> int:
        done = 0
        while more():
            name = next(people)
            found = self._ldap.search_s(BASE, ldap.SCOPE_SUBTREE, f"(uid={name})", ATTRIBUTES)
            expect(len(found), found[0][1]["mail"][0], name)
            done += 1
        return done


class Pipelined(PythonLdap):
    def search_until(self, people: Iterator[str], more: Callable[[], bool]) -> int:
        done = 0
        waiting: dict[int, str] = {}
        while True:
            while len(waiting) < IN_FLIGHT and more():
                name = next(people)
                sent = self._ldap.search_ext(BASE, ldap.SCOPE_SUBTREE, f"(uid={name})", ATTRIBUTES)
                waiting[sent] = name
            if not waiting:
                return done
            _, found, answered, _ = self._ldap.result3(ldap.RES_ANY, 1)
            expect(len(found), found[0][1]["mail"][0], waiting.pop(answered))
            done += 1


if __name__ == "__main__":
    serve(Pipelined if sys.argv[2:] == ["pipelined"] else Serial)

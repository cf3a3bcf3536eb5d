"""ldap3, in pure Python, with its usual blocking strategy."""

import importlib
import ssl

from people import BASE
from worker import ATTRIBUTES, Target, expect, in_sequence, serve

ldap3 = importlib.import_module("ldap3")


class Ldap3:
    def __init__(self, target: Target) -> None:
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=target.ca) if target.tls else None
        port = target.tls_port if target.tls else target.port
        server = ldap3.Server(target.host, port=port, use_ssl=target.tls, tls=tls, get_info=ldap3.NONE)
        self._connection = ldap3.Connection(server, target.user, target.password, auto_bind=True)
        self.works = {"search": in_sequence(self._search)}

    def _search(self, name: str) -> None:
        self._connection.search(BASE, f"(uid={name})", ldap3.SUBTREE, attributes=ATTRIBUTES)
        found = self._connection.response
        expect(len(found), found[0]["raw_attributes"]["mail"][0], name)

    def close(self) -> None:
        self._connection.unbind()


if __name__ == "__main__":
    serve(Ldap3)

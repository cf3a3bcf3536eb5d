"""Scenes in which the pages of the documentation are run."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from quintet.embedded import sample
from quintet.sametime.storage import CONTACT_LIST, DatabaseAddress, ValueStore
from quintet.tls import new_store, save_store
from support import certs, keytool
from support.balancer import NodePorts, configuration
from support.folder import settings_folder
from support.list_saver import encode
from support.pages import Scene
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.server_process import free_ports
from support.serving import free_port
from support.slapd import Slapd

STORE = "ldaptruststore.p12"
HOST = "dir.example"
"""The host of the pages. With its port it is as long as here, so that tables look alike."""
FOLDER = "/etc/quintet"


def names_of(server: Slapd, folder: Path) -> dict[str, str]:
    return {
        FOLDER: str(folder),
        'Port="389"': f'Port="{server.port}"',
        'SSLPort="636"': f'SSLPort="{server.tls_port}"',
        'SslPort="636"': f'SslPort="{server.tls_port}"',
        f"{HOST}:636": f"localhost:{server.tls_port}",
        f"{HOST}:389": f"localhost:{server.port}",
        f'"{HOST}", 636': f'"localhost", {server.tls_port}',
        HOST: "localhost",
    }


_ATTRIBUTE = re.compile(r'(?<!<Connection) (\w+="[^"]*")')
_SUBSIDIARY = b"""dn: o=subsidiary
objectClass: organization
o: subsidiary

dn: cn=John Miller,o=subsidiary
objectClass: inetOrgPerson
cn: John Miller
sn: Miller
mail: miller@sub.example
"""
_CONNECTION = re.compile(r"^ *<Connection .*?/>\n", re.MULTILINE | re.DOTALL)
MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(tmp_path: Path, slapd: Slapd) -> MakeScene:
    """The settings of a real slapd in a folder, at a level, and `ca.pem`, the authority's certificate."""

    def make(level: str, *, cards: bool = False, store: bool = True) -> Scene:
        folder = tmp_path / "settings"
        folder.mkdir()
        trusted = new_store().with_trusted("ldap", x509.load_pem_x509_certificate(slapd.authority.pem))
        save_store(folder / STORE, trusted, keytool.PASSWORD)
        settings_folder(
            folder,
            slapd,
            level=level,
            store=folder / STORE,
            account=(sample.READER, sample.READER_PASSWORD),
            cards_encrypted=cards,
        )
        for name in ("StCommunityConfig.xml", "UserInfoConfig.xml"):
            _spread(folder / name)
        (folder / "ca.pem").write_bytes(slapd.authority.pem)
        if not store:
            _forget_store(folder)
        return Scene(folder, names_of(slapd, folder))

    return make


def _spread(file: Path) -> None:
    """Write each attribute of the long elements on a line of its own, as administrators do."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    spread = (_ATTRIBUTE.sub(r"\n        \1", line) if len(line) > 120 else line for line in lines)
    file.write_text("".join(spread), encoding="utf-8")


def _forget_store(folder: Path) -> None:
    """As it is without a thought of encryption: no store, and no word about one."""
    (folder / STORE).unlink()
    for name, word in (("sametime.ini", "TLS_TRUST_STORE"), ("UserInfoConfig.xml", "<SslProperties")):
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if word not in line), encoding="utf-8")


@pytest.fixture
def two_servers(make_scene: MakeScene, make_slapd: Callable[..., Slapd], tmp_path: Path) -> Scene:
    """All is encrypted. There is a second directory beside the first."""
    scene = make_scene("all", cards=True)
    second = make_slapd(_SUBSIDIARY, base="o=subsidiary")
    other = settings_folder(
        tmp_path / "other",
        second,
        store=scene.folder / STORE,
        account=None,
        host="127.0.0.1",
        connection={"SearchOrder": "2"},
    )
    element = _CONNECTION.search((other / "StCommunityConfig.xml").read_text(encoding="utf-8"))
    assert element is not None
    file = scene.folder / "StCommunityConfig.xml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("  </LDAP>", f"{element[0]}  </LDAP>"), encoding="utf-8")
    names = {
        "sub.example:636": f"127.0.0.1:{second.tls_port}",
        "sub.example:389": f"127.0.0.1:{second.port}",
    }
    return replace(scene, stands_for={**scene.stands_for, **names})


@pytest.fixture
def two_nodes(make_scene: MakeScene, tmp_path: Path) -> Iterator[Scene]:
    """All is encrypted. There are Redis and PostgreSQL, and a second machine, which is a folder here."""
    scene = make_scene("all", cards=True)
    balanced = [NodePorts(*free_ports(3)) for _ in range(2)]
    text = configuration((free_port(), free_port()), balanced)
    (scene.folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    ports = (
        "STI__Config__QUINTET_NODE=node-2",
        f"STI__Debug__VPMX_PORT={balanced[1].sametime}",
        f"STI__Config__QUINTET_HTTP_PORT={balanced[1].http}",
        f"STI__Config__QUINTET_METRICS_PORT={balanced[1].metrics}",
    )
    environ = {
        "STI__Debug__VPMX_PORT": str(balanced[0].sametime),
        "STI__Config__QUINTET_HTTP_PORT": str(balanced[0].http),
        "STI__Config__QUINTET_METRICS_PORT": str(balanced[0].metrics),
        "STI__Config__QUINTET_ADDRESS": "127.0.0.1",
        "STI__Config__QUINTET_NODE": "node-1",
    }
    with RedisServer() as redis, Postgres() as postgres:
        here = {
            "valkey-cli": f"redis-cli -p {redis.port}",
            "127.0.0.1:6379": f"127.0.0.1:{redis.port}",
            "postgresql://quintet:PASSWORD@127.0.0.1/quintet": postgres.new_database(),
            "METRICS_ADDRESS=0.0.0.0": "METRICS_ADDRESS=127.0.0.1",
            "scp -pr /etc/quintet node-2:/etc/quintet": f"cp -pr {scene.folder} {tmp_path}/node-2",
            "ssh node-2 quintet": f"env {' '.join(ports)} quintet --config {tmp_path}/node-2",
        }
        yield replace(scene, stands_for={**scene.stands_for, **here}, environ=environ)


@pytest.fixture
def lists_to_move(tmp_path: Path) -> Iterator[Scene]:
    """A contact list in SQLite, and settings that name an empty PostgreSQL, which shows a certificate."""
    authority = certs.authority()
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "database-ca.pem").write_bytes(authority.pem)
    asyncio.run(_store_a_list(folder))
    with Postgres() as server:
        server.show_certificate(certs.leaf(authority, "localhost"))
        server.trust("sametime")
        database = f"localhost:{server.port}/sametime?sslmode=verify-full&sslrootcert=database-ca.pem"
        ini = f"[Config]\nQUINTET_DATABASE=postgresql://sametime:any@{database}\n"
        (folder / "sametime.ini").write_text(ini, encoding="utf-8")
        yield Scene(folder, {FOLDER: str(folder)}, server.environ)


async def _store_a_list(folder: Path) -> None:
    store = await ValueStore.open(DatabaseAddress.parse("", folder))
    await store.save("uid=ann,ou=people,o=example", CONTACT_LIST, encode(["uid=bob,ou=people,o=example"]))
    await store.close()


@pytest.fixture
def empty(tmp_path: Path) -> Scene:
    """Nothing is there yet. The ports that pages name are free ones."""
    with socket.socket() as clear, socket.socket() as tls:
        for one in (clear, tls):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
        ports = {"13890": str(clear.getsockname()[1]), "16360": str(tls.getsockname()[1])}
    return Scene(tmp_path, {"/home/ann": str(tmp_path), **ports})


@pytest.fixture
def in_clear(make_scene: MakeScene) -> Scene:
    """Nothing is encrypted, and no certificate is trusted."""
    return make_scene("none", store=False)


@pytest.fixture
def trusting(make_scene: MakeScene) -> Scene:
    """Nothing is encrypted, but the server's authority is trusted."""
    return make_scene("none")


@pytest.fixture
def encrypted(make_scene: MakeScene) -> Scene:
    """All is encrypted, the cards as well."""
    return make_scene("all", cards=True)

"""A real PostgreSQL: its TLS, the rights it takes, and what becomes of it when it is not as it should be."""

import asyncio
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from quintet.storage import (
    Database,
    DatabaseAddress,
    DatabaseTls,
    DatabaseUrlError,
    MigrationError,
    NewerSchemaError,
    RejectedValueError,
    StorageReadOnlyError,
    StorageUnavailableError,
)
from support import certs
from support.postgres import PASSWORD, Postgres

HOST = "postgresql://u:geheim@db.example.org/lists"


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        (HOST, DatabaseTls()),
        ("postgresql://u:geheim@192.0.2.1/lists", DatabaseTls()),
        ("postgresql://u:geheim@localhost/lists", None),
        ("postgresql://u:geheim@127.3.2.1/lists", None),
        ("postgresql://u:geheim@[::1]:5433/lists", None),
        ("postgresql://u@/lists?host=/run/postgresql", None),
        ("postgresql://u@/lists?host=/run/postgresql,db.example.org", DatabaseTls()),
        ("postgresql://u@/lists?host=127.0.0.1:5432,[::1]:5433,localhost:5434", None),
        ("postgresql://u@/lists?host=127.0.0.1.example.org:5432", DatabaseTls()),
        ("postgresql://u@/lists", DatabaseTls()),
        ("postgresql://u:geheim@localhost/lists?sslmode=verify-full", DatabaseTls()),
        (f"{HOST}?sslmode=disable", None),
        (f"{HOST}?sslrootcert=ca.pem", DatabaseTls("/etc/quintet/ca.pem")),
        (f"{HOST}?sslmode=verify-ca&sslrootcert=/ca.pem", DatabaseTls("/ca.pem", names_host=False)),
    ],
)
def test_the_server_is_verified_unless_it_is_this_machine_or_the_url_says_so(
    url: str, tls: DatabaseTls | None
) -> None:
    assert DatabaseAddress.parse(url, Path("/etc/quintet")).tls == tls


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}?sslmode=require",
        f"{HOST}?sslmode=prefer",
        f"{HOST}?sslmode=geheim",
        f"{HOST}?password=geheim",
        f"{HOST}?sslpassword=geheim",
        f"{HOST}?geheim=1",
        "postgresql://u:x@geheim@db.example.org/lists",
    ],
)
def test_a_url_that_verifies_nothing_or_may_show_a_secret_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as raised:
        DatabaseAddress.parse(url, Path())
    assert raised.value.fix
    assert "geheim" not in str(raised.value)


async def connect(url: str, folder: Path) -> str:
    """Open the database; the version of TLS on its connection."""
    database = await Database.open(DatabaseAddress.parse(url, folder))
    try:
        async with database.reading() as connection:
            query = "SELECT coalesce(version, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            return str((await connection.execute(text(query))).scalar_one())
    finally:
        await database.close()


@pytest.fixture(scope="module")
def tls_server() -> Iterator[Postgres]:
    """Its certificate names localhost, and not its address."""
    with Postgres() as server:
        authority = certs.authority()
        (server.folder / "ca.pem").write_bytes(authority.pem)
        (server.folder / "other.pem").write_bytes(certs.authority("Another CA").pem)
        server.show_certificate(certs.leaf(authority, "localhost"))
        yield server


@pytest.mark.real
async def test_certificate_and_host_name_are_verified(tls_server: Postgres) -> None:
    url = tls_server.new_database()
    named = url.replace(tls_server.host, "localhost")
    assert await connect(f"{named}?sslmode=verify-full&sslrootcert=ca.pem", tls_server.folder) == "TLSv1.3"
    assert await connect(f"{url}?sslmode=verify-ca&sslrootcert=ca.pem", tls_server.folder) == "TLSv1.3"
    assert await connect(url, tls_server.folder) == ""
    refused = (
        f"{url}?sslmode=verify-full&sslrootcert=ca.pem",
        f"{named}?sslmode=verify-full&sslrootcert=other.pem",
        f"{named}?sslmode=verify-full",
        f"{named}?sslmode=verify-ca&sslrootcert=missing.pem",
    )
    for each in refused:
        with pytest.raises(StorageUnavailableError) as raised:
            await connect(each, tls_server.folder)
        assert raised.value.fix
        assert PASSWORD not in "".join(traceback.format_exception(raised.value))


@pytest.mark.real
async def test_a_server_without_tls_is_not_used_unencrypted(postgres: Postgres, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError) as raised:
        await connect(f"{postgres.new_database()}?sslmode=verify-full", tmp_path)
    assert raised.value.fix


@pytest.mark.real
async def test_of_several_servers_the_primary_is_used(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.new_database().rpartition("/")[2]
    with postgres.standby() as standby:
        hosts = f"{standby.host}:{standby.port},{postgres.host}:{postgres.port}"
        query = f"host={hosts}&target_session_attrs=read-write"
        url = f"postgresql://quintet:{PASSWORD}@/{name}?{query}"
        database = await Database.open(DatabaseAddress.parse(url, tmp_path))
        async with database.reading() as connection:
            found = (await connection.execute(text("SELECT inet_server_port()"))).scalar_one()
        await database.close()
    assert found == postgres.port


@pytest.mark.real
async def test_a_role_that_owns_its_database_is_enough_and_later_one_that_changes_rows(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_owned_database()
    name = url.rpartition("/")[2]
    owner = await Database.open(DatabaseAddress.parse(url, tmp_path))
    await owner.close()
    postgres.run_sql(f"CREATE ROLE rows_{name} LOGIN PASSWORD '{PASSWORD}'")
    rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO"
    postgres.run_sql(f"{rights} rows_{name}", name)
    small = DatabaseAddress.parse(url.replace(f"{name}:", f"rows_{name}:"), tmp_path)
    database = await Database.open(small)
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO sametime_user VALUES ('a', 'b')"))
    postgres.run_sql(f"REVOKE INSERT ON sametime_user FROM rows_{name}", name)
    with pytest.raises(StorageReadOnlyError):
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO sametime_user VALUES ('c', 'd')"))
    await database.close()


@pytest.mark.real
async def test_transactions_are_read_committed_whatever_the_role_is_set_to(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_owned_database()
    name = url.rpartition("/")[2]
    postgres.run_sql(f"ALTER ROLE {name} SET default_transaction_isolation = 'serializable'")
    database = await Database.open(DatabaseAddress.parse(url, tmp_path))
    async with database.writing() as connection:
        level = (await connection.execute(text("SHOW transaction_isolation"))).scalar_one()
        idle = (await connection.execute(text("SHOW idle_in_transaction_session_timeout"))).scalar_one()
    await database.close()
    assert (level, idle) == ("read committed", "10s")


@pytest.mark.real
async def test_a_server_with_too_many_connections_is_asked_again_later(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_owned_database()
    name = url.rpartition("/")[2]
    database = await Database.open(DatabaseAddress.parse(url, tmp_path))
    postgres.run_sql(f"ALTER ROLE {name} CONNECTION LIMIT 0")
    postgres.disconnect(name)
    with pytest.raises(StorageUnavailableError) as raised:
        await database.check()
    assert not isinstance(raised.value, StorageReadOnlyError)
    postgres.run_sql(f"ALTER ROLE {name} CONNECTION LIMIT 3")
    await database.check()
    await database.close()


@pytest.mark.real
async def test_a_node_opens_a_bounded_number_of_connections(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_owned_database()
    name = url.rpartition("/")[2]
    database = await Database.open(DatabaseAddress.parse(url, tmp_path))

    async def write() -> None:
        async with database.writing() as connection:
            await connection.execute(text("SELECT pg_sleep(0.02)"))

    await asyncio.gather(*(write() for _ in range(40)), *(database.check() for _ in range(40)))
    count = postgres.run_sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}'")
    await database.close()
    assert 1 <= int(count) <= 8


async def test_a_value_that_the_database_does_not_take_does_not_make_it_unavailable(
    address: DatabaseAddress,
) -> None:
    database = await Database.open(address)
    with pytest.raises(RejectedValueError):
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO sametime_user VALUES ('a', NULL)"))
    await database.check()
    await database.close()


async def test_a_full_disk_is_read_only(tmp_path: Path) -> None:
    database = await Database.open(DatabaseAddress.parse("", tmp_path))

    async def fill() -> None:
        async with database.writing() as connection:
            await connection.execute(text("PRAGMA max_page_count = 1"))
            await connection.execute(text("INSERT INTO sametime_user VALUES ('a', :id)"), {"id": "x" * 99999})

    with pytest.raises(StorageReadOnlyError):
        await fill()
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO sametime_user VALUES ('a', 'b')"))
    await database.close()


async def make_newer(address: DatabaseAddress, oldest: str) -> None:
    """Tables of a release that does not exist yet, which work with programs from the revision `oldest` on."""
    database = await Database.open(address)
    async with database.writing() as connection:
        await connection.execute(text("ALTER TABLE stored_version ADD COLUMN from_the_future TEXT"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("UPDATE schema_support SET oldest_revision = :it"), {"it": oldest})
    await database.close()


async def test_newer_tables_are_used_as_long_as_they_were_only_added_to(address: DatabaseAddress) -> None:
    await make_newer(address, "0003")
    database = await Database.open(address)
    async with database.reading() as connection:
        version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    await database.close()
    assert version == "9999"


async def test_tables_of_a_newer_release_that_are_too_different_are_refused(
    address: DatabaseAddress,
) -> None:
    await make_newer(address, "9000")
    with pytest.raises(NewerSchemaError) as raised:
        await Database.open(address)
    assert isinstance(raised.value, MigrationError)
    assert (raised.value.code, bool(raised.value.fix)) == ("STORAGE-NEWER", True)


async def test_tables_that_say_nothing_of_older_programs_are_refused(address: DatabaseAddress) -> None:
    await make_newer(address, "0003")
    database = await Database.open(address)
    async with database.writing() as connection:
        await connection.execute(text("DELETE FROM schema_support"))
    await database.close()
    with pytest.raises(NewerSchemaError):
        await Database.open(address)

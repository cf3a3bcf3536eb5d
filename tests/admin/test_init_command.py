"""`quintet init` against a real slapd: settings that work, and nothing written where something is wrong."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.admin.init.writing import FILES
from quintet.config.load import load
from quintet.directory import Directory, Service
from quintet.tls import fingerprint
from support import certs, small
from support.command import Ran, run_program
from support.slapd import Slapd

pytestmark = pytest.mark.real

Init = Callable[..., Ran]


def initialise(
    folder: Path, server: Slapd, *options: str, typed: str = small.READER_PASSWORD, **environ: str
) -> Ran:
    return run_program(
        "--config",
        folder,
        "init",
        *("--host", "localhost", "--port", str(server.port), "--tls-port", str(server.tls_port)),
        *options,
        typed=f"{typed}\n",
        environ=environ,
    )


WITH_ACCOUNT = ("--account", small.READER_DN, "--password-stdin")


def accepting(server: Slapd) -> tuple[str, ...]:
    return ("--yes", "--accept", fingerprint(server.authority.certificate))


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


async def test_the_files_work_and_are_for_their_owner_only(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = tmp_path / "new"
    ran = initialise(folder, small_slapd, *WITH_ACCOUNT, *accepting(small_slapd))
    assert "OpenLDAP" in ran.out
    assert modes(folder) == {0o600}
    assert small.READER_PASSWORD not in ran.out + ran.err
    async with Directory(load(folder, {})) as directory:
        assert directory.protection.name == "ALL"
        assert (await directory.authenticate("alice", "alice-secret")).dn == small.person_dn("alice")
        assert (await directory.members("sales")).members
        assert all(row.encrypted for row in directory.status())


def test_every_connection_opens_with_what_was_written(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = tmp_path / "new"
    initialise(folder, small_slapd, *WITH_ACCOUNT, *accepting(small_slapd), "--stash")
    ran = run_program("--config", folder, "connections", "--json")
    assert ran.code == 0
    assert all(row["encrypted"] and row["state"] == "connected" for row in ran.document["connections"])
    assert "PASSWORD=" not in (folder / "sametime.ini").read_text()
    assert json.loads(run_program("--config", folder, "check", "--json").out) == {"problems": []}


def test_doctor_examines_what_was_written(tmp_path: Path, make_slapd: Callable[..., Slapd]) -> None:
    """The small organisation has a group without members and names that doctor remarks on."""
    server = make_slapd()
    ran = initialise(tmp_path / "new", server, *WITH_ACCOUNT, *accepting(server))
    found = run_program("--config", tmp_path / "new", "doctor", "--json").document["findings"]
    assert all(each["code"] in ran.out for each in found)
    assert found or "No problems found" in ran.out


def test_the_password_may_come_from_the_environment_or_a_file(tmp_path: Path, small_slapd: Slapd) -> None:
    options = ("--account", small.READER_DN, *accepting(small_slapd))
    initialise(tmp_path / "a", small_slapd, *options, QUINTET_ACCOUNT_PASSWORD=small.READER_PASSWORD)
    (tmp_path / "password").write_text(small.READER_PASSWORD + "\n")
    initialise(tmp_path / "b", small_slapd, *options, "--password-file", str(tmp_path / "password"))
    for name in ("a", "b"):
        account = load(tmp_path / name, {}).servers[0].account
        assert account is not None
        assert account.password.reveal() == small.READER_PASSWORD


def test_what_is_there_stays_unless_forced(tmp_path: Path, small_slapd: Slapd) -> None:
    (tmp_path / "sametime.ini").write_text("mine")
    options = (*WITH_ACCOUNT, *accepting(small_slapd))
    ran = initialise(tmp_path, small_slapd, *options)
    assert (ran.code, ran.out) == (2, "")
    assert "--force" in ran.err
    assert [each.name for each in tmp_path.iterdir()] == ["sametime.ini"]
    initialise(tmp_path, small_slapd, *options, "--force")
    assert (tmp_path / "sametime.ini.bak").read_text() == "mine"
    assert load(tmp_path, {}).servers


def test_json_is_one_document_about_what_was_found_and_written(tmp_path: Path, small_slapd: Slapd) -> None:
    ran = initialise(tmp_path, small_slapd, *WITH_ACCOUNT, *accepting(small_slapd), "--json")
    assert (ran.document["product"], ran.document["protection"]) == ("OpenLDAP", "all")
    assert ran.document["settings"]["person_base"] == small.PEOPLE
    assert sorted(ran.document["written"]) == sorted(str(each) for each in tmp_path.iterdir())
    assert small.READER_PASSWORD not in ran.out + ran.err


def test_a_forced_init_keeps_the_stash_of_the_old_store(tmp_path: Path, small_slapd: Slapd) -> None:
    options = (*WITH_ACCOUNT, *accepting(small_slapd))
    initialise(tmp_path, small_slapd, *options, "--stash")
    old = (tmp_path / "ldaptruststore.sth").read_bytes()
    initialise(tmp_path, small_slapd, *options, "--force")
    assert (tmp_path / "ldaptruststore.sth.bak").read_bytes() == old
    assert not (tmp_path / "ldaptruststore.sth").exists()
    assert load(tmp_path, {}).servers


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--yes",), 2),
        (("--yes", "--accept", "00" * 32), 1),
        (("--yes", "--accept", "nonsense"), 2),
    ],
)
def test_a_certificate_that_nobody_stands_up_for_is_not_trusted(
    tmp_path: Path, small_slapd: Slapd, options: tuple[str, ...], code: int
) -> None:
    ran = initialise(tmp_path, small_slapd, *WITH_ACCOUNT, *options)
    assert ran.code == code
    assert not list(tmp_path.iterdir())


def test_a_certificate_for_another_name_is_3_and_the_password_never_leaves(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    authority = certs.authority()
    server = make_slapd(authority=authority, certificate=certs.leaf(authority, "elsewhere.example"))
    ran = initialise(tmp_path, server, *WITH_ACCOUNT, *accepting(server))
    assert ran.code == 3
    assert "elsewhere.example" in ran.err
    assert " BIND " not in server.log()
    assert not list(tmp_path.iterdir())


def test_a_wrong_password_is_1_and_nothing_is_written(tmp_path: Path, small_slapd: Slapd) -> None:
    ran = initialise(tmp_path, small_slapd, *WITH_ACCOUNT, *accepting(small_slapd), typed="wrong")
    assert ran.code == 1
    assert small.READER_DN in ran.err
    assert not list(tmp_path.iterdir())


def test_without_tls_no_password_is_sent_unless_that_is_chosen(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd(tls=False)
    ran = initialise(tmp_path, server, *WITH_ACCOUNT, "--yes")
    assert ran.code == 2
    assert "unencrypted" in ran.err
    assert " BIND " not in server.log()
    assert not list(tmp_path.iterdir())
    initialise(tmp_path, server, *WITH_ACCOUNT, "--yes", "--protection", "none")
    assert load(tmp_path, {}).servers[0].ssl_enabled is False
    assert " BIND " in server.log()


def test_with_starttls_only_that_is_used(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = tmp_path / "new"
    options = ("--host", "localhost", "--port", str(small_slapd.port), "--tls-port", "1")
    run_program(
        "--config",
        folder,
        "init",
        *options,
        *WITH_ACCOUNT,
        *accepting(small_slapd),
        typed=small.READER_PASSWORD + "\n",
    )
    settings = load(folder, {})
    assert settings.directory.start_tls
    ran = run_program("--config", folder, "connections", "--json")
    encrypted = {row["task"] for row in ran.document["connections"] if row["encrypted"]}
    assert encrypted == {each.value for each in Service}
    assert ran.code == 0


def test_a_host_where_nothing_listens_is_3(tmp_path: Path) -> None:
    ran = run_program(
        "--config", tmp_path, "init", "--host", "127.0.0.1", "--port", "1", "--tls-port", "1", "--yes"
    )
    assert ran.code == 3
    assert "refuses connections" in ran.err
    assert not list(tmp_path.iterdir())


def test_questions_show_their_defaults_and_a_no_writes_nothing(tmp_path: Path, small_slapd: Slapd) -> None:
    answers = f"localhost\n{small_slapd.port}\n{small_slapd.tls_port}\n\n\n\nn\n"
    ran = run_program(
        "--config",
        tmp_path,
        "init",
        *accepting(small_slapd)[1:],
        typed=answers,
    )
    assert ran.code == 1
    for default in ("[389]", "[636]", f"[{small.PEOPLE}]", f"[{small.GROUPS}]"):
        assert default in ran.err
    assert not any((tmp_path / name).exists() for name in FILES)

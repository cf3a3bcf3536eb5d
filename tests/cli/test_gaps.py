"""What an answer lacks is told on standard error, with what to do; the document stays as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import small
from support.command import Quintet
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real


def test_c82_a_level_above_the_servers_limit_is_told_with_the_cure(
    quintet: Quintet, make_slapd: Callable[..., Slapd], tmp_path: Path
) -> None:
    """Config 3.3: with browsing on, limits may have to be lifted."""
    folder = settings_folder(tmp_path, make_slapd(extra="sizelimit 3"), level="none", account=None)
    ran = quintet("--config", folder, "browse", small.PEOPLE, "--json")
    assert (ran.code, len(ran.document["entries"]), ran.document["next"]) == (0, 3, None)
    assert ran.document.keys() == {"entries", "next"}
    assert "slapd: limits" in ran.err


@pytest.mark.parametrize(("ours", "told"), [("2", "ST_DB_LDAP_MAX_RESULTS"), ("1000", "slapd: limits")])
def test_c81_whose_limit_cut_the_matches_is_told(
    quintet: Quintet, make_slapd: Callable[..., Slapd], tmp_path: Path, ours: str, told: str
) -> None:
    folder = settings_folder(
        tmp_path,
        make_slapd(extra="sizelimit 3"),
        level="none",
        account=None,
        connection={"PersonResolveFilter": "(|(objectclass=inetOrgPerson)(cn=%s))"},
        directory={"ST_DB_LDAP_MAX_RESULTS": ours},
    )
    ran = quintet("--config", folder, "resolve", "zzz", "--json")
    assert (ran.code, ran.document["complete"]) == (0, False)
    assert told in ran.err


@pytest.mark.parametrize("command", [("resolve", "e", "--groups"), ("browse",)])
def test_a_base_that_is_not_there_is_told(
    quintet: Quintet, small_slapd: Slapd, tmp_path: Path, command: tuple[str, ...]
) -> None:
    missing = {"GroupResolveBase": "ou=teams,o=example"}
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None, connection=missing)
    ran = quintet("--config", folder, *command, "--json")
    assert "GroupResolveBase 'ou=teams,o=example' at localhost does not exist" in " ".join(ran.err.split())

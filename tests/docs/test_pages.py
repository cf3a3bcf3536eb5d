"""What the documentation says is true: its commands work, its links lead somewhere, its settings exist."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from quintet.cli.app import TRACEBACK_VARIABLE
from quintet.cli.init import PASSWORD_VARIABLE
from quintet.config import schema
from support.pages import ROOT, Scene, blocks, commands, walk

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
MADE = {
    page: make
    for maker in ("make.py", "make_library.py")
    for page, make in runpy.run_path(str(ROOT / "docs" / "reference" / maker))["PAGES"].items()
}

SCENES = {
    "README.md": "encrypted",
    "docs/how-to/from-the-sametime-page.md": "in_clear",
    "docs/how-to/import-the-certificate.md": "in_clear",
    "docs/how-to/encrypt-everything.md": "trusting",
    "docs/how-to/encrypt-only-passwords.md": "trusting",
    "docs/how-to/encrypt-nothing.md": "encrypted",
    "docs/how-to/encrypt-business-cards.md": "trusting",
    "docs/how-to/tls-scopes.md": "encrypted",
    "docs/how-to/stash-the-store-password.md": "encrypted",
    "docs/how-to/several-servers.md": "two_servers",
    "docs/how-to/keep-data-in-postgresql.md": "lists_to_move",
    "docs/how-to/find-what-is-wrong.md": "encrypted",
    "docs/how-to/run-as-a-service.md": "encrypted",
    "docs/how-to/run-several-nodes.md": "two_nodes",
    "docs/explanation/cost.md": "encrypted",
    "docs/tutorial/from-unencrypted-to-encrypted.md": "empty",
}
"""Which scene each page with commands is run in: a fixture."""

_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
_SETTING = re.compile(r"\b(?:ST|STLDAP|STMUX|STSRV|VP|QUINTET|USERINFO)_[A-Z][A-Z_]+[A-Z]\b")
_NO_KEYS = {"QUINTET_CONFIG", PASSWORD_VARIABLE, TRACEBACK_VARIABLE, *schema.FOREIGN_SECTIONS}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.real
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_every_command_of_the_page_works(page: Path, request: pytest.FixtureRequest) -> None:
    assert name_of(page) in SCENES, "the page has commands, and needs a scene to run them in"
    walk(page, request.getfixturevalue(SCENES[name_of(page)]))


@pytest.mark.real
@pytest.mark.parametrize(
    ("page", "line"),
    [
        pytest.param(page, block.line, id=f"{name_of(page)}:{block.line}")
        for page in PAGES
        for block in blocks(page)
        if block.mark == "python"
    ],
)
def test_every_program_of_the_page_works(page: Path, line: int, encrypted: Scene) -> None:
    program = next(block.text for block in blocks(page) if block.line == line)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", encrypted.here(program)],
        cwd=encrypted.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    for link in _LINK.finditer(page.read_text(encoding="utf-8")):
        if "://" in link["target"]:
            continue
        path, _, anchor = link["target"].partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} leads to {link['target']}"
        if anchor:
            headings = _HEADING.findall(target.read_text(encoding="utf-8"))
            assert anchor in map(_anchor, headings), f"{name_of(page)} leads to {link['target']}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_the_page_names_exists(page: Path) -> None:
    named = set(_SETTING.findall(page.read_text(encoding="utf-8"))) - _NO_KEYS
    assert {name for name in named if name.casefold() not in schema.KNOWN_INI} == set()


@pytest.mark.parametrize("page", MADE, ids=name_of)
def test_a_page_that_is_made_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == MADE[page](), "run script/docs"


def _anchor(heading: str) -> str:
    """As GitHub makes it: small letters, digits, - and _; blanks become -."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")

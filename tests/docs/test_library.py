"""The public interface of `quintet.ldap` is whole, documented and typed."""

import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import quintet.ldap
from support.pages import ROOT, blocks

PROGRAMS = ("README.md", "docs/how-to/use-the-ldap-library.md")
MAKER = runpy.run_path(str(ROOT / "docs" / "reference" / "make_library.py"))
DOCUMENTED = [name for topic in MAKER["TOPICS"].values() for name in topic.names]
RESULTS = {kind.__name__ for kind in quintet.ldap.ResultError.__subclasses__()}
NAMED_ALONG = {
    "Connection",
    "EncodedFilter",
    "KnownControl",
    "LdapOperations",
    "Modification",
    "PoolEvent",
    "Result",
    "ldif",
}
"""Documented with something else, or nothing to call: what others are made of."""


def thing(name: str) -> Any:
    found: Any = quintet.ldap
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_programs_of_the_documentation_pass_mypy_strict(tmp_path: Path) -> None:
    files = []
    for page in PROGRAMS:
        for block in blocks(ROOT / page):
            if block.mark == "python":
                file = tmp_path / f"{Path(page).stem.replace('-', '_').lower()}_{block.line}.py"
                file.write_text(block.text, encoding="utf-8")
                files.append(file)
    assert len(files) >= 9
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_program_of_the_readme_is_short() -> None:
    (program,) = (block.text for block in blocks(ROOT / "README.md") if block.mark == "python")
    assert len([line for line in program.splitlines() if line.strip()]) <= 20


def test_every_public_name_can_be_imported_and_they_are_in_order() -> None:
    names = quintet.ldap.__all__
    assert all(hasattr(quintet.ldap, name) for name in names)
    assert len(names) == len(set(names))
    for wanted in (
        "Add",
        "Address",
        "Delete",
        "Entry",
        "Replace",
        "Scope",
        "Template",
        "connect",
        "LdapError",
    ):
        assert wanted in names


def test_every_public_name_is_on_a_page() -> None:
    told = {name.partition(".")[0] for name in DOCUMENTED} | RESULTS | NAMED_ALONG
    assert set(quintet.ldap.__all__) <= told


def test_every_operation_is_on_a_page() -> None:
    told = {name.partition(".")[2] for name in DOCUMENTED}
    for kind in (quintet.ldap.Connection, quintet.ldap.LdapOperations):
        operations = {
            name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")
        }
        assert operations - told == {"perform"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_docstring_says_what_each_parameter_means(name: str) -> None:
    found = thing(name)
    doc = MAKER["read_doc"](found)
    if not inspect.isclass(found):
        told = [parameter for parameter, _ in doc.sections.get("Args", [])]
        assert told == [each for each in inspect.signature(found).parameters if each != "self"]
        returns = inspect.signature(found).return_annotation
        assert returns is None or {"Returns", "Yields"} & set(doc.sections), (
            f"{name} does not say what it returns"
        )
    elif "Args" in doc.sections:
        told = [parameter for parameter, _ in doc.sections["Args"]]
        assert told == [each for each in inspect.signature(found).parameters if each != "self"]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_error_that_a_docstring_names_exists(name: str) -> None:
    for error, _ in MAKER["read_doc"](thing(name)).sections.get("Raises", []):
        kind = getattr(quintet.ldap, error, None) or {"TypeError": TypeError, "ValueError": ValueError}[error]
        assert issubclass(kind, Exception)


@pytest.mark.parametrize("name", sorted(quintet.ldap.__all__))
def test_no_docstring_names_what_does_not_exist(name: str) -> None:
    text = inspect.getdoc(getattr(quintet.ldap, name)) or ""
    for word in re.findall(r"`([A-Z]\w+(?:\.[a-zA-Z_]\w*)?)`", text):
        owner, _, member = word.partition(".")
        found = getattr(quintet.ldap, owner, None)
        if found is not None and member:
            assert hasattr(found, member), f"{name} names {word}"

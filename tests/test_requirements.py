"""The locked requirements are what pyproject.toml asks for, with hashes, and are the bill of materials."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNNING = PROJECT["project"]["dependencies"]
GROUPS = PROJECT["dependency-groups"]
FILES = {
    "running": RUNNING,
    "build": GROUPS["build"],
    "test": RUNNING + GROUPS["test"],
    "lint": RUNNING + GROUPS["test"] + GROUPS["lint"],
    "bench": RUNNING + GROUPS["bench"],
    "tools": GROUPS["tools"],
}
_PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return {match["name"]: match["version"] for match in _PIN.finditer(text)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_every_requirement_at_a_version_that_is_allowed(name: str) -> None:
    pins = locked(name)
    for text in FILES[name]:
        wanted = Requirement(text)
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        assert key in pins, "run script/lock"
        assert wanted.specifier.contains(pins[key], prereleases=True), "run script/lock"


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_exact_and_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"^(?=\S)", re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    for entry in filter(None, entries):
        assert _PIN.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


def test_the_files_agree_on_what_runs() -> None:
    for name in ("test", "lint", "bench"):
        assert locked("running").items() <= locked(name).items()


def test_the_bill_of_materials_lists_what_runs() -> None:
    document = json.loads((ROOT / "sbom.cdx.json").read_text(encoding="utf-8"))
    listed = {component["name"]: component["version"] for component in document["components"]}
    assert listed == locked("running"), "run script/lock"
    assert document["metadata"]["component"]["name"] == "quintet"

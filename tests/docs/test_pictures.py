"""Pictures in the documentation: each is shown, small enough to load, and made by the recorder."""

import runpy
import sys

import pytest

from support.pages import ROOT

IMAGES = ROOT / "docs" / "images"
SCREENS = sorted(IMAGES.glob("*.png"))
LARGEST, ALL = 128 * 1024, 1_500_000  # bytes
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def test_every_page_of_the_recorder_has_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(IMAGES)])
    shots = runpy.run_path(str(IMAGES / "record_pages.py"))["SHOTS"]
    made = {f"page-{name}-{scheme}.png" for name in shots for scheme in ("light", "dark")}
    assert {path.name for path in SCREENS} == made


def test_every_picture_is_shown_in_the_documentation() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in SCREENS if f"images/{path.name})" not in text] == []


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in SCREENS}
    assert [name for name, size in sizes.items() if size > LARGEST] == []
    assert sum(sizes.values()) <= ALL

"""The application in front of a real slapd with the sample organisation."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from support.folder import settings_folder
from support.slapd import Slapd
from support.web_admin import signed_in_admin
from support.web_site import Web, web_for


@pytest.fixture
def folder(tmp_path: Path, slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", slapd, level="none", account=None)


@pytest.fixture
async def web(folder: Path) -> AsyncIterator[Web]:
    async with web_for(folder) as web:
        yield web


@pytest.fixture
async def admin(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of an administrator, where `folder` is that of `admin_folder`."""
    async with signed_in_admin(web) as client:
        yield client


@pytest.fixture
def show_in_set_0(folder: Path) -> Callable[[str], None]:
    """Replaces the Detail Ids that anonymous callers see; to be called before `web` starts."""

    def change(params: str) -> None:
        path = folder / "UserInfoConfig.xml"
        path.write_text(path.read_text().replace('SetId="0" params="Name"', f'SetId="0" params="{params}"'))

    return change


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()

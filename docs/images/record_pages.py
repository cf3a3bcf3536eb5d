"""Pictures of pages in Debian's Chromium, light and dark: `page-NAME-light.png` and `page-NAME-dark.png`.

`quintet demo` runs meanwhile, with a few people signed in at Sametime clients. A picture is what was on the
screen. `record.py` calls `record`; a further page is one line more in `SHOTS`.
"""

import asyncio
import base64
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from quintet.embedded import sample
from quintet.sametime.wire.blocks import StatusCode, UserStatus
from quintet.sametime.wire.messages import SetUserStatus
from support.sametime_client import SametimeClient
from support.sametime_server import LiveClient

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("quintet")
READER = "jsmith"
DESK, WIDE, PHONE = (960, 640), (1000, 900), (360, 640)
DRAWING = (1000, 670)
ASKED = ("/results?q=jo", "/browse", "/results?q=an", "/results?q=jones")
LARGEST = 128 * 1024  # bytes of one picture

THERE = {
    "jsmith": UserStatus(StatusCode.ACTIVE),
    "jjones": UserStatus(StatusCode.AWAY, 0, "Back at three"),
    "jvargas": UserStatus(StatusCode.DO_NOT_DISTURB),
    "jjansen": UserStatus(StatusCode.IN_MEETING),
    "jschroder": UserStatus(StatusCode.IDLE),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """A page: its path, the links to follow from there, and what has to be on the screen then.

    `tries` is whom the form of the page tries. `level` is the protection level of the server. `busy`:
    searches and cards are asked for meanwhile.
    """

    path: str
    links: tuple[str, ...] = ()
    shows: str = ""
    tries: str = ""
    level: str = "all"
    size: tuple[int, int] = DESK
    signed_in: bool = True
    busy: bool = False


SHOTS = {
    "sign-in": Shot("/sign-in", shows="Password", signed_in=False),
    "search": Shot("/?q=jo", shows="Do not disturb"),
    "card": Shot("/?q=jjones", ('Jane "JJ" Jones',), "Back at three"),
    "group": Shot("/?q=Circle+East", ("Circle East",), "Available"),
    "browse": Shot("/browse", ("people", "Sales"), "Americas"),
    "search-phone": Shot("/?q=jo", shows="Joaquín", size=PHONE),
    "connections": Shot(
        "/connections#drawing", shows="Protection: passwords", level="passwords", size=DRAWING, busy=True
    ),
    "connections-phone": Shot(
        "/connections#drawing", shows="Protection: passwords", level="passwords", size=PHONE, busy=True
    ),
    "try": Shot("/connections", tries="jjones", shows="Authentication succeeded", size=WIDE),
}


async def record(names: Iterable[str]) -> None:
    """Make the pictures with these names anew."""
    async with AsyncExitStack() as stack:
        url, sametime, folder = await stack.enter_async_context(_demo())
        for name, status in THERE.items():
            stack.push_async_callback((await _arrive(sametime, name, status)).close)
        browser = await stack.enter_async_context(_chromium())
        for name in sorted(names, key=lambda name: SHOTS[name].level):
            await _protect(folder, SHOTS[name].level)
            for scheme in ("light", "dark"):
                picture = await _shoot(browser, url, SHOTS[name], scheme)
                assert len(picture) <= LARGEST, f"{name}: {len(picture)} bytes"
                (HERE / f"page-{name}-{scheme}.png").write_bytes(picture)


@asynccontextmanager
async def _demo() -> AsyncIterator[tuple[str, int, Path]]:
    """The URL of the pages, the port for Sametime clients, and the folder of the settings."""
    with tempfile.TemporaryDirectory(prefix="quintet-pictures-") as name:
        folder = Path(name) / "demo"
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "demo", "--keep", folder),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                told = (await process.stdout.readuntil(b"Ctrl-C stops it.")).decode()
            url, port = re.findall(r"http://localhost:\d+", told)[0], re.findall(r"port (\d+)", told)[0]
            yield url, int(port), folder
        finally:
            process.terminate()
            await process.wait()


async def _protect(folder: Path, level: str) -> None:
    """Change the level of the running server; pages that are open follow."""
    arguments = ("--config", folder, "protect", level, "--yes")
    process = await asyncio.create_subprocess_exec(PROGRAM, *arguments, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0


async def _arrive(port: int, name: str, status: UserStatus) -> LiveClient:
    client = SametimeClient(name, sample.password_of(name).encode())
    live = await (await LiveClient.connect(port, client)).sign_in()
    client.say(SetUserStatus(status))
    await live.settle()
    return live


@asynccontextmanager
async def _chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


async def _shoot(browser: Browser, url: str, shot: Shot, scheme: str) -> bytes:
    width, height = shot.size
    context = await browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    if shot.signed_in:
        await _sign_in(page)
    await page.goto(shot.path)
    for name in shot.links:
        await page.get_by_role("main").get_by_role("link", name=name).first.click()
    if shot.tries:
        await page.get_by_label("Login name").fill(shot.tries)
        await page.get_by_label("Password").fill(sample.password_of(shot.tries))
        await page.get_by_role("button", name="Try").click()
    await page.get_by_text(shot.shows).first.wait_for(state="attached")
    if shot.busy:
        card = "/people/" + base64.urlsafe_b64encode(_dn_of(READER).encode()).decode().rstrip("=")
        for nth in range(60):
            await page.request.get((*ASKED, card)[nth * nth % (len(ASKED) + 1)])
            await asyncio.sleep(0.05 * (nth % 7))
    await page.evaluate("document.fonts.ready")
    picture = await page.screenshot(caret="hide")
    await context.close()
    return picture


def _dn_of(uid: str) -> str:
    """The DN, which is the Sametime ID, of a person of the sample organisation."""
    return next(each.dn for each in sample.entries() if each.attributes.get("uid") == [uid.encode()])


async def _sign_in(page: Page) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("Name").fill(READER)
    await page.get_by_label("Password").fill(sample.password_of(READER))
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("searchbox").wait_for()

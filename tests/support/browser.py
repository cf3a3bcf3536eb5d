"""What tests do with the pages in a real browser."""

from pathlib import Path

from playwright.sync_api import Page, expect

from quintet.embedded import sample
from support.served_clients import port_environ
from support.serving import Serving, free_port


def sign_in(page: Page, uid: str = "jgross") -> None:
    """Sign a person of the sample organisation in, by keyboard alone."""
    page.goto("/sign-in")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(uid)
    page.keyboard.press("Tab")
    page.keyboard.type(sample.password_of(uid))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Find people and groups")).to_be_visible()


class Served:
    """`quintet serve` with both ports. `ports` are those of Sametime clients and of browsers."""

    def __init__(self, folder: Path) -> None:
        http = str(free_port())
        self._running = Serving(folder, **port_environ(QUINTET_HTTP_PORT=http))
        self.http = int(http)
        self.sametime = int(self._running.until("listening for Sametime clients")["port"])

    @property
    def url(self) -> str:
        return f"http://localhost:{self.http}"

    def end(self) -> int | None:
        return self._running.end()

#!/usr/bin/env python3
"""Records what commands show in a terminal of 80 columns: each as text without colour, and as a picture.

A real `slapd` with the sample organisation runs meanwhile. Nothing is drawn by hand: the terminal is tmux's,
and a file is what was on its screen. `record_pages` does the same with pages in a browser. Arguments are the
names of recordings and pages; without any, all are made anew.
"""

import asyncio
import io
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import record_pages
from cryptography import x509
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from quintet.embedded import sample
from quintet.tls import new_store, save_store
from support import keytool
from support.folder import settings_folder
from support.slapd import Slapd

HERE = Path(__file__).parent
COLUMNS, ROWS = 80, 200
STORE = "ldaptruststore.p12"
PROMPT = "$ "
SHOWN_AS = "/etc/quintet"
"""The name of the temporary folder, which is another one each time."""
_LONGEST = 100.0
# Rich's pictures load a font from the web. Without it they work offline, in a fixed-width font.
_REMOTE_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recording:
    """A command line to type, and what to type when its words are on the screen.

    `level` is that of the settings in the folder, None for an empty folder; `spoil` puts mistakes into them.
    """

    command: str
    level: str | None = "all"
    answers: tuple[tuple[str, str], ...] = ()
    spoil: Callable[[Path], None] | None = None


def _slips(folder: Path) -> None:
    """What the doctor is to find: a misspelled base, and unencrypted cards."""
    for name, right, wrong in (
        ("StCommunityConfig.xml", 'PersonResolveBase="o=example"', 'PersonResolveBase="o=exmaple"'),
        ("UserInfoConfig.xml", 'SslEnabled="true"', 'SslEnabled="false"'),
    ):
        text = (folder / name).read_text(encoding="utf-8")
        assert right in text
        (folder / name).write_text(text.replace(right, wrong), encoding="utf-8")


RECORDINGS = {
    "demo": Recording("quintet demo --once"),
    "eavesdrop": Recording("quintet eavesdrop --level none"),
    "init": Recording(
        "quintet init",
        level=None,
        answers=(
            ("LDAP server:", "localhost"),
            ("[389]:", "{port}"),
            ("[636]:", "{tls_port}"),
            ("the certificate? [y/N]:", "y"),
            ("(empty: anonymous):", sample.READER),
            (f"Password of {sample.READER}:", sample.READER_PASSWORD),
            (f"[{sample.PEOPLE}]:", ""),
            (f"[{sample.GROUPS}]:", ""),
            ("? [y/N]:", "y"),
        ),
    ),
    "doctor": Recording("quintet doctor", spoil=_slips),
    "cost": Recording("quintet cost --seconds 45"),
}


@contextmanager
def settings(recording: Recording, server: Slapd) -> Iterator[Path]:
    """A folder of settings for the server, at the level of the recording."""
    with tempfile.TemporaryDirectory(prefix="quintet-pictures-") as name:
        folder = Path(name) / "settings"
        folder.mkdir()
        if recording.level is None:
            yield folder
            return
        authority = x509.load_pem_x509_certificate(server.authority.pem)
        save_store(folder / STORE, new_store().with_trusted("ldap", authority), keytool.PASSWORD)
        settings_folder(
            folder,
            server,
            level=recording.level,
            store=folder / STORE,
            account=(sample.READER, sample.READER_PASSWORD),
            cards_encrypted=recording.level == "all",
        )
        if recording.spoil is not None:
            recording.spoil(folder)
        yield folder


class Terminal:
    """A shell in a tmux of its own, 80 columns wide."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder.parent / "tmux"
        program = Path(sys.executable).parent
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", folder)
        self._tmux("set", "-g", "status", "off")
        path, prompt = shlex.quote(str(program)), shlex.quote(PROMPT)
        self.type(f"exec env PATH={path}:$PATH PS1={prompt} bash --norc --noprofile")
        self.wait(PROMPT)
        self.type("clear")
        self.until(lambda: self.screen().strip() == PROMPT.strip())

    def close(self) -> None:
        self._tmux("kill-session")

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def wait(self, words: str) -> None:
        """Until the last line on the screen begins or ends with the words."""
        wanted = words.strip()

        def there() -> bool:
            last = self.screen("-J").rstrip().rpartition("\n")[2].strip()
            return last.startswith(wanted) or last.endswith(wanted)

        self.until(there)

    def screen(self, *options: str) -> str:
        return self._tmux("capture-pane", "-p", *options)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _LONGEST
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(self.screen())
            time.sleep(0.05)  # a screen sets no event

    def _tmux(self, *arguments: str | Path) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own tmux
        return done.stdout


def record(name: str, recording: Recording, server: Slapd) -> None:
    with settings(recording, server) as folder:
        terminal = Terminal(folder)
        try:
            terminal.type(recording.command)
            for words, answer in recording.answers:
                terminal.wait(words)
                terminal.type(answer.format(port=server.port, tls_port=server.tls_port))
            terminal.until(lambda: terminal.screen().rstrip().endswith("\n" + PROMPT.strip()))
            plain, coloured = (
                terminal.screen(*options).replace(str(folder), SHOWN_AS) for options in ((), ("-e",))
            )
        finally:
            terminal.close()
    lines = plain.rstrip().splitlines()[:-1]
    while lines and not lines[-1].strip():
        lines.pop()
    assert all(len(line) <= COLUMNS for line in lines)
    (HERE / f"{name}.txt").write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    picture(name, "\n".join(coloured.splitlines()[: len(lines)]))


def picture(name: str, coloured: str) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(coloured))
    svg = console.export_svg(title=f"quintet {name}", theme=MONOKAI, unique_id=name)
    (HERE / f"{name}.svg").write_text(_REMOTE_FONTS.sub("", svg), encoding="utf-8")


def main() -> None:
    names = sys.argv[1:] or [*RECORDINGS, *record_pages.SHOTS]
    pages = [name for name in names if name in record_pages.SHOTS]
    if terminals := [name for name in names if name not in pages]:
        with Slapd(sample.ldif()) as server:
            for name in terminals:
                record(name, RECORDINGS[name], server)
    if pages:
        asyncio.run(record_pages.record(pages))


if __name__ == "__main__":
    main()

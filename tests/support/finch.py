"""Finch, an independent Sametime client, unmodified, on a terminal of its own inside tmux.

Each has its own configuration folder and its own tmux server, of which nothing is left afterwards.
"""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from support.waiting import wait_until

_FINCH = shutil.which("finch")
_TMUX = shutil.which("tmux")
_WIDTH, _HEIGHT = 120, 40

_ACCOUNTS = """<?xml version='1.0' encoding='UTF-8' ?>
<account version='1.0'>
 <account>
  <protocol>prpl-meanwhile</protocol>
  <name>{name}</name>
  <password>{password}</password>
  <settings>
   <setting name='server' type='string'>127.0.0.1</setting>
   <setting name='port' type='int'>{port}</setting>
   <setting name='force_login' type='bool'>1</setting>
   <setting name='fake_client_id' type='bool'>0</setting>
  </settings>
  <settings ui='gnt-purple'>
   <setting name='auto-login' type='bool'>1</setting>
  </settings>
 </account>
</account>
"""


def is_installed() -> bool:
    """Whether Debian's packages finch and tmux are here."""
    return _FINCH is not None and _TMUX is not None


class Finch:
    """Use it as a context manager, also several times. It signs in as `name` when it is entered."""

    def __init__(self, folder: Path, name: str, password: str, port: int) -> None:
        self.folder = folder
        self._socket = f"quintet-{os.getpid()}-{folder.name}"
        folder.mkdir(parents=True)
        accounts = _ACCOUNTS.format(name=name, password=password, port=port)
        (folder / "accounts.xml").write_text(accounts)

    def __enter__(self) -> Self:
        command = f"NCURSES_NO_UTF8_ACS=1 {_FINCH} -c {self.folder} 2>{self.folder}/stderr"
        size = ("-x", str(_WIDTH), "-y", str(_HEIGHT))
        options = ("start-server", ";", "set-option", "-g", "default-terminal", "xterm", ";")
        self._tmux(*options, "new-session", "-d", "-s", "finch", *size, command)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server", check=False)

    def screen(self) -> str:
        """What is on the terminal."""
        return self._tmux("capture-pane", "-p", "-t", "finch")

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        for key in keys:
            self._tmux("send-keys", "-t", "finch", key)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-t", "finch", "-l", text)

    def wait(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        """Until it is true; the screen is in the error if that does not come."""
        if not wait_until(condition, seconds=seconds):
            raise TimeoutError(f"not within {seconds} s; on the screen:\n{self.screen()}")

    def contacts(self) -> dict[str, set[str]]:
        """The contacts in its local list, as it has written it: ids by group."""
        path = self.folder / "blist.xml"
        if not path.exists():
            return {}
        try:
            tree = ET.fromstring(path.read_text())
        except ET.ParseError:
            return {}
        return {
            str(group.get("name")): {str(name.text) for name in group.iter("name")}
            for group in tree.iter("group")
        }

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        assert _TMUX is not None
        done = subprocess.run(
            [_TMUX, "-L", self._socket, "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            check=check,
            env=os.environ | {"TERM": "xterm", "LANG": "C.UTF-8", "HOME": str(self.folder)},
        )
        return done.stdout

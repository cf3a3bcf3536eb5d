"""Names as nobody has them: every byte, no text, far too long, DNs that no schema knows. The answer is no."""

import os
from pathlib import Path

import pytest

from support.command import Quintet

_COMMANDS = {
    "authenticate": ["--password-stdin"],
    "resolve": [],
    "browse": [],
    "members": [],
    "card": [],
}
_NAMES = {
    "bytes that are no text": os.fsdecode(b"al\xff\x80\x9b"),
    "control characters": "al\x01\x1b[2J\x7f\u202e",
    "filter syntax": "alice)(|(uid=*",
    "an escape": "\\2a",
    "empty": "",
    "blank": "   ",
    "100 KB": "x" * 100_000,
    "100 KB of DN": f"cn={'x' * 100_000},o=example",
    "a type that no schema knows": "cn=x+y=z,o=example",
    "bytes for text": r"cn=\ff\fe,o=example",
    "half a DN": "cn=#04",
}


@pytest.mark.real
@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("name", _NAMES.values(), ids=_NAMES)
def test_an_odd_name_is_a_plain_no(quintet: Quintet, sound_folder: Path, command: str, name: str) -> None:
    ran = quintet(
        "--config", sound_folder, command, *_COMMANDS[command], "--json", "--", name, typed="wrong\n"
    )
    assert ran.code == 1
    assert not any(ran.document.values()) or command == "resolve"
    assert len(ran.err) < 1000
    assert "\x1b" not in ran.out + ran.err

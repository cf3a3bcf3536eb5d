"""Pages of documentation as programs: their commands are run in order, and their outputs must come.

A fenced block marked `console` is a session on a terminal. A line that begins with `$ ` is typed; below
it stands what comes. There `...` stands for anything; blanks, dates, ports and fingerprints do not count;
`[y/N]: y` is a question and its answer, `[default]:` one that Enter answers. A command must succeed unless
the next one is `echo $?`. A block marked `console background` holds one command that goes on while the rest
of the page runs. Other blocks are not run.

With `QUINTET_RECORD_PAGES=1` (`script/docs --record`) what a page shows is written anew where it differs.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from types import TracebackType
from typing import Self

from support.command import PLAIN, PROGRAM
from support.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(r"^```(?P<mark>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSWER = re.compile(r"\]:(?: (\w+))?$", re.MULTILINE)
_QUESTION = re.compile(r"\]: *$", re.MULTILINE)
_HERE = re.compile(r"<<'(?P<end>\w+)'$")
_CHANGES = (  # what is never the same twice, and what depends on how long names are here
    (re.compile("─+"), "─"),
    (re.compile(r"\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b"), "FINGERPRINT"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d+ days"), "N days"),
    (re.compile(r"\b[1-9][0-9]{4}\b"), "PORT"),
    (re.compile(r"\bunknown-[0-9a-f]+"), "unknown-X"),
)
_DONE = "the command has ended with"
_BEGINS_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what it is marked as, its text, and the line of the page on which that begins."""

    mark: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and what must come (nothing is demanded where the page shows nothing)."""

    typed: str
    shown: str
    line: int
    background: bool

    @property
    def answers(self) -> str:
        return "".join(f"{answer}\n" for answer in _ANSWER.findall(self.shown))


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a page is run: a folder, what its names stand for here, and variables."""

    folder: Path
    stands_for: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def here(self, text: str) -> str:
        for name in sorted(self.stands_for, key=len, reverse=True):
            text = text.replace(name, self.stands_for[name])
        return text

    def on_the_page(self, text: str) -> str:
        """The other way round: what was printed here, in the names of the page."""
        for name, value in sorted(self.stands_for.items(), key=lambda pair: len(pair[1]), reverse=True):
            text = text.replace(value, name)
        return text


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        yield Block(found["mark"].strip(), found["text"], text.count("\n", 0, found.start("text")) + 1)


def commands(page: Path) -> list[Command]:
    return [
        command
        for block in blocks(page)
        if block.mark.split()[:1] == ["console"]
        for command in _commands_of(block)
    ]


def _commands_of(block: Block) -> Iterator[Command]:
    typed: list[str] = []
    shown: list[str] = []
    begins = block.line
    background = "background" in block.mark.split()
    for number, line in enumerate(block.text.splitlines(), block.line):
        if typed and not shown and _goes_on(typed):
            typed.append(line)
        elif line.startswith("$ "):
            if typed:
                yield Command("\n".join(typed), "\n".join(shown), begins, background)
            typed, shown, begins = [line[2:]], [], number
        else:
            assert typed, f"line {number} shows an output before any command"
            shown.append(line)
    if typed:
        yield Command("\n".join(typed), "\n".join(shown), begins, background)


def _goes_on(typed: list[str]) -> bool:
    """Whether the next line is still typed: after a backslash, or inside a here-document."""
    here = _HERE.search(typed[0])
    return typed[-1].endswith("\\") or (here is not None and typed[-1] != here["end"])


class Shell:
    """A shell in the scene. Leaving it ends whatever was started in it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._code = 0
        path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("QUINTET_", "STI_"))
        }
        # Pages show what is seen at a terminal of 80 columns.
        terminal = {"TTY_COMPATIBLE": "1", "TERM": "dumb"}
        here = terminal | {
            "PATH": path,
            "HOME": str(scene.folder),
            "PYTHONUNBUFFERED": "1",
            "LC_ALL": "C.UTF-8",
        }
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=scene.folder,
            env={**inherited, **PLAIN, **here, **scene.environ},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        os.killpg(self._bash.pid, signal.SIGTERM)
        self._bash.kill()
        self._bash.wait()
        self._bash.stdin.close()
        self._bash.stdout.close()

    def run(self, command: Command) -> tuple[str, int]:
        """What the command printed, on both outputs, and its exit code."""
        typed = self._scene.here(command.typed)
        if command.background:
            return self._begin(typed, command), 0
        answers = f"<<'ANSWERS'\n{command.answers}ANSWERS" if command.answers else "</dev/null"
        self._write(f"(exit {self._code})\n{{ {typed}\n}} 2>&1 {answers}\nprintf '\\n{_DONE} %d\\n' $?\n")
        lines: list[str] = []
        for line in self._lines():
            if line.startswith(_DONE):
                self._code = int(line.removeprefix(_DONE))
                return "".join(lines).removesuffix("\n"), self._code
            lines.append(line)
        raise AssertionError(f"the shell ended during {typed}")

    def _begin(self, typed: str, command: Command) -> str:
        log = self._scene.folder / f".line-{command.line}.log"
        self._write(f"{{ {typed} ; }} >{log} 2>&1 </dev/null &\n")

        def said() -> str:
            return log.read_text(encoding="utf-8") if log.exists() else ""

        wait_until(lambda: self.as_shown(command, said()), seconds=_BEGINS_WITHIN)
        return said()

    def as_shown(self, command: Command, said: str) -> bool:
        """Whether the output is what the page shows."""
        wanted = _ANSWER.sub("]:", self._scene.here(command.shown))
        return OutputChecker().check_output(_even(wanted), _even(said), ELLIPSIS | NORMALIZE_WHITESPACE)

    def _write(self, text: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(text)
        self._bash.stdin.flush()

    def _lines(self) -> Iterator[str]:
        assert self._bash.stdout is not None
        return iter(self._bash.stdout.readline, "")


def _even(text: str) -> str:
    for pattern, same in _CHANGES:
        text = pattern.sub(same, text)
    return text.strip()


def walk(page: Path, scene: Scene) -> list[str]:
    """Run every command of the page, in order; what each printed.

    Raises AssertionError, which names the line of the page.
    """
    todo = commands(page)
    outputs: list[str] = []
    recorded: dict[int, str] = {}
    with Shell(scene) as shell:
        for command, following in zip(todo, [*todo[1:], None], strict=True):
            said, code = shell.run(command)
            outputs.append(said)
            place = f"{page.name}:{command.line}: $ {command.typed}"
            may_fail = following is not None and following.typed == "echo $?"
            assert code == 0 or may_fail, f"{place}\nended with {code} and said\n{said}"
            if os.environ.get("QUINTET_RECORD_PAGES") == "1":
                if command.shown.strip() and not shell.as_shown(command, said):
                    recorded[command.line] = scene.on_the_page(said)
            elif command.shown.strip():
                assert shell.as_shown(command, said), (
                    f"{place}\nsaid\n{said}\nand the page shows\n{command.shown}"
                )
    if recorded:
        _record(page, todo, recorded)
    return outputs


def _record(page: Path, ran: list[Command], recorded: Mapping[int, str]) -> None:
    """Put what was printed into the page, in the place of what it showed. Answers to questions stay."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for command in reversed(ran):
        if command.line not in recorded:
            continue
        answers = iter(_ANSWER.findall(command.shown))
        first, *rest = _QUESTION.split(recorded[command.line].strip("\n"))
        shown = first + "".join(f"]: {next(answers, '')}".rstrip() + text for text in rest)
        begin = command.line - 1 + len(command.typed.splitlines())
        end = begin + len(command.shown.splitlines())
        lines[begin:end] = [line.rstrip() for line in shown.splitlines()]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")

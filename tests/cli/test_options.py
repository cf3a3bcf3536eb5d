"""Options stand where they are typed: before a command, after it, or before the command of a group."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.cli.app import CommandGroup, command_line, help_context
from quintet.cli.commands import COMMANDS, EXAMPLES
from support.command import PROGRAM, Quintet, run_program

WHOLE = command_line()
_OWN = ("--config", "DIR"), ("--config=DIR",), ("--env-file", "FILE")
_FOREIGN = ("--json",), ("--set", "0"), ("--set=0",), ("-y",), ("--sign-in", "jsmith")


def first(args: list[str]) -> list[str]:
    context = help_context(WHOLE, "quintet")
    return CommandGroup._command_first(WHOLE, context, args)


@given(
    st.lists(st.sampled_from((*_OWN, *_FOREIGN)), max_size=5),
    st.sampled_from(sorted(COMMANDS)),
    st.lists(st.sampled_from((*_FOREIGN, ("smith",), ("--", "-x"))), max_size=5),
)
def test_the_command_comes_after_the_groups_own_options(
    before: list[tuple[str, ...]], command: str, after: list[tuple[str, ...]]
) -> None:
    given = [word for option in before for word in option]
    own = [word for option in before if option in _OWN for word in option]
    foreign = [word for option in before if option in _FOREIGN for word in option]
    rest = [word for option in after for word in option]
    assert first([*given, command, *rest]) == [*own, command, *foreign, *rest]


@given(st.lists(st.sampled_from(["--json", "-y", "--", "x", "--config", "resolv", "--nonsense", "-h"])))
def test_without_a_command_nothing_is_moved(args: list[str]) -> None:
    assert first(args) == args


@pytest.mark.parametrize(
    "line",
    [
        "--json resolve alice",
        "resolve --json alice",
        "resolve alice --json",
        "resolve alice --json --config {folder}",
        "--config={folder} --json resolve alice",
        "--people --json --config {folder} resolve alice",
    ],
)
def test_the_order_does_not_matter(quintet: Quintet, sound_folder: Path, line: str) -> None:
    given = line if "{folder}" in line else f"--config {{folder}} {line}"
    ran = quintet(*(word.format(folder=sound_folder) for word in given.split()))
    assert (ran.code, [match["name"] for match in ran.document["matches"]]) == (0, ["Alice Adams"])


def test_the_options_of_a_groups_command_may_come_first(quintet: Quintet, sound_folder: Path) -> None:
    for line in ("trust list --json", "trust --json list", "--json trust list"):
        ran = quintet(*line.split(), "--config", sound_folder)
        assert (ran.code, [entry["alias"] for entry in ran.document["entries"]]) == (0, ["ldap"])


@pytest.mark.parametrize("line", ["--nonsense resolve alice", "--json serve", "resolve alice --nonsense"])
def test_an_option_that_the_command_does_not_have_is_2(quintet: Quintet, line: str) -> None:
    ran = quintet(*line.split())
    assert (ran.code, ran.out) == (2, "")
    assert "No such option" in ran.err


def test_variables_come_from_files_and_those_of_the_process_win(
    quintet: Quintet, sound_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "custom.env", tmp_path / "more.env"
    first.write_text(
        '# a comment\nPATH=/nowhere\nSTI__Directory__ST_DB_LDAP_PENDING_MAX=few\n\nexport STI__Debug__X="1"\n'
    )
    second.write_text("\ufeffSTI__Directory__ST_DB_LDAP_PENDING_MAX='many'\n", encoding="utf-8")

    def keys(*options: str | Path) -> dict[str, str]:
        problems = quintet("--config", sound_folder, "check", "--json", *options).document["problems"]
        return {each["key"]: each["message"] for each in problems if each["severity"] == "error"}

    name = "STI__Directory__ST_DB_LDAP_PENDING_MAX"
    assert keys() == {}
    assert "few" in keys("--env-file", first)[name]
    assert "many" in keys("--env-file", first, "--env-file", second)[name]
    monkeypatch.setenv(name, "60")
    assert keys("--env-file", first) == {}


def test_a_file_of_variables_that_cannot_be_read_is_2(quintet: Quintet, tmp_path: Path) -> None:
    (tmp_path / "broken.env").write_bytes(b"\xff\xfeS")
    for name in ("none.env", "broken.env"):
        ran = quintet("--env-file", tmp_path / name, "resolve", "alice")
        assert (ran.code, ran.out) == (2, "")
        assert name in ran.err


def paths(command: Any, path: str) -> list[tuple[str, Any]]:
    below = getattr(command, "commands", {}).items()
    return [(path, command)] + [found for name, each in below for found in paths(each, f"{path} {name}")]


ALL = [found for name in COMMANDS for found in paths(WHOLE.commands[name], name)]


@pytest.mark.parametrize(("path", "command"), ALL, ids=[path for path, _ in ALL])
def test_every_command_has_examples_in_its_help(quintet: Quintet, path: str, command: Any) -> None:
    assert EXAMPLES[path]
    ran = quintet(*path.split(), "--help")
    assert ran.code == 0
    for example in EXAMPLES[path]:
        assert f"    {example}\n" in ran.out
    assert all(parameter.metavar is not None for parameter in command.params), "the help names every value"


@pytest.mark.parametrize("example", [each for examples in EXAMPLES.values() for each in examples])
def test_every_example_can_be_parsed(example: str) -> None:
    _, *words = shlex.split(example.partition("<")[0])
    command, context = WHOLE, help_context(WHOLE, "quintet")
    while words and hasattr(command, "commands"):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, words, parent=context)
        words = [*context._protected_args, *context.args] if hasattr(command, "commands") else []
    assert context.command is command
    assert not hasattr(command, "commands") or getattr(command, "invoke_without_command", False)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([""], ("init", "trust", "resolve", "serve")),
        (["tru"], ("trust",)),
        (["trust", ""], ("list", "fetch", "import")),
        (["resolve", "--"], ("--people", "--groups", "--json", "--config")),
        (["--config", "x", "trust", "list", "--st"], ("--store",)),
        (["protect", ""], ("all", "passwords", "none")),
        (["--ver"], ("--version",)),
    ],
    ids=str,
)
def test_bash_completes_commands_and_options(
    tmp_path: Path, words: list[str], wanted: tuple[str, ...]
) -> None:
    """With the script that `--install-completion` installs, as bash calls it after a tab."""
    script = run_program(environ={"_QUINTET_COMPLETE": "source_bash"}).out
    (tmp_path / "completion").write_text(script)
    line = ["quintet", *words]
    typed = shlex.join(line[:-1]) + f" {line[-1]}"
    program = f"""
        source {tmp_path}/completion
        function=$(complete -p quintet | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
        COMP_WORDS=({typed if words[-1] else typed + '""'}) COMP_CWORD={len(words)}
        "$function" "$PROGRAM"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert set(wanted) <= set(bash(program).split())


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("quintet tru", {"trust"}), ("quintet trust ", {"list", "fetch"}), ("quintet card --ph", {"--photo"})],
)
def test_zsh_is_given_commands_and_options(line: str, wanted: set[str]) -> None:
    environ = {"_QUINTET_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    given = run_program(environ=environ).out
    assert all(f'"{each}"' in given for each in wanted)


def bash(program: str) -> str:
    done = subprocess.run(
        ["bash", "--norc", "-euc", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PROGRAM": str(PROGRAM)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

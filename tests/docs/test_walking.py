"""The pages are really run: what does not work, or does not come as shown, is found."""

from pathlib import Path

import pytest

from support.directories import until
from support.pages import Scene, commands, walk


def page(folder: Path, *blocks: str, mark: str = "console") -> Path:
    file = folder / "page.md"
    file.write_text(
        "".join(f"Some words.\n\n```{mark}\n{block}\n```\n\n" for block in blocks), encoding="utf-8"
    )
    return file


def test_commands_run_in_order_in_one_shell(tmp_path: Path) -> None:
    file = page(tmp_path, "$ name=Ann\n$ mkdir there && cd there", "$ echo $name ${PWD##*/}\nAnn there")
    assert walk(file, Scene(tmp_path)) == ["", "", "Ann there\n"]
    assert (tmp_path / "there").is_dir()


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page.md:5: \$ false\nended with 1"):
        walk(page(tmp_path, "$ true\n$ false"), Scene(tmp_path))


def test_an_exit_code_that_is_shown_may_be_another(tmp_path: Path) -> None:
    assert walk(page(tmp_path, "$ (exit 3)\n$ echo $?\n3"), Scene(tmp_path)) == ["", "3\n"]
    with pytest.raises(AssertionError, match="said\n3\n"):
        walk(page(tmp_path, "$ (exit 3)\n$ echo $?\n0"), Scene(tmp_path))


@pytest.mark.parametrize("shown", ["one two", "one", "...three", "one two three four"])
def test_another_output_is_found(tmp_path: Path, shown: str) -> None:
    with pytest.raises(AssertionError, match="the page shows"):
        walk(page(tmp_path, f"$ echo one 'two  four'\n{shown}"), Scene(tmp_path))


@pytest.mark.parametrize("shown", ["one two four", "one\ntwo four", "one ...", "...", "one ... four"])
def test_blanks_do_not_count_and_dots_stand_for_anything(tmp_path: Path, shown: str) -> None:
    assert walk(page(tmp_path, f"$ echo one 'two  four'\n{shown}"), Scene(tmp_path)) == ["one two  four\n"]


def test_what_differs_each_time_does_not_count(tmp_path: Path) -> None:
    file = page(tmp_path, "$ echo 2031-01-02 localhost:23456 12 days\n2026-11-24 localhost:34567 364 days")
    assert walk(file, Scene(tmp_path)) == ["2031-01-02 localhost:23456 12 days\n"]


def test_answers_are_typed(tmp_path: Path) -> None:
    script = tmp_path / "asks"
    script.write_text("printf 'Really? [y/N]: '; read a; printf 'Where [here]: '; read b; echo \"<$a$b>\"\n")
    file = page(tmp_path, "$ bash asks\nReally? [y/N]: y\nWhere [here]:\n<y>")
    assert walk(file, Scene(tmp_path)) == ["Really? [y/N]: Where [here]: <y>\n"]


def test_names_stand_for_what_is_here(tmp_path: Path) -> None:
    names = {"dir.example": "localhost", "dir.example:636": "localhost:1"}
    file = page(tmp_path, "$ echo dir.example:636 dir.example | tr l L\nLocaLhost:1 LocaLhost")
    assert walk(file, Scene(tmp_path, names)) == ["LocaLhost:1 LocaLhost\n"]


async def test_a_background_command_goes_on_and_ends_with_the_page(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(
        "```console background\n$ echo $BASHPID > pid; echo ready; exec tail -f /dev/null\nready\n```\n"
        "```console\n$ kill -0 $(cat pid)\n```\n",
        encoding="utf-8",
    )
    assert walk(file, Scene(tmp_path)) == ["ready\n", ""]
    command_line = Path("/proc") / (tmp_path / "pid").read_text().strip() / "cmdline"
    await until(lambda: not command_line.exists() or not command_line.read_bytes())


def test_only_console_blocks_are_commands(tmp_path: Path) -> None:
    assert commands(page(tmp_path, "$ exit 1", mark="sh")) == []
    assert [
        each.typed for each in commands(page(tmp_path, "$ cat <<'END'\n$ one\nEND\n$ echo \\\n  two\ntwo"))
    ] == [
        "cat <<'END'\n$ one\nEND",
        "echo \\\n  two",
    ]

"""Every test can fail: it asserts something itself, or calls what says by its name that it does."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("test_*.py"))
OF_PYTEST = {"raises", "warns", "fail"}
SAYS_SO = {"assert", "check", "expect"}
"""The first word of the name of a function that asserts."""
OF_LIBRARIES = {"call_and_validate"}
"""Functions of libraries (schemathesis) that raise AssertionError."""
ELSEWHERE: set[str] = set()
"""Tests without an assertion that fail in another way, as `folder/test_file.py::test_name`."""


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    every = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [node for node in every if node.name.startswith("test_")]


def asserts(test: ast.AST) -> bool:
    """Whether there is an assertion of more than a type that mypy asks for, or a call of what asserts."""
    return any(
        (isinstance(node, ast.Assert) and not _is_for_mypy(node))
        or (isinstance(node, ast.Call) and _says_so(node.func))
        for node in ast.walk(test)
    )


def _is_for_mypy(node: ast.Assert) -> bool:
    """`assert callable(x)`, `assert x.stdout is not None`: true of what the test has made itself."""
    match node.test:
        case ast.Call(func=ast.Name(id="callable")):
            return True
        case ast.Compare(left=ast.Attribute(attr="stdin" | "stdout" | "stderr"), ops=[ast.IsNot()]):
            return True
    return False


def _says_so(called: ast.expr) -> bool:
    match called:
        case ast.Attribute(value=ast.Name(id="pytest"), attr=name):
            return name in OF_PYTEST
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in OF_LIBRARIES or name.lstrip("_").split("_")[0] in SAYS_SO
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_every_test_asserts_something(path: Path) -> None:
    place = path.relative_to(TESTS).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    without = {f"{place}::{each.name}" for each in functions(tree) if not asserts(each)}
    assert without == {each for each in ELSEWHERE if each.startswith(f"{place}::")}


@pytest.mark.parametrize(
    "body",
    [
        "run()",
        "with suppress(ValueError):\n    parse(text)",
        "assert callable(run)\nrun()",
        "assert process.stdout is not None",
        "other.raises(ValueError)",
        "checked()",
    ],
)
def test_a_test_that_asserts_nothing_is_found(body: str) -> None:
    assert not asserts(ast.parse(body))


@pytest.mark.parametrize(
    "body",
    [
        "assert run() == 1",
        "with pytest.raises(ValueError):\n    run()",
        "assert_same(one, other)",
        "self._check_all()",
        "def inner():\n    assert run()",
    ],
)
def test_one_that_asserts_is_not(body: str) -> None:
    assert asserts(ast.parse(body))


def test_the_names_of_what_asserts_are_true() -> None:
    """A helper whose name says that it asserts does."""
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _says_so(ast.Name(id=node.name)):
                assert asserts(node) or _raises(node), f"{path}:{node.lineno}"


def _raises(function: ast.AST) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(function))


def test_no_test_waits_for_a_while() -> None:
    """Tests wait for conditions; `support.waiting` looks again for what happens in another process."""
    waiting = TESTS / "support" / "waiting.py"
    bare = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        if path != waiting
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _sleeps(node)
    ]
    assert bare == []


def _sleeps(call: ast.Call) -> bool:
    """Whether it is a pause; `asyncio.sleep(0)` only lets others run."""
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="asyncio"), attr="sleep"), args=[ast.Constant(value=0)]
        ):
            return False
        case ast.Call(func=ast.Attribute(value=ast.Name(id="asyncio" | "time"), attr="sleep")):
            return True
        case ast.Call(func=ast.Name(id="sleep")):
            return True
    return False

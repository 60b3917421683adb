"""The house that design.md draws, checked on the syntax tree of w2v/: arrows between rooms point
down, nothing goes in circles, functions and files stay small, losses are known by the table alone.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

import w2v
from w2v.losses.table import LOSSES

ROOT = Path(w2v.__file__).parent
MAX_PARAMETERS, MAX_LINES, MAX_FORMAT_SKIPS = 7, 330, 20

# From the roof to the ground; rooms of one floor do not know each other. A room is a folder, or a
# file of w2v/; `a.b` is a part of a room that stands on a floor of its own.
FLOORS = (
    "__main__",
    "cli compat.gensim",
    "api",
    "trained",
    "comparison explorer",
    "run listening",
    "words lm",
    "runs",
    "training",
    "vectors compat",
    "evaluation losses explorer.map",
    "settings kernels corpus explorer.page",
    "losses.table",
    "losses.options tree sampling",
    "settings.declare kernels.plan",
    "system w2v settings.elsewhere settings.interval",
    "errors",
)
# What the lower rooms ask, and nothing else; the upper ones may ask everything below.
ASKS = {
    "run": "runs training system errors",
    "listening": "training system errors",
    "training": "corpus settings system errors",
    "vectors": "evaluation explorer.map corpus settings system errors",
    "explorer.map": "explorer.page system errors",
    "explorer.page": "",
    "compat": "losses losses.table losses.options sampling tree errors",
    "evaluation": "system errors",
    "losses": "kernels losses.table losses.options sampling tree settings.declare kernels.plan"
    " settings.elsewhere system errors",
    "settings": "losses.table losses.options settings.declare settings.interval"
    " settings.elsewhere kernels.plan system w2v errors",
    "kernels": "kernels.plan sampling tree system errors",
    "corpus": "system errors",
    "losses.table": "losses.options kernels.plan",
    "losses.options": "settings.declare settings.interval kernels.plan",
    "tree": "system",
    "sampling": "system errors",
    "settings.declare": "settings.elsewhere settings.interval errors",
    "settings.elsewhere": "",
    "settings.interval": "",
    "kernels.plan": "",
    "system": "errors",
    "w2v": "errors",
}
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor.split()}


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    """The files of the package by the name of the module, without "w2v." before it."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__") or "w2v"
        found[name] = path, ast.parse(path.read_text())
    return found


@cache
def imports(name: str) -> frozenset[str]:
    """What a module imports of the package, inside functions too, not for type checkers alone."""
    _, tree = modules()[name]
    for_checkers = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if node in for_checkers:
            continue
        if isinstance(node, ast.Import):
            found |= {_inner(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                whole = _inner(f"{node.module}.{alias.name}")
                found.add(whole if whole in modules() else _inner(node.module or ""))
    return frozenset(found & set(modules()) - {name})


def _inner(dotted: str) -> str:
    return dotted if dotted == "w2v" else dotted.removeprefix("w2v.")


def room(name: str) -> str:
    """The most precise room of a module that has a floor."""
    while name not in LEVEL and "." in name:
        name = name.rpartition(".")[0]
    return name


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and value of all string constants but docstrings."""
    statements = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if node not in statements:
                yield node.lineno, text


def test_every_module_has_a_floor() -> None:
    assert [name for name in modules() if room(name) not in LEVEL] == []


def test_arrows_between_rooms_point_down() -> None:
    wrong = [
        f"{name} -> {asked}"
        for name in modules()
        for asked in sorted(imports(name))
        if room(name) != room(asked)
        if LEVEL[room(name)] >= LEVEL[room(asked)] or room(asked) not in asks(room(name))
    ]
    assert wrong == []


def asks(room: str) -> Collection[str]:
    return ASKS[room].split() if room in ASKS else LEVEL


def test_imports_do_not_go_in_circles() -> None:
    """A package's face that imports its own rooms, or is imported by them, is no circle."""
    left = {
        name: {asked for asked in imports(name) if not _is_face(name, asked)} for name in modules()
    }
    while free := [name for name, asked in left.items() if not asked & left.keys()]:
        for name in free:
            del left[name]
    assert {name: sorted(asked & left.keys()) for name, asked in left.items()} == {}


def _is_face(one: str, other: str) -> bool:
    face, inner = sorted((one, other), key=len)
    return modules()[face][0].name == "__init__.py" and (
        face == "w2v" or inner.startswith(face + ".")
    )


def test_functions_have_few_parameters() -> None:
    """But kernels, which get every array by itself, the command line, whose parameters are options,
    and the faces of other systems."""
    wrong = []
    for name, (_, tree) in modules().items():
        if name.partition(".")[0] in ("kernels", "cli", "compat"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                arguments = node.args
                names = [
                    each.arg
                    for each in arguments.posonlyargs + arguments.args + arguments.kwonlyargs
                ]
                count = len([each for each in names if each not in ("self", "cls")])
                if count > MAX_PARAMETERS:
                    wrong.append(f"{name}:{node.lineno} {node.name} has {count}")
    assert wrong == []


def test_files_are_short() -> None:
    lines = {name: path.read_text().count("\n") for name, (path, _) in modules().items()}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_few_lines_are_formatted_by_hand() -> None:
    text = "".join(path.read_text() for path, _ in modules().values())
    assert text.count("fmt: skip") + text.count("fmt: off") <= MAX_FORMAT_SKIPS


@pytest.mark.parametrize(
    ("asked", "where"),
    [({"lm"}, ("lm", "words", "settings", "cli")), (set(LOSSES), ("losses", "compat"))],
    ids=["the language model", "losses"],
)
def test_only_some_rooms_ask_by_name(asked: set[str], where: tuple[str, ...]) -> None:
    wrong = [
        f"{name}:{line} {text!r}"
        for name, (_, tree) in modules().items()
        if name.partition(".")[0] not in where
        for line, text in strings(tree)
        if text in asked
    ]
    assert wrong == []


def test_nothing_below_the_command_line_prints() -> None:
    wrong = []
    for name, (_, tree) in modules().items():
        if name.partition(".")[0] in ("cli", "__main__"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit"):
                wrong.append(f"{name}:{node.lineno} {ast.unparse(node.func)}")
            elif isinstance(node, (ast.Import, ast.ImportFrom)) and any(
                part.partition(".")[0] in ("typer", "rich", "click")
                for part in [getattr(node, "module", None) or "", *(a.name for a in node.names)]
            ):
                wrong.append(f"{name}:{node.lineno} {ast.unparse(node)}")
    assert wrong == []

"""What is asked of every file: short functions, files of a size one can hold, no swallowed errors, no notes to self.

A table below lists each exception with its reason. An entry that is not needed any more is an error too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("syncd", "connectors", "config", "tests", "bench", "docs")
TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".sql", ".html", ".css", ".js", ".ini", ".mako", ""}

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
TO_DO, FIX_ME = "todo".upper(), "fixme".upper()  # not spelled out: this file is read as well
NOTE = re.compile(rf"\b(?:{TO_DO}|{FIX_ME})\b")

LONG_FILES: dict[str, str] = {
    "tests/test_cli.py": "one story a command, in the order of the reference",
    "tests/test_store.py": "one table after the other, each on three stores",
}
"""Python files over the limit -> why they stay in one piece."""

LAST_RESORTS: dict[str, str] = {
    "tests/sim/play.py:play": "whatever a history raises is told with its seed, and the other histories go on",
    "syncd/kit/asking.py:ask": "code of others is tested: what it raises, whatever it is, is the answer to one check",
    "syncd/http/crew.py:_take": "it is raised again by who asked, as soon as the other threads have ended",
    "syncd/web/hooks.py:receive": "the top of a request: it is told, the vendor sends again, and the other apps go on",
    "syncd/kit/live.py:_outcome": "the same on a real account; the next step goes on, and what was made is put away",
    "syncd/daemon/life.py:_turn": "the top of the daemon's working thread: a failing pass is told, and the daemon goes on",
}
"""`file:function` that ends whatever was raised -> why. STYLE: once per thread, at its top."""


def violations(root: Path, long_files: Iterable[str], last_resorts: Iterable[str]) -> list[str]:
    """List what is untidy, one line each."""
    found: list[str] = []
    long_seen, resorts_seen = set(), set()
    for path in _files(root):
        place, text = path.relative_to(root).as_posix(), path.read_text("utf-8")
        found += [
            f"{place}:{number}: a note to self; do it or open an issue"
            for number, line in enumerate(text.splitlines(), 1)
            if NOTE.search(line)
        ]
        if path.suffix != ".py":
            continue
        tree = ast.parse(text, str(path))
        found += [f"{place}:{node.lineno}: {node.name} has {lines} lines" for node, lines in _long_functions(tree)]
        if text.count("\n") > FILE_LINES_MAX:
            long_seen.add(place)
        resorts_seen |= {f"{place}:{function}" for function in _swallowers(tree)}
    found += [f"{place}: over {FILE_LINES_MAX} lines without a reason" for place in sorted(long_seen - {*long_files})]
    found += [f"{where}: swallows whatever was raised" for where in sorted(resorts_seen - {*last_resorts})]
    found += [f"{entry}: listed, but needs it no more" for entry in sorted({*long_files} - long_seen)]
    found += [f"{entry}: listed, but needs it no more" for entry in sorted({*last_resorts} - resorts_seen)]
    return found


def _files(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            hidden = any(part.startswith(("__pycache__", ".")) for part in path.relative_to(root).parts)
            if path.is_file() and path.suffix in TEXTS and not hidden:
                yield path
    yield from (
        path for path in sorted(root.glob("*")) if path.is_file() and path.suffix in TEXTS and path.stem[0] != "."
    )


def _long_functions(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _length(node)
            if ast.get_docstring(node, clean=False) is not None:
                lines -= _length(node.body[0])
            if lines > FUNCTION_LINES_MAX:
                yield node, lines


def _length(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _swallowers(tree: ast.AST, function: str = "<module>") -> Iterator[str]:
    """Name the functions in which everything may be raised and nothing comes out."""
    for node in ast.iter_child_nodes(tree):
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        match node:
            case ast.ExceptHandler(type=kind, body=body) if kind is None or _is_broad(kind):
                if not any(isinstance(part, ast.Raise) for statement in body for part in ast.walk(statement)):
                    yield inner
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=kinds):
                yield from (inner for kind in kinds if _is_broad(kind))
        yield from _swallowers(node, inner)


def _is_broad(kind: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in {"Exception", "BaseException"} for part in ast.walk(kind))


def test_the_tree_is_tidy() -> None:
    assert violations(ROOT, LONG_FILES, LAST_RESORTS) == []


def test_an_empty_tree_is_tidy(tmp_path: Path) -> None:
    assert violations(tmp_path, (), ()) == []


LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 60
DOCUMENTED_FUNCTION = 'def f():\n    """One.\n\n    Two.\n    """\n' + "    x = 1\n" * 59


@pytest.mark.parametrize(
    ("place", "text", "complaint"),
    [
        ("syncd/a.py", LONG_FUNCTION, "f has 61 lines"),
        ("syncd/a.py", f"class C:\n  {LONG_FUNCTION.replace(chr(10), chr(10) + '  ')}", "f has 61 lines"),
        ("connectors/a/b.py", "x = 1\n" * 401, "over 400 lines"),
        ("syncd/a.py", "try:\n    f()\nexcept Exception:\n    pass\n", "a.py:<module>: swallows"),
        (
            "syncd/a.py",
            "def f():\n    try:\n        g()\n    except (OSError, Exception) as e:\n        log(e)\n",
            "a.py:f: sw",
        ),
        ("syncd/a.py", "async def f():\n    try:\n        g()\n    except:\n        return\n", "a.py:f: swallows"),
        ("syncd/a.py", "def f():\n    with contextlib.suppress(BaseException):\n        g()\n", "a.py:f: swallows"),
        ("tests/a.py", f"x = 1  # {TO_DO} later\n", "a.py:1: a note to self"),
        ("Makefile", f"# {FIX_ME}\n", "Makefile:1: a note to self"),
    ],
)
def test_each_violation_is_found(tmp_path: Path, place: str, text: str, complaint: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(text)
    [found] = violations(tmp_path, (), ())
    assert found.startswith(f"{place}:")
    assert complaint in found


@pytest.mark.parametrize(
    "text",
    [
        DOCUMENTED_FUNCTION,
        "try:\n    f()\nexcept Exception:\n    g()\n    raise\n",
        "try:\n    f()\nexcept OSError:\n    pass\n",
    ],
)
def test_what_is_allowed_is_allowed(tmp_path: Path, text: str) -> None:
    (tmp_path / "syncd").mkdir()
    (tmp_path / "syncd" / "a.py").write_text(text)
    assert violations(tmp_path, (), ()) == []


def test_a_listed_exception_is_allowed_while_it_is_one(tmp_path: Path) -> None:
    (tmp_path / "syncd").mkdir()
    (tmp_path / "syncd" / "a.py").write_text("x = 1\n" * 400 + "def f():\n  try: g()\n  except Exception: pass\n")
    assert violations(tmp_path, ["syncd/a.py"], ["syncd/a.py:f"]) == []
    (tmp_path / "syncd" / "a.py").write_text("")
    assert len(violations(tmp_path, ["syncd/a.py"], ["syncd/a.py:f"])) == 2

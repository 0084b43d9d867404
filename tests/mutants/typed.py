"""Which mutants the type checker refuses: `make test` begins with mypy, so these never come as far as a test.

All of them are checked in one run over mutmut's copy, where each mutant is a function of its own beside the one that it is of.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tests.mutants.made import COPY, function_of

OF_THE_COPY: Final = ("ignore-without-code", "unused-ignore", "no-redef", "has-type")
"""What mypy says because the copy has marks of mutmut in it, and many functions that declare the same attributes."""


def refused() -> set[str]:
    """Ask the type checker about every mutant there is; it remembers the files that did not change."""
    rooms = sorted({path.parent.relative_to(COPY).as_posix() for path in (COPY / "syncd").rglob("*.meta")})
    command = [sys.executable, "-m", "mypy", "--output", "json", "--cache-dir", ".mypy_cache", *rooms]
    told = subprocess.run(command, cwd=COPY, capture_output=True, text=True, check=False)
    assert told.returncode in (0, 1), told.stderr  # 2: it could not check
    errors: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for doc in map(json.loads, filter(str.strip, told.stdout.splitlines())):
        errors[doc["file"]].append(doc)
    return {name for file, docs in errors.items() for name in accused(file, (COPY / file).read_text("utf-8"), docs)}


def accused(file: str, source: str, errors: Iterable[Mapping[str, Any]]) -> set[str]:
    """Name the mutants of one file in which something is wrong that is not wrong in the function as it is."""
    spans = sorted(_spans(ast.parse(source)))
    wrong: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for error in errors:
        at = bisect(spans, (error["line"], len(source), "")) - 1
        if (
            at >= 0
            and error["line"] <= spans[at][1]
            and error["code"] not in OF_THE_COPY
            and error["severity"] == "error"
        ):
            wrong[spans[at][2]].add((error["code"], error["message"]))
    module = file.removesuffix(".py").replace("/", ".")
    return {
        f"{module}.{name}"
        for name, found in wrong.items()
        if not name.endswith("__mutmut_orig") and found - wrong.get(f"{function_of(name)}__mutmut_orig", set())
    }


def _spans(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Say where each mutant stands: first line, last line, name."""
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef) and "__mutmut_" in inner.name:
                yield inner.lineno, inner.end_lineno or inner.lineno, inner.name

"""Put a fault into the code that runs: one exact text of a module is replaced, and its function gets the new code.

Everybody who has imported the function runs the fault, and nobody does after the `with` block. Hard rule: a text that is
not in its module exactly once, or that is in no function, is an error, so that no mutant goes stale in silence.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any


class Stale(AssertionError):
    """A mutant that fits the code no more."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One text of one module, and what stands in its place."""

    module: str
    old: str
    new: str


@contextmanager
def mutated(edits: Sequence[Edit]) -> Iterator[None]:
    """Let the code be wrong in these ways while the block runs."""
    with ExitStack() as stack:
        for name in dict.fromkeys(edit.module for edit in edits):
            for function, code in swaps(name, tuple(edit for edit in edits if edit.module == name)):
                stack.callback(setattr, function, "__code__", function.__code__)
                function.__code__ = code
        yield


def _loaded(name: str) -> ModuleType:
    """Import a module; what belongs to a connector comes with it."""
    if name.startswith("syncd_connectors."):
        from syncd import registry

        registry.load(name.split(".")[1])
    return importlib.import_module(name)


@lru_cache(maxsize=256)
def swaps(name: str, edits: tuple[Edit, ...]) -> list[tuple[FunctionType, CodeType]]:
    """Find the functions of a module that these edits touch, and compile their new code."""
    module = _loaded(name)
    assert module.__file__
    source = Path(module.__file__).read_text("utf-8")
    text, names = source, set()
    for edit in edits:
        if source.count(edit.old) != 1 or text.count(edit.old) != 1:
            raise Stale(f"{edit.module} holds {edit.old!r} {source.count(edit.old)} times; bring the mutant up to date")
        first = source[: source.index(edit.old)].count("\n") + 1
        names.add(_function(source, first, edit))
        text = text.replace(edit.old, edit.new)
    codes = dict(_codes(compile(text, module.__file__, "exec", dont_inherit=True)))
    found = []
    for place in sorted(names):
        function = _live(module, place)
        if place not in codes or codes[place].co_freevars != function.__code__.co_freevars:
            raise Stale(f"{name}.{place} cannot take the new code")
        found.append((function, codes[place]))
    return found


def _function(source: str, line: int, edit: Edit) -> str:
    """Name the outermost function around a line."""
    names: list[str] = []
    body: Sequence[ast.AST] = ast.parse(source).body
    while True:
        around = [
            node for node in body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and _start(node) <= line <= (node.end_lineno or 0)
        ]  # fmt: skip
        if not around:
            raise Stale(f"{edit.old!r} is in no function of {edit.module}")
        names.append(around[0].name)
        if isinstance(around[0], ast.FunctionDef):
            return ".".join(names)
        body = around[0].body


def _start(node: ast.ClassDef | ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Give the code of every function of a module and of its classes, by qualified name."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner.co_qualname, inner
            if not inner.co_flags & 0x1:  # CO_OPTIMIZED: a function; else the body of a class
                yield from _codes(inner)


def _live(module: ModuleType, name: str) -> FunctionType:
    """Find the function itself behind its name, whatever decorates it."""
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    while not isinstance(found, FunctionType):
        found = found.__wrapped__ if hasattr(found, "__wrapped__") else found.fget or found.__func__
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    assert isinstance(found, FunctionType)
    return found

"""Why a check failed, for whoever writes the connector: what was expected, what was there instead, and where.

Only sandboxes are tested this way, so values may be shown: nobody real has them.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final

LONG: Final = 300
HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What went wrong. `asked`: the line of the check; `held`: names in it, and what they held then; `place`: file:line."""

    message: str
    asked: str = ""
    held: tuple[tuple[str, str], ...] = ()
    place: str = ""


def reason_of(error: BaseException, folder: Path | None) -> Reason:
    """Tell a failure: by the last line of the kit that it went through, and the last one in the connector's folder."""
    frames = list(_frames(error.__traceback__))
    ours = next((each for each in reversed(frames) if _lies_in(each[0], HERE)), None)
    theirs = next((each for each in reversed(frames) if folder is not None and _lies_in(each[0], folder)), None)
    place = "" if theirs is None else f"{theirs[0].f_code.co_filename}:{theirs[1]}"
    asked, held = "", tuple[tuple[str, str], ...]()
    if ours is not None:
        statement = _statement(*ours)
        asked = ast.unparse(statement) if statement is not None else ""
        held = tuple(_held(statement, ours[0])) if isinstance(statement, ast.Assert) else ()
    if isinstance(error, AssertionError):
        message = _cut(str(error)) or "this does not hold"
    else:
        message = _cut(f"{type(error).__name__}: {error}")
    return Reason(message=message, asked=_cut(asked), held=held, place=place)


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _lies_in(frame: FrameType, folder: Path) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(folder)


def _statement(frame: FrameType, line: int) -> ast.stmt | None:
    """Find the innermost statement of a file that this line belongs to."""
    lines = linecache.getlines(frame.f_code.co_filename)
    if not lines:
        return None
    found = None
    for node in ast.walk(ast.parse("".join(lines))):
        inside = isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
        if isinstance(node, ast.stmt) and inside and (found is None or node.lineno >= found.lineno):
            found = node
    return found if isinstance(found, ast.Assert | ast.Expr | ast.Assign) else None


def _held(statement: ast.Assert, frame: FrameType) -> Iterator[tuple[str, str]]:
    """Give the names of an assertion, with their attributes and items, and what they hold; nothing is called for it."""
    seen = set()
    for node in _names(statement.test):
        text = ast.unparse(node)
        if text in seen or text in {"isinstance", "Applied", "Rejected", "Unknown", "app", "world"}:
            continue
        seen.add(text)
        value = _value(node, frame)
        if value is not _NOTHING and not callable(value):
            yield text, _cut(repr(value))


def _names(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            yield node
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from _names(child)


_NOTHING: Final = object()


def _value(node: ast.expr, frame: FrameType) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return frame.f_locals.get(name, _NOTHING)
        case ast.Attribute(value=inner, attr=name):
            return getattr(_value(inner, frame), name, _NOTHING)
        case ast.Subscript(value=inner, slice=place):
            held, key = _value(inner, frame), _value(place, frame)
            try:
                return held[key]
            except (TypeError, KeyError, IndexError):
                return _NOTHING
    return _NOTHING


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"

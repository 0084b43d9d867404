"""Say it: tables for people, plain aligned text for pipes, one JSON document for scripts, sentences on stderr.

Knows nothing of syncing. Hard rule: whatever comes from an app is made harmless before a terminal sees it, and a pipe
gets no colour, no markup, no wrapping and no progress.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

Row = Sequence[Any]
PIPE_COLUMNS: Final = 100
"""Where a list of clauses goes on in another line."""


def terminal() -> bool:
    """Say whether a person looks at the output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def document(doc: Any) -> None:
    """Print one JSON document."""
    import orjson

    raw(orjson.dumps(doc, option=orjson.OPT_APPEND_NEWLINE))


def raw(data: bytes) -> None:
    """Write bytes to stdout; whoever stops reading has had enough, which is no error."""
    _guarded(lambda: sys.stdout.buffer.write(data))


def line(text: str = "") -> None:
    """Print one line."""
    _guarded(lambda: print(text))


def complain(text: str) -> None:
    """Tell the operator what is wrong, on stderr."""
    for part in text.splitlines():
        print(f"syncd: {plain(part)}", file=sys.stderr)


def hint(text: str = "") -> None:
    """Tell the operator what to do next, on stderr."""
    print(f"       {text}", file=sys.stderr)


def _guarded(action: Callable[[], Any]) -> None:
    try:
        action()
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - it stays open as long as we run


def plain(value: Any) -> str:
    """Spell a value on one line, without anything that steers a terminal."""
    if value is None:
        return ""
    if not isinstance(value, str):
        import orjson

        value = orjson.dumps(value, default=str).decode()
    if value.isascii() and value.isprintable():
        return str(value)
    return "".join(ch if ch.isprintable() else _escaped(ch) for ch in value)


def _escaped(ch: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(ch) or f"\\u{ord(ch):04x}"


def age(seconds: float | None) -> str:
    """Spell a duration for people."""
    if seconds is None:
        return "never"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def table(head: Row, rows: Iterable[Row], *, right: Sequence[int] = (), indent: str = "") -> None:
    """Print a table. `right`: the columns that are numbers. On a terminal long cells are folded; in a pipe they are whole."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if terminal():
        _rich_table(head, cells, right)
        return
    widths = [max([width(str(head[i])), *(width(row[i]) for row in cells)]) for i in range(len(head))]
    for row in [[str(name) for name in head], *cells]:
        padded = [_pad(cell, widths[i], right=i in right) for i, cell in enumerate(row)]
        line((indent + "  ".join(padded)).rstrip())


def _pad(cell: str, wide: int, *, right: bool) -> str:
    space = " " * (wide - width(cell))
    return space + cell if right else cell + space


def clauses(parts: Sequence[str], joiner: str, *, indent: str = "") -> None:
    """Print a list as few lines of at most PIPE_COLUMNS; a part is never broken."""
    text = ""
    for part in map(plain, parts):
        if text and len(indent) + width(text) + len(joiner) + width(part) > PIPE_COLUMNS:
            line(f"{indent}{text}{joiner.rstrip()}")
            text = part
        else:
            text = f"{text}{joiner}{part}" if text else part
    line(indent + text)


def width(text: str) -> int:
    """Count the columns that a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(ch) else 2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)


def _rich_table(head: Row, cells: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE, pad_edge=False, show_edge=False)
    for place, name in enumerate(head):
        grid.add_column(Text(str(name)), justify="right" if place in right else "left", overflow="fold")
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False, markup=False, emoji=False)
    _guarded(lambda: console.print(grid))

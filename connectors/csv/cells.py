"""What stands in one cell: text, and the `'` that keeps a spreadsheet from running it.

Knows nothing of files. Hard rule: `shown(guarded(text))` is `text`, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_NUMBER: Final = re.compile(r"[+-][0-9](?:[0-9 .]|\([0-9 ]+\))*(?: ext\. [0-9]+)?")
"""A sign and digits with spaces, dots and whole parentheses: a number, or a telephone number with its extension. No spreadsheet calculates it:
two numbers side by side are no formula. With one more sign (`-1-1`), or `(` at once (`-(1)`), they are one.
"""
_FORMULA: Final = re.compile(r"'*[=+\-@\t]")
_GUARDED: Final = re.compile(r"'+[=+\-@\t]")
# A `'` before a guarded one is guarded too; else a text that begins with `'=` would lose its `'` on the way back.


def guarded(text: str) -> str:
    """Spell a text so that a spreadsheet shows it and never runs it."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def shown(cell: str) -> str | None:
    """Read a cell: without our own `'`; an empty one is blank."""
    return cell[1:] if _GUARDED.match(cell) else cell or None


def quoted(cell: str, delimiter: str, *, always: bool = False) -> str:
    """Put quotes around a cell that needs them, or always."""
    needed = any(mark in cell for mark in (delimiter, '"', "\r", "\n")) or cell != cell.strip()
    return '"' + cell.replace('"', '""') + '"' if always or needed else cell


def split(text: str, delimiter: str) -> list[str]:
    """Cut one sound record (without its line end) into its cells as they are written, quotes and all."""
    cell = re.compile(rf'"(?:[^"]|"")*+"|(?!")[^{re.escape(delimiter)}]*')
    cells, at = [], 0
    while match := cell.match(text, at):
        cells.append(match.group())
        at = match.end() + 1
        if at > len(text):
            return cells
    raise AssertionError("only what a strict reader took is split")


def joined(cells: Sequence[str], delimiter: str) -> str:
    """Write cells as one line; a single empty cell needs quotes, or the line would be no row."""
    return delimiter.join(cells) or '""'

"""Suggest what the operator may have meant. Knows nothing of configuration; names only, never values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NAMES_MAX: Final = 1_000
"""Among more names nothing is searched: a suggestion is not worth a long wait."""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return `, did you mean "..."?` for the nearest known name, else an empty text."""
    from difflib import get_close_matches

    names = sorted(known)[:NAMES_MAX]
    lowered = {name.lower(): name for name in reversed(names)}
    nearest = get_close_matches(word[:60].lower(), lowered, n=1, cutoff=cutoff)
    return f', did you mean "{lowered[nearest[0]]}"?' if nearest else ""


def choose_from(known: Iterable[str], *, most: int = 12) -> str:
    """Return the known names as a text for a message, shortened when there are many."""
    names = sorted(known)
    return (
        ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") if names else "none"
    )


def shown(name: str, *, most: int = 60) -> str:
    """Return a name fit for a message: one line, no control characters, not too long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name[: most + 1])
    return text if len(name) <= most else text[: most - 3] + "..."

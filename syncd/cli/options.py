"""The options that commands share, and the notations of their values: ages, times, lists."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from syncd.cli.clock import now_ms
from syncd.config.near import choose_from, did_you_mean, shown
from syncd.errors import ConfigError

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Configuration: a file or a folder. Default: SYNCD_CONFIG or config/syncd.yaml."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the stack of an internal error; it may show contact values.")
]
Key = Annotated[
    str, typer.Argument(metavar="KEY", help="An e-mail address, a contact (c42), APP:RECORD, or - for stdin.")
]
Approve = Annotated[bool, typer.Option("--approve", help="Let it happen, also where it would wait for an approval.")]
Since = Annotated[str | None, typer.Option("--since", metavar="T", help="A time (ISO 8601) or an age: 15m, 2h, 3d.")]

_AGE: Final = re.compile(r"(\d{1,9})\s*([smhdw])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def since_ms(text: str | None) -> int | None:
    """Read a time or an age; raises ConfigError."""
    if text is None:
        return None
    age = _AGE.fullmatch(text.strip().lower())
    if age:
        return now_ms() - int(age[1]) * _UNITS[age[2]] * 1000
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f'--since: "{shown(text)}" is no time; give ISO 8601 (2026-03-01, 2026-03-01T12:00:00Z) or an age (15m, 2h, 3d)'
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def listed(texts: Sequence[str] | None) -> list[str] | None:
    """Read a list that is given by repeating the option, by commas, or both."""
    if not texts:
        return None
    return list(dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip()))


def known(names: Iterable[str] | None, there: Iterable[str], what: str) -> None:
    """Refuse names that are not there, with the near miss. Raises ConfigError."""
    choices = list(there)
    for name in names or ():
        if name not in choices:
            near = did_you_mean(name, choices) or f"; there are: {choose_from(choices)}"
            raise ConfigError(f'no {what} "{shown(name)}"{near}')


def key_from(text: str) -> str:
    """Read a KEY; `-` takes it from stdin, so that it is seen neither in the list of processes nor in a history."""
    key = (sys.stdin.readline() if text == "-" else text).strip()
    if not key:
        raise ConfigError("KEY is empty: give an e-mail address, a contact (c42) or APP:RECORD")
    return key

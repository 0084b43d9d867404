"""Plans on paper: streamed to a file that only its owner may read, to stdout, or to people; and read back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import orjson

from syncd.cli import show
from syncd.cli.telling import (
    NOTHING_UNDONE,
    PREVIEW,
    next_command,
    on_stderr,
    tell_errors,
    tell_given_back,
    tell_inbox,
    tell_intent,
    tell_paused,
    tell_skipped,
    tell_wrong,
    would_hold,
)
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.engine.finish import Outcome
    from syncd.engine.runs import Session

IN_MEMORY_BYTES: Final = 8 << 20
BLOCK_BYTES: Final = 1 << 16


def run_plan(
    session: Session, apps: Sequence[str] | None, out: Path | None, *, as_json: bool, file: Path | None
) -> int:
    """Make a plan and put it where it is wanted; return the exit code. Memory stays flat in the number of intents."""
    from syncd.engine import runs

    if out is None and not as_json:
        outcome = runs.plan(session, apps=apps, each=tell_intent)
        _tell_plan(outcome, file)
        tell_wrong(outcome, file)
        return outcome.code
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as paper:
        writer = _Paper(paper)
        outcome = runs.plan(session, apps=apps, each=writer.add)
        writer.end(outcome.doc)
        if out is not None:
            _keep(paper, out)
        if as_json and outcome.code != 2:
            _print(paper)
    if as_json and outcome.code != 2:
        tell_errors(outcome)
        return outcome.code
    with on_stderr() if as_json else nullcontext():
        if out is not None:
            show.line(f"the plan is in {out}; it holds contact values, only you may read it")
        _tell_plan(outcome, file)
        if out is not None:
            show.line(f"Do exactly this: {next_command(f'apply {out}', file)}")
    tell_wrong(outcome, file)
    return outcome.code


class _Paper:
    """One JSON document, its intents written one by one."""

    def __init__(self, paper: IO[bytes]) -> None:
        self._paper = paper
        self._empty = True
        paper.write(b'{"intents":[')

    def add(self, intent: dict[str, Any]) -> None:
        self._paper.write((b"" if self._empty else b",") + orjson.dumps(intent))
        self._empty = False

    def end(self, doc: Mapping[str, Any]) -> None:
        rest = {name: value for name, value in doc.items() if name != "intents"}
        self._paper.write(b"]," + orjson.dumps(rest)[1:] + b"\n")


def _keep(paper: IO[bytes], out: Path) -> None:
    """Write the plan beside the file and move it there, so that a file is a whole plan or the old one; mode 0600."""
    beside = out.with_name(f".{out.name}.new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            paper.seek(0)
            while block := paper.read(BLOCK_BYTES):
                file.write(block)
            file.flush()
            os.fsync(handle)
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"--out {out}: cannot be written: {error.strerror}") from error


def _print(paper: IO[bytes]) -> None:
    paper.seek(0)
    while block := paper.read(BLOCK_BYTES):
        show.raw(block)


def _tell_plan(outcome: Outcome, file: Path | None) -> None:
    tell_errors(outcome)
    doc = outcome.doc
    kinds = list(dict.fromkeys(kind for counts in doc["counts"].values() for kind in counts))
    if kinds:
        show.line()
        rows = [[app, *(counts.get(kind, 0) for kind in kinds)] for app, counts in doc["counts"].items()]
        show.table(["app", *kinds], rows, right=range(1, len(kinds) + 1))
    else:
        show.line("nothing to write")
    tell_paused(outcome)
    for name, count in outcome.preview.items():
        show.line(f"{name}: {count} {PREVIEW[name]}")
    for held in doc["held"]:
        show.line(would_hold(held, first=bool(outcome.preview)))
    _tell_cases(len(doc["inbox"]) - outcome.later, outcome.later, file, first=bool(outcome.preview))


def _tell_cases(now: int, later: int, file: Path | None, *, first: bool) -> None:
    """Say how many cases wait, and how many of this plan nobody can look at yet."""
    tell_inbox(now, file)
    if later:
        cases = f"{later} {'more ' if now else ''}case{'' if later == 1 else 's'}"
        when = "the first approved sync" if first else "the next sync"
        show.line(f"inbox: {cases} will wait there for a decision after {when}")


def tell_undo(outcome: Outcome) -> int:
    """Show what an undo would do."""
    tell_errors(outcome)
    intents = outcome.doc.get("intents", [])
    for intent in intents:
        tell_intent(intent)
    tell_skipped(outcome.doc.get("skipped"))
    if intents:
        show.line()
        tell_given_back(outcome)
        writes = "1 write" if len(intents) == 1 else f"{len(intents)} writes"
        show.line(f"{writes} would take this back; nothing was done. The same command with --approve does it.")
    else:
        show.line(NOTHING_UNDONE)
    return outcome.code


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan file; raises ConfigError."""
    from syncd.cli.planfile import check_shape

    try:
        doc = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{path}:{error.lineno}:{error.colno}: this is not a plan; make one by `syncd plan --out FILE`"
        ) from error
    check_shape(path, doc)
    assert isinstance(doc, dict)
    return doc

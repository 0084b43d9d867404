"""The part of the story in which nobody types a command: the daemon runs, and changes travel by webhook.

Times are taken from the moment at which somebody has changed something in one app to the one at which another app holds it.
Hard rule: the daemon ends with the block, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from syncd.demo import mess
from syncd.demo.figures import meaning
from syncd.demo.setting import Stage

TITLED, CALLED, WROTE, LEFT = 91, 171, 190, 260
"""Somebody with a new title in the CRM, a new number in the books, another one in the desk; and who leaves the newsletter."""
READY_SECONDS: Final = 60.0
ARRIVES_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Something that somebody changes in one app, and what the others shall hold then."""

    app: str
    words: str
    change: Callable[[], None]
    email: str
    field: str
    text: str
    reaches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Travelled:
    """How long a change was under way."""

    app: str
    reaches: str
    milliseconds: float | None
    """None: it has not arrived."""


def edits(stage: Stage) -> tuple[Edit, ...]:
    """List what happens while the daemon runs."""
    titled, called, wrote, left = (stage.email(number) for number in (TITLED, CALLED, WROTE, LEFT))
    return (
        Edit(
            app="crm",
            words=f"{stage.everyone[TITLED].full_name}: promoted",
            change=lambda: stage.crm.edit(titled, job_title="Head of Tea"),
            email=titled,
            field="job_title",
            text="Head of Tea",
            reaches=("desk",),
        ),
        Edit(
            app="books",
            words=f"{stage.everyone[CALLED].full_name}: a new number",
            change=lambda: stage.books.call(called, "+33|1|99001801"),
            email=called,
            field="phone",
            text="+33199001801",
            reaches=("crm", "news", "desk"),
        ),
        Edit(
            app="desk",
            words=f"{stage.everyone[WROTE].full_name}: a new number",
            change=lambda: stage.desk.edit(wrote, phone="+33 1 99 00 18 02"),
            email=wrote,
            field="phone",
            text="+33199001802",
            reaches=("crm", "news", "books"),
        ),
        Edit(
            app="news",
            words=f"{stage.everyone[LEFT].full_name}: unsubscribes",
            change=lambda: stage.news.leave(left),
            email=left,
            field="email_consent",
            text="opted_out",
            reaches=("crm", "desk"),
        ),
    )


@contextlib.contextmanager
def daemon(stage: Stage) -> Iterator[Path]:
    """Run `syncd run` while the block runs, from its first look at every app on; yield its log.

    Raises ConnectionError where it does not begin, or does not end in order.
    """
    log = stage.folder / "daemon.log"
    process = stage.screen.daemon(log)
    assert process.stdin is not None
    try:
        _until(lambda: len(events(log, "pass")) >= len(stage.apps) or process.poll() is not None, READY_SECONDS)
        if process.poll() is not None or not events(log, "pass"):
            raise ConnectionError(f"the daemon did not start: {_last_line(log)}")
        yield log
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode:
        raise ConnectionError(f"the daemon ended with {process.returncode}: {_last_line(log)}")


def _last_line(log: Path) -> str:
    return next(reversed(log.read_text("utf-8").splitlines()), "it has said nothing")


def events(log: Path, event: str) -> list[dict[str, Any]]:
    """Read what the daemon has told so far."""
    lines = log.read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [each for each in found if each.get("event") == event]


def travel(stage: Stage, edit: Edit) -> list[Travelled]:
    """Let somebody change something, let the vendor tell, and see it arrive."""
    begun = time.perf_counter()
    edit.change()
    stage.apps[edit.app].vendor.courier.deliver()
    arrived: dict[str, float] = {}

    def everywhere() -> bool:
        for app in edit.reaches:
            if app not in arrived and _holds(stage, app, edit):
                arrived[app] = (time.perf_counter() - begun) * 1000
        return len(arrived) == len(edit.reaches)

    _until(everywhere, ARRIVES_SECONDS)
    return [Travelled(app=edit.app, reaches=app, milliseconds=arrived.get(app)) for app in edit.reaches]


def merge(stage: Stage, log: Path) -> bool:
    """Merge who is in the CRM twice; say whether the daemon has heard of it."""
    before = len(events(log, "pass"))
    for number in mess.TYPED_TWICE:
        stage.crm.merge(stage.email(number), mess.private(stage.everyone[number]))
    stage.crm.vendor.courier.deliver()

    def heard() -> bool:
        return any(each["app"] == "crm" and each["kind"] == "hints" for each in events(log, "pass")[before:])

    return _until(heard, ARRIVES_SECONDS)


def _holds(stage: Stage, name: str, edit: Edit) -> bool:
    app = stage.apps[name]
    row = next((row for row in app.rows() if row.get("email", "").casefold() == edit.email.casefold()), {})
    text = row.get(edit.field, "")
    return text in app.opted_out if edit.field == "email_consent" else meaning(edit.field, text) == edit.text


def _until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait for something; say whether it came in time."""
    deadline = time.monotonic() + seconds
    while not (came := true()) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return came

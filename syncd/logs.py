"""Logs of the daemon: one wide event per pass and app, as JSON lines on stderr, or for people on a terminal.

Hard rule: no contact value in a log. Events are made of names and numbers; a last gate takes out what looks like an
address all the same, and of an unexpected error only its kind and its place are told, never its text.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_ADDRESS: Final = re.compile(r"[^\s@:/<>\"'=,;]+@[^\s@<>\"',;]+\.[^\W\d_]{2,}")
FRAMES: Final = 12


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Configure structlog, and let other libraries' warnings come out the same way."""
    out = stream or sys.stderr
    people = out.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _gate,
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Others()]
    root.setLevel(logging.WARNING)


def logger() -> Any:
    """Give a logger."""
    return structlog.get_logger()


def fault(error: BaseException) -> dict[str, Any]:
    """Describe an unexpected error: kind, place and stack, without its text."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return {
        "error": type(error).__name__,
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _gate(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _ADDRESS.sub("<address>", value) if "@" in value else value
    if isinstance(value, Mapping):
        return {name: _clean(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else type(value).__name__


class _Others(logging.Handler):
    """Warnings of libraries: who and the text without what was put into it, which may be anything."""

    def emit(self, record: logging.LogRecord) -> None:
        method = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(logger(), method)("library", library=record.name, message=str(record.msg))

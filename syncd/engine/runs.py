"""Runs: what a command starts. Each opens a hub, does its passes, and says what happened in the words of the contract.

Knows nothing of terminals. Returns an `Outcome`: the JSON document that the command prints and its exit code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from syncd.config import AppConfig, Config
from syncd.connector import Connector
from syncd.engine.seam import World
from syncd.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What every run needs: the configuration, the store, the world, and a way to load connectors."""

    config: Config
    store: Store
    world: World
    load: Callable[[AppConfig], Connector]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run says. `doc` is the JSON document; `code` the exit code (DESIGN 5)."""

    doc: dict[str, Any]
    code: int
    errors: dict[str, str] = field(default_factory=dict)
    """app -> why it was set aside, for the operator."""
    preview: dict[str, int] = field(default_factory=dict)
    """First run on filled apps: matched, unmatched, ambiguous, disagreeing."""

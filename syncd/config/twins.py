"""Twins: two apps of the configuration that are one account, file or table. Everybody would be created in it twice.

Two parts of one account (audiences, tables, branches) are no twins. Must not open anything. Hard rule: an app whose account
cannot be told is taken for another one only where something is known to differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from syncd.config.settings import AppConfig
from syncd.errors import ConfigError
from syncd.model import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of where an app's records lie."""

    settings: AppConfig
    spec: Spec
    fingerprint: str | None
    """As the app names its account, or as it was remembered; None: not known."""


def twins_among(known: Iterable[Known]) -> dict[str, str]:
    """Map every app that is another one as well to the first such, in the order of the configuration."""
    found: dict[str, str] = {}
    for one, other in combinations(known, 2):
        if _are_one(one, other):
            found.setdefault(one.settings.name, other.settings.name)
            found.setdefault(other.settings.name, one.settings.name)
    return dict(sorted(found.items()))


def complaint(name: str, other: str) -> str:
    """Say of an app that it is the same as another one, why that matters, and what to do."""
    return (
        f"{name}: this is the same account, file or table as {other}: everybody would be created there twice, so nothing is "
        f"read or written in either; leave {name} or {other} out of `apps:`, or point one of them to another"
    )


def _are_one(one: Known, other: Known) -> bool:
    a, b = one.settings, other.settings
    if a.connector_at != b.connector_at:
        return False
    if one.fingerprint is None or other.fingerprint is None:
        return _plain(a) == _plain(b) and _same_login(a, b)
    if _whole(one.fingerprint, a) != _whole(other.fingerprint, b):
        return False
    if any(a.settings.get(part) != b.settings.get(part) for part in one.spec.parts):
        return False
    return one.spec.names_account or _same_login(a, b)


def _plain(app: AppConfig) -> dict[str, Any]:
    """Spell settings so that two spellings of one file are equal; the key column is no other place."""
    settings = {name: value for name, value in app.settings.items() if name != "key"}
    files = [*app.files]
    return {name: os.path.realpath(value) if value in files else value for name, value in settings.items()}


def _whole(fingerprint: str, app: AppConfig) -> str:
    """Spell a fingerprint with the whole way of its file, and without the key column (`#id`), which is no other place."""
    for absolute, file in app.files.items():
        for before in (":", ":///") if absolute not in fingerprint else ():
            if fingerprint.partition(":")[2].startswith(before[1:] + file.relative):
                fingerprint = fingerprint.replace(before + file.relative, before + os.path.realpath(absolute), 1)
    return fingerprint.removesuffix(f"#{app.settings['key']}") if "key" in app.settings else fingerprint


def _same_login(a: AppConfig, b: AppConfig) -> bool:
    """Tell whether all secrets that both have are equal, and there is one, or neither has any."""
    shared = sorted(a.secrets.keys() & b.secrets.keys())
    if not shared:
        return not a.secrets and not b.secrets
    try:
        return all(a.secrets[name].reveal() == b.secrets[name].reveal() for name in shared)
    except ConfigError:  # one that cannot be had: nobody gets in there, which is told elsewhere
        return False

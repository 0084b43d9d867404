"""Remembered: is an account the one that was confirmed, and does it still offer what it did?

Both the engine, which holds an app because of it, and `syncd check`, which says so beforehand, ask here.
Must not open anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from syncd.config.settings import AppConfig, FileName
from syncd.core.rules import EVIDENCE


def names_of(fingerprint: str, files: Mapping[str, FileName]) -> tuple[str, frozenset[str]]:
    """Name an account as it is remembered, and in every spelling by which it is the same one.

    A file inside the operator's project is named by its way from the configuration, so that a project that is moved or
    copied keeps working.
    """
    for absolute, file in files.items():
        if absolute in fingerprint:
            relative = fingerprint.replace(absolute, file.relative, 1)
            return relative if file.moves else fingerprint, frozenset((relative, fingerprint))
    return fingerprint, frozenset((fingerprint,))


def lost_fields(
    before: Collection[str], offered: Collection[str], settings: AppConfig, known: Collection[str]
) -> tuple[str, ...]:
    """Name the fields that an app had before and offers no more; `known`: the fields of the whole configuration. What
    somebody took out of the configuration is not missed.
    """
    meant = {name for name, where in settings.fields.items() if where.direction == "none"}
    wanted = {*known, *EVIDENCE} - meant
    return tuple(sorted(name for name in before if name not in offered and name in wanted))


def moved(name: str, before: str, now: str) -> str:
    """Say that an app is another one than before."""
    return (
        f"{name}: this is another account, file or table than before; nothing is read or written there "
        f"(it was {before}, it is {now})"
    )

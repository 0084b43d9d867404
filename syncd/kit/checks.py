"""All checks, in the order in which a connector's author wants to see them fail."""

from __future__ import annotations

from typing import Final

from syncd.kit import consents, faults, hooks, moving, naming, neighbours, reading, samples, writing
from syncd.kit.suite import CHECKS, Check

ALL: Final[list[Check]] = CHECKS
# Importing them fills the list.
ROOMS: Final = (reading, writing, neighbours, moving, faults, consents, hooks, naming, samples)

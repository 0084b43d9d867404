"""All checks, in the order in which a connector's author wants to see them fail."""

from __future__ import annotations

from typing import Final

from syncd.kit import consents, faults, moving, naming, reading, samples, writing
from syncd.kit.suite import CHECKS, Check

ALL: Final[list[Check]] = CHECKS
ROOMS: Final = (reading, writing, moving, faults, consents, naming, samples)  # importing them fills the list

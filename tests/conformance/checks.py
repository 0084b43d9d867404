"""All checks, in the order in which a connector's author wants to see them fail."""

from __future__ import annotations

from typing import Final

from tests.conformance import reading, writing
from tests.conformance.suite import CHECKS, Check

ALL: Final[list[Check]] = CHECKS
ROOMS: Final = (reading, writing)  # importing them fills the list

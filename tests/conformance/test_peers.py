"""The connectors to open systems against the suite, each on the running server."""

from __future__ import annotations

from syncd.kit.suite import Check
from tests.conformance.peers import RoundupWorld
from tests.conformance.putting import every_check, put
from tests.peers.roundup import Roundup


@every_check
def test_roundup(check: Check, tracker: Roundup) -> None:
    put("roundup", lambda: RoundupWorld(tracker), check)

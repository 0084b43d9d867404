"""When things are done: polls, sweeps, webhooks, SIGTERM. What a pass does is the engine's."""

from syncd.daemon.life import Daemon
from syncd.daemon.passing import Pass
from syncd.daemon.watched import WatchedWorld

__all__ = ["Daemon", "Pass", "WatchedWorld"]

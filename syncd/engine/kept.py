"""Apps that stay open from one pass of a daemon to the next.

Must not know when a pass runs. Hard rule: what failed is opened anew; whoever closes it forgets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from syncd.config import AppConfig
from syncd.connector import App, Connector, Opening
from syncd.errors import ConfigError, TransientError


class KeptApps:
    """Apps that stay open between passes; one that failed is opened again when it is due, one that is held for what it offers at every pass."""

    def __init__(self, load: Callable[[AppConfig], Connector]) -> None:
        self._load = load
        self._open: dict[str, App] = {}
        self._loaded: dict[str, Connector] = {}
        self._again: set[str] = set()
        """Apps that were open, and are to be opened anew in the next pass."""

    def load(self, settings: AppConfig) -> Connector:
        """Return a connector that opens an app once and then gives out the same."""
        real = self._loaded.get(settings.name) or self._load(settings)
        self._loaded[settings.name] = real

        def opened(opening: Opening) -> App:
            if settings.name not in self._open:
                try:
                    self._open[settings.name] = real.open(opening)
                except ConfigError as error:  # its file or table has changed since the start: the other apps go on
                    raise TransientError(str(error)) from error
                self._again.discard(settings.name)
            return self._open[settings.name]

        return replace(real, open=opened)

    @property
    def names(self) -> frozenset[str]:
        """Apps that take part in every pass."""
        return frozenset(self._open) | self._again

    def get(self, name: str) -> App | None:
        """Give an app that is open."""
        return self._open.get(name)

    def look_again(self, name: str) -> None:
        """Open one app anew in the next pass: what it offers may be another thing by then."""
        self.drop(name)
        self._again.add(name)

    def drop(self, name: str) -> None:
        """Close one app."""
        self._again.discard(name)
        app = self._open.pop(name, None)
        if app is not None:
            app.close()

    def close(self) -> None:
        for name in sorted(self.names):
            self.drop(name)

"""From the configuration to webhooks that are heard: wires rooms, and follows a configuration that changes meanwhile.

Hard rule: a changed configuration that cannot be heard by leaves the old one in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from syncd import logs, registry
from syncd.config import Config, Process
from syncd.connector import Connector
from syncd.errors import ConfigError
from syncd.store.store import Store
from syncd.web.hooks import Hooks, application
from syncd.web.notebook import Notebook
from syncd.web.server import bind, serving


@contextmanager
def listening(
    config: Callable[[], Config], process: Process, store: Store, wake: Callable[[str], None]
) -> Iterator[None]:
    """Hear webhooks while the block runs. Raises ConfigError."""
    logs.set_up(process.log_level)
    following = _Following(config, process, Notebook(store), wake)
    with bind(process.bind_address) as listener:
        host, port, *_ = listener.getsockname()
        with serving(application(following.hooks), listener):
            logs.logger().info("listening", host=host, port=port, public=process.public_url or None)
            yield


class _Following:
    """The hooks of the configuration that is in force."""

    def __init__(
        self, config: Callable[[], Config], process: Process, notebook: Notebook, wake: Callable[[str], None]
    ) -> None:
        self._config, self._process, self._notebook, self._wake = config, process, notebook, wake
        self._of = config()
        self._hooks = self._made(self._of)

    def hooks(self) -> Hooks:
        """Give what is in force now."""
        now = self._config()
        if now is not self._of:
            self._of = now
            try:
                self._hooks = self._made(now)
            except ConfigError as error:
                logs.logger().warning("webhooks are heard as before", message=str(error))
        return self._hooks

    def _made(self, config: Config) -> Hooks:
        def load(at: str) -> Connector:
            return registry.load(at, config.connector_folders)

        return Hooks(config, load, self._notebook, self._wake, self._process.public_url)

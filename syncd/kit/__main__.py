"""Run the stand-in of a connector, for trying out a configuration: `python -m syncd.kit hubspot --port 8081`.

It prints what the configuration has to say and answers until Ctrl-C, on 127.0.0.1 alone; its clock is the time of day, and what it
holds is forgotten at the end. Hard rule: it is the sandbox that the kit asks, with the account of its world.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from syncd import registry
from syncd.errors import ConfigError
from syncd.http.sandbox import Asked, serving
from syncd.kit.asking import worlds_of
from syncd.kit.suite import persons
from syncd.kit.worlds import ApiWorld


def main() -> None:
    """Serve until interrupted; exit 2 where the connector has no stand-in."""
    words = argparse.ArgumentParser(prog="python -m syncd.kit", description="Run the stand-in of a connector.")
    words.add_argument("name", help="a connector whose app speaks HTTP, or the path of its folder")
    words.add_argument("--port", type=int, default=0, help="a port of 127.0.0.1; a free one if you say nothing")
    words.add_argument("--people", type=int, default=3, help="so many are there from the start")
    said = words.parse_args()
    try:
        with contextlib.closing(_world(said.name)) as world, _played(world, said.port) as url:
            world.add_all(persons(said.people))
            sys.stdout.write(f"{_told(said.name, world, url)}\n")
            sys.stdout.flush()
            threading.Event().wait()
    except (ConfigError, OSError) as error:
        words.error(str(error))
    except KeyboardInterrupt:
        sys.stdout.write("\n")


def _world(name: str) -> ApiWorld[Any]:
    """Make the account; ConfigError where there is none that speaks HTTP."""
    folder = registry.find(name)
    with worlds_of(folder) as worlds:
        world = next(iter(worlds.values()))(registry.load(str(folder)))
        if isinstance(world, ApiWorld):
            return world
        world.close()
    raise ConfigError(
        f"{name} has no stand-in that speaks HTTP: its app is a file, a database or a server that you have"
    )


@contextlib.contextmanager
def _played(world: ApiWorld[Any], port: int) -> Iterator[str]:
    """Serve the account's sandbox on this port, by the time of day."""
    clock = world.sandbox.clock

    def now(_: Asked | None) -> None:
        clock.now_us = max(clock.now_us, time.time_ns() // 1000)

    now(None)
    if hasattr(world.sandbox, "step_seconds"):
        world.sandbox.step_seconds = (
            0.0  # else its clock ran ahead with each request, and nobody heard yet of what is changed there
        )
    with serving(world.sandbox, port) as server:
        server.before = now
        if hasattr(world.sandbox, "url"):
            world.sandbox.url = server.url
        yield server.url


def _told(name: str, world: ApiWorld[Any], url: str) -> str:
    """Say what a configuration and its environment need; the secrets are the stand-in's own."""
    named = {each: f"TRY_{each.upper()}" for each in world.secrets}
    lines = [f"export {named[each]}={value}" for each, value in world.secrets.items()]
    lines += ["", "apps:", "  try:", f"    connector: {name}", "    network: private    # it is on this machine"]
    lines += ["    settings:", *(f"      {each}: {value!r}" for each, value in world.settings_at(url).items())]
    lines += ["    secrets:", *(f"      {each}: env:{env}" for each, env in named.items())]
    return "\n".join([*lines, "", f"{url} answers until Ctrl-C, and forgets everything then."])


if __name__ == "__main__":
    main()

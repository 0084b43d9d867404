"""`python -m syncd.kit.install [NAME...]`: install the real servers that connectors are proven against, and say which cannot be had.

`connectors/NAME/server.py` has the function (`install`). Hard rule: nothing outside of `syncd.kit.peers:folder` is touched.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from syncd import registry
from syncd.kit.peers import MODULE, NotInstalledError


def installers() -> dict[str, Callable[[], Path]]:
    """Give what installs each server, by the name of its connector."""
    with_server = {name: at for name, at in registry.catalogue().items() if (at / f"{MODULE}.py").is_file()}
    return {name: registry.module(at, MODULE).install for name, at in with_server.items()}


def main() -> int:
    """Install servers, and say where they are; 1 where one of them cannot be had here."""
    words = argparse.ArgumentParser(prog="python -m syncd.kit.peers", description="Install real servers for the kit.")
    words.add_argument("name", nargs="*", help="connectors whose servers to install; all of them if you name none")
    known = installers()
    chosen = words.parse_args().name or list(known)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        words.error(f"no server belongs to {unknown[0]}; there are: {', '.join(known)}")
    failed = 0
    for name in chosen:
        try:
            sys.stdout.write(f"{name}: {known[name]()}\n")
        except NotInstalledError as error:
            failed += 1
            sys.stderr.write(f"{name}: {error}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

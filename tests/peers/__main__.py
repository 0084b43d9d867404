"""`make peers`: install every system that tests run against, and say which cannot be had here."""

from __future__ import annotations

import sys

from tests.peers import NAMES, NotInstalledError, install

failed = 0
for name in NAMES:
    try:
        print(f"{name}: {install(name).parent}")
    except NotInstalledError as error:
        failed += 1
        print(f"{name}: {error}", file=sys.stderr)
sys.exit(1 if failed == len(NAMES) else 0)

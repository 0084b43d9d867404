"""The door: `syncd`. Answers `--version` before anything heavy is imported, hands the rest to `cli`.

Hard rule: whatever goes wrong ends in one sentence for the operator and an exit code; a stack is shown with `--debug` only.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

from syncd import __version__

YOUNG_MAX: Final = 500_000
"""Objects made before they are looked through for cycles. Python's 700 is for programs that import little: looking through
what is imported again and again took a tenth of the time of a sync that finds nothing to do, and we hardly make cycles."""
YOUNG_MAX_DAEMON: Final = 50_000
"""Less where the process lives for months."""


def main() -> int:
    """Run one command; return its exit code."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        print(f"syncd {__version__}")
        return 0
    gc.set_threshold(YOUNG_MAX_DAEMON if words[:1] == ["run"] else YOUNG_MAX, 20, 20)
    try:
        from syncd.cli.app import run

        return run(words)
    except KeyboardInterrupt:
        print("syncd: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    except Exception as error:
        if "--debug" in words:
            raise
        print(f"syncd: {_fault(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        gc.freeze()  # else Python looks through everything once more as it ends, a fifth of such a sync


def _fault(error: Exception) -> str:
    """Name the kind and the place of an error that is ours, never its text: that may hold a contact's value."""
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"internal error: {type(error).__name__} at {place.filename}:{place.lineno}. This is a fault of syncd, nothing "
        "of yours. Please report it with this line, `syncd --version`, and the output of the same command with --debug"
    )


if __name__ == "__main__":
    sys.exit(main())

"""`python -m syncd.demo.leash`: the daemon on a leash. It is told to stop when our standard input closes.

So it never outlives the demo, however the demo ends. Imports nothing of syncd: the daemon is a command like any other.
"""

from __future__ import annotations

import subprocess
import sys
import threading


def main() -> int:
    """Run `syncd run` until it ends or nobody holds us any more; return its exit code."""
    process = subprocess.Popen([sys.executable, "-m", "syncd", "run"], stdin=subprocess.DEVNULL)

    def watch() -> None:
        sys.stdin.buffer.read()
        process.terminate()

    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())

"""A CardDAV server for the length of the demo: Radicale in a process of its own, on a free port of this machine.

`python -m syncd.demo.servers CONFIG` is that process. Hard rule: it ends when its standard input closes, so that it never
outlives the demo, however the demo ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
USER, PASSWORD = "shop", "not-a-secret"
CONFIG: Final = """\
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {folder}/collections
[web]
type = none
[logging]
level = error
"""


def available() -> bool:
    """Say whether the server is installed (it comes with `make setup`, not with the wheel)."""
    return importlib.util.find_spec("radicale") is not None


@contextlib.contextmanager
def carddav_server(folder: Path) -> Iterator[str]:
    """Run the server while the block runs; yield the address of one empty address book."""
    folder.mkdir()
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n", "utf-8")
    port = free_port()
    config = folder / "config"
    config.write_text(CONFIG.format(port=port, folder=folder), "utf-8")
    command = [sys.executable, "-m", "syncd.demo.servers", str(config)]
    with (folder / "log").open("wb") as log:
        # A session of its own: Ctrl-C reaches the demo, which stops the server after whatever is under way.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)  # noqa: S603 - ourselves
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}/{USER}/customers/"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Name a port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ConnectionError("the CardDAV server did not start")


def serve(config: str) -> None:
    """Be the server until standard input closes."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)  # every card was written before its request was answered

    threading.Thread(target=watch, daemon=True).start()
    from radicale import config as options
    from radicale import server

    settings = options.load([(config, False)])
    # Waiting for the disk takes most of a PUT, and these cards need not survive a power cut.
    settings.update({"storage": {"_filesystem_fsync": "False"}}, "demo", privileged=True)
    stop, stopped = socket.socketpair()
    with stop, stopped:
        server.serve(settings, stopped)


if __name__ == "__main__":
    serve(sys.argv[1])

"""Start a real server while the kit or a test session needs it, and leave nothing behind, however that ends.

The server runs under a guard, a process of its own that stops it as soon as its standard input closes. The kernel
closes that pipe when our process dies, so `kill -9` of it leaves nothing running either.
Hard rule: a server is stopped by its pid, never by a name.
"""

from __future__ import annotations

import collections
import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

READY_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.1
ATTEMPTS_MAX = 3


class ServerDiedError(Exception):
    """The server ended, or said nothing in time, before it was ready; the text is what it printed last."""


@contextlib.contextmanager
def running(
    command_for: Callable[[int], Sequence[str]], *, ready: str | None, stop: signal.Signals, account: str | None = None
) -> Iterator[tuple[int, int]]:
    """Run a server on a free port of 127.0.0.1 while the block runs; yield its port and pid.

    `ready` is the text in its standard error that says it listens; None for one that says nothing. A port may be taken between our
    choice and the server's, so a server that ends early is started again on another port.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        port = free_port()
        guard = _Guard(command_for(port), stop, account)
        try:
            pid = guard.wait_until_it_says(ready) if ready is not None else guard.wait_until_it_takes(port)
        except ServerDiedError:
            guard.close()
            if attempt == ATTEMPTS_MAX:
                raise
            continue
        try:
            yield port, pid
        finally:
            guard.close()
        return


def free_port() -> int:
    """Name a port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def is_alive(pid: int) -> bool:
    """Tell whether a process of this id exists, of whatever account."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Guard:
    """Our side: the guard's process, and a thread that reads what the server prints so that it never blocks."""

    def __init__(self, command: Sequence[str], stop: signal.Signals, account: str | None) -> None:
        arguments = [sys.executable, "-P", __file__, str(int(stop)), account or "", *command]
        # A session of its own: Ctrl-C must reach pytest, which stops the servers after the tests that use them.
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stderr is not None
        self._pid = int(self._process.stderr.readline())  # the guard prints it first
        self._said: collections.deque[str] = collections.deque(maxlen=40)
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._changed:
                self._said.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_until_it_says(self, text: str) -> int:
        """Return the server's pid once it is ready."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(text in line for line in self._said), READY_SECONDS)
            if not any(text in line for line in self._said):
                raise ServerDiedError("".join(self._said) or "it said nothing")
            return self._pid

    def wait_until_it_takes(self, port: int) -> int:
        """Return the server's pid once somebody listens there."""
        for _ in range(int(READY_SECONDS / POLL_SECONDS)):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return self._pid
            with self._changed:
                if self._changed.wait_for(lambda: self._ended, POLL_SECONDS):
                    break
        raise ServerDiedError("".join(self._said) or "it said nothing")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        self._process.wait(2 * STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        self._process.stderr.close()


def guard(stop: int, account: str | None, command: Sequence[str]) -> None:
    """Run the command until it ends or our standard input does; end with its exit status."""
    user, group, others = identity(account)
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=user, group=group, extra_groups=others
    )
    sys.stderr.write(f"{server.pid}\n")
    sys.stderr.flush()

    def follow() -> None:
        os._exit(server.wait() & 0xFF)  # the main thread sits in read(); only this ends it

    threading.Thread(target=follow, daemon=True).start()
    sys.stdin.buffer.read()
    server.send_signal(stop)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


class Identity(NamedTuple):
    """Who a process runs as, as Popen wants it; None means as we do."""

    user: int | None = None
    group: int | None = None
    others: list[int] | None = None


def identity(account: str | None) -> Identity:
    """Look up an account; it gets its own group and no others."""
    if account is None:
        return Identity()
    entry = pwd.getpwnam(account)
    return Identity(entry.pw_uid, entry.pw_gid, [])


if __name__ == "__main__":
    guard(int(sys.argv[1]), sys.argv[2] or None, sys.argv[3:])

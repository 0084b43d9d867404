"""A door in front of a server that others use as well: shut, it is as if the server were gone."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator


class Door(socketserver.ThreadingTCPServer):
    """Hands everything on to a port of 127.0.0.1 until it is shut."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = port
        self.port = self.server_address[1]
        self.inside: set[socket.socket] = set()
        self.is_open = True
        self.passing: Callable[[bytes], None] = lambda data: None
        """Called with what is about to be handed on to the server."""

    def shut(self) -> None:
        """Refuse whoever comes, and send away who is inside."""
        self.is_open = False
        self.shutdown()
        self.server_close()
        for each in list(self.inside):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Handler(socketserver.BaseRequestHandler):
    server: Door

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.behind)) as there:
            both = (self.request, there)
            self.server.inside.update(both)
            back = threading.Thread(target=_copy, args=(there, self.request), daemon=True)
            back.start()
            _copy(self.request, there, self.server.passing)
            back.join()
            self.server.inside.difference_update(both)


def _copy(source: socket.socket, target: socket.socket, passing: Callable[[bytes], None] = lambda data: None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            passing(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def door(port: int) -> Iterator[Door]:
    """Keep a door open for the block."""
    made = Door(port)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        if made.is_open and not sys.is_finalizing():  # then its thread is frozen, and would be waited for without end
            made.shut()
            thread.join()

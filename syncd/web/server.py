"""The server: a socket, and uvicorn in a thread of the daemon.

Must not know what is served. Hard rule: it listens where the operator says, and only while the block runs; an address that
cannot be had is a mistake in the settings, told before anything starts.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from syncd.errors import ConfigError

CONNECTIONS_MAX: Final = 512
STOP_SECONDS: Final = 5
SWITCH_SECONDS: Final = 0.0005
"""How long one thread may keep the other from going on: a pass and the server take turns after every statement."""


def bind(address: str) -> socket.socket:
    """Take an address, `host:port`. Raises ConfigError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        [family, *_], *_ = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        return socket.create_server((host, int(port)), family=family, backlog=128)
    except (OSError, OverflowError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "no such address"
        raise ConfigError(f"SYNCD_BIND_ADDRESS: {address} cannot be listened on: {why}; name another one") from error


@contextmanager
def serving(application: Any, listener: socket.socket) -> Iterator[None]:
    """Serve while the block runs; what is being answered at its end is answered."""
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(2 * STOP_SECONDS)
        listener.close()

"""One app over HTTP: a thin client for a single origin, its credentials, and the reactions to what may go wrong.

The only importer of httpx. It uses httpx's transport directly: the client above it costs a third more a request and brings
what must not happen here (redirects, cookies, proxies from the environment). Must not know what is asked for.
Hard rule: nothing is sent to another origin, and a write that may have arrived is never sent again by itself.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import httpcore
import httpx

from syncd import __version__
from syncd.errors import AccessError, ConfigError, OutcomeUnknown, TransientError
from syncd.http.bodies import LostError, unpacked_body
from syncd.http.places import Lookup, Network, Origin, parse_url, resolve
from syncd.http.replies import Overloaded, Reply, TooLarge, refused, retry_after_seconds

__all__ = ["Client", "Header", "Reply", "TooLarge", "parse_url"]

Header: TypeAlias = tuple[bytes, bytes]
Result = TypeVar("Result")

TIMEOUT_SECONDS: Final = 60.0
CONNECT_SECONDS: Final = 10.0
KEEPALIVE_SECONDS: Final = 4.0
"""Shorter than what common servers keep (Apache 5 s): a connection is closed by us, not by them as a request leaves."""
BODY_MAX: Final = 64 << 20
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""A server that sends headers and body apart (Roundup) waits 40 ms for our acknowledgement between them. Linux forgets this."""
TRIES: Final = 3
WAIT_MAX_SECONDS: Final = 30.0
"""Longer waits are not sat out here: the reaction carries the time and the app has its next pass."""

_Connect: TypeAlias = Callable[[tuple[str, int], float], socket.socket]


class Client:
    """Speak to one origin. Used by one thread at a time."""

    def __init__(
        self,
        app: str,
        url: str,
        *,
        network: Network = "public",
        username: str = "",
        password: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        lookup: Lookup = socket.getaddrinfo,
        connect: _Connect = socket.create_connection,
    ) -> None:
        try:
            self.origin, self.path = parse_url(url, network)
        except ConfigError as error:
            raise ConfigError(f"{app}: {error}") from None
        self._app, self._timeout, self._sleep, self._now = app, timeout_seconds, sleep, now
        self._url = httpx.URL(f"{self.origin}/")
        self._headers: list[Header] = [
            (b"Host", self.origin.netloc.encode()),
            (b"User-Agent", f"syncd/{__version__}".encode()),
            *_authorization(app, username, password),
        ]
        self._backend = _Backend(app, self.origin, network, lookup, connect)
        context = _trust() if self.origin.scheme == "https" else None
        self._transport = _Transport(
            httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=KEEPALIVE_SECONDS,
                network_backend=self._backend,
            )
        )

    def read(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Sequence[Header] = (),
        accept: Iterable[int] = (200,),
        kind: str = "",
        body_max: int = BODY_MAX,
    ) -> Reply:
        """Ask for something that may be asked twice; give a reply whose status is in `accept`, or raise the reaction.

        `kind`: what the media type of a good (2xx) reply must contain, so that a proxy's login page is not taken for one.
        """

        def judge(reply: Reply) -> None:
            if reply.status not in accept:
                raise refused(self.place(target), reply, self._now())
            if kind and reply.status < 300 and kind not in reply.media_type:
                raise TransientError(
                    f"{self.place(target)}: an answer of another kind (not {kind}); a login page or a proxy in between?"
                )

        return self.exchange(
            method, target, judge, body=body, headers=headers, repeatable=True, harmless=True, body_max=body_max
        )

    def write(self, method: str, target: str, *, body: bytes, headers: Sequence[Header] = ()) -> Reply:
        """Ask for a change; give the reply whatever its status.

        TransientError, AccessError, ConfigError: it never left. OutcomeUnknown: it may have been done. Only what was not
        executed is tried again: a connection that was refused, "too many requests", "come back in n seconds".
        """
        last: list[Reply] = []

        def judge(reply: Reply) -> None:
            wait = retry_after_seconds(reply, self._now()) if reply.status in {429, 503} else None
            if reply.status == 429 or wait is not None:
                last.append(reply)
                raise Overloaded(f"{self.place(target)}: too many requests", retry_after_seconds=wait)

        def before() -> tuple[Header, ...]:
            last.clear()
            return ()

        try:
            return self.exchange(method, target, judge, body=body, headers=headers, repeatable=False, before=before)
        except Overloaded:
            if not last:
                raise
            return last[0]

    def exchange(
        self,
        method: str,
        target: str,
        judge: Callable[[Reply], None],
        *,
        body: bytes = b"",
        headers: Sequence[Header] = (),
        repeatable: bool,
        harmless: bool = False,
        before: Callable[[], Sequence[Header]] = tuple,
        body_max: int = BODY_MAX,
    ) -> Reply:
        """Ask, and give the reply that `judge` lets pass: it raises the reaction to any other, Overloaded to try again.

        `judge` raises Overloaded only where nothing was executed, or where doing it twice is harmless (`repeatable`: also
        a lost answer is asked for again). `before` is called before each attempt and gives more headers. OutcomeUnknown: it
        may have been done: an answer was lost, and no later attempt settled it. `harmless`: a read, nothing can be in doubt.
        """
        in_doubt = False

        def once() -> Reply:
            nonlocal in_doubt
            wanted = [*headers, *before(), (b"Accept-Encoding", b"gzip")]
            try:
                reply = self._send(method, target, wanted, body, body_max)
            except LostError as lost:
                in_doubt = not harmless
                if not repeatable:
                    raise OutcomeUnknown(f"{self.place(target)}: {lost}") from lost
                reaction = Overloaded if lost.again else TransientError
                raise reaction(f"{self.place(target)}: {lost}") from lost
            except TooLarge as error:
                in_doubt = not harmless
                if not repeatable:
                    raise OutcomeUnknown(f"{self.place(target)}: {error}") from error
                raise TooLarge(f"{self.place(target)}: {error}") from None
            judge(reply)
            return reply

        try:
            try:
                return once()
            except Overloaded as error:
                return self._again(error, once)
        except (TransientError, AccessError) as error:
            if in_doubt:
                raise OutcomeUnknown(str(error)) from error
            raise

    def place(self, target: str) -> str:
        """Name app and address for a message, without a query."""
        return f"{self._app}: {self.origin}{target.partition('?')[0]}"

    def close(self) -> None:
        self._transport.close()

    def _send(self, method: str, target: str, headers: Iterable[Header], body: bytes, body_max: int) -> Reply:
        """Send one request and read the whole reply, within the total time."""
        assert target[:1] == "/", "a target is a path on our origin"
        self._backend.deadline = time.monotonic() + self._timeout
        size = (b"Content-Length", b"%d" % len(body))
        request = httpx.Request(
            method,
            self._url,
            headers=[*self._headers, *headers, size],
            stream=httpx.ByteStream(body),
            extensions={"target": target.encode()},
        )
        try:
            response = self._transport.handle_request(request)
            try:
                raw = response.headers.raw
                assert isinstance(response.stream, httpx.SyncByteStream)
                return Reply(response.status_code, raw, unpacked_body(response.stream, raw, body_max))
            finally:
                response.close()
        except httpx.ConnectError as error:
            raise Overloaded(f"{self.place(target)}: no connection ({error})") from error
        except (httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TransientError(f"{self.place(target)}: no connection in time") from error
        except httpx.TimeoutException as error:
            raise LostError(f"no complete answer within {self._timeout:g} seconds") from error
        except httpx.TransportError as error:
            raise LostError("the connection broke before the answer was complete", again=True) from error

    def _again(self, first: TransientError, once: Callable[[], Result]) -> Result:
        """Try again, within bounds, what failed once: the first failure counts."""
        from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        pending: list[TransientError] = [first]
        backoff = wait_random_exponential(multiplier=0.5, max=8.0)

        def attempt() -> Result:
            if pending:
                raise pending.pop()
            return once()

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            told = error.retry_after_seconds if isinstance(error, TransientError) else None
            return backoff(state) if told is None else told

        def worth(error: BaseException) -> bool:
            return isinstance(error, Overloaded) and (error.retry_after_seconds or 0.0) <= WAIT_MAX_SECONDS

        retrying = Retrying(
            stop=stop_after_attempt(TRIES), wait=wait, retry=retry_if_exception(worth), sleep=self._sleep, reraise=True
        )
        return retrying(attempt)


def _authorization(app: str, username: str, password: str) -> list[Header]:
    if not username and not password:
        return []
    if ":" in username:
        raise ConfigError(f"{app}: a user name for this kind of login holds no colon")
    return [(b"Authorization", b"Basic " + base64.b64encode(f"{username}:{password}".encode()))]


def _trust() -> ssl.SSLContext:
    """The system's certificate authorities (SSL_CERT_FILE adds others), else those of certifi. There is no way around."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return ssl.create_default_context()
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


class _Transport(httpx.HTTPTransport):
    """httpx's transport on a pool of ours: its own constructor reads certificates also where none are needed."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool


class _Backend(httpcore.NetworkBackend):
    """Connect to the very address that was checked; every operation ends at the deadline of the request."""

    def __init__(self, app: str, origin: Origin, network: Network, lookup: Lookup, connect: _Connect) -> None:
        self._app, self._origin, self._network = app, origin, network
        self._lookup, self._connect = lookup, connect
        self.deadline = 0.0

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        assert host == self._origin.host, "one client, one origin"
        try:
            addresses = resolve(self._origin, self._network, self._lookup)
        except ConfigError as error:
            raise ConfigError(f"{self._app}: {error}") from None
        except TransientError as error:
            raise TransientError(f"{self._app}: {error}") from None
        failure: OSError | None = None
        for address in addresses:
            left = min(self.deadline - time.monotonic(), CONNECT_SECONDS)
            if left <= 0:
                break
            try:
                sock = self._connect((address, port), left)
            except OSError as error:
                failure = error
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(sock, self)
        if failure is None or isinstance(failure, TimeoutError):
            raise httpcore.ConnectTimeout("timed out")
        raise httpcore.ConnectError(failure.strerror or type(failure).__name__)

    def explain(self, error: ssl.SSLError) -> Exception:
        """Turn a failed TLS handshake into what the operator can do about it; the request has not left."""
        place = f"{self._app}: {self._origin}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return AccessError(
                f"{place}: its certificate is not trusted: {error.verify_message}. Repair it there, or add the authority "
                "that signed it to the system's (or to the file that SSL_CERT_FILE names)"
            )
        return TransientError(f"{place}: no TLS connection ({error.reason or 'it broke'}); is this a TLS port?")


class _Stream(httpcore.NetworkStream):
    """A socket whose reads and writes end at the deadline of the request."""

    def __init__(self, sock: socket.socket, backend: _Backend) -> None:
        self._sock, self._backend = sock, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._sock.settimeout(self._left(httpcore.ReadTimeout))
            if _QUICKACK is not None:
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            return self._sock.recv(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except OSError as error:
            raise httpcore.ReadError(type(error).__name__) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        try:
            while rest:
                self._sock.settimeout(self._left(httpcore.WriteTimeout))
                rest = rest[self._sock.send(rest) :]
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError as error:
            raise httpcore.WriteError(type(error).__name__) from None

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._sock.settimeout(min(self._left(httpcore.ConnectTimeout), CONNECT_SECONDS))
            return _Stream(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname), self._backend)
        except ssl.SSLError as error:
            self._sock.close()
            raise self._backend.explain(error) from error
        except TimeoutError:
            self._sock.close()
            raise httpcore.ConnectTimeout("timed out") from None
        except OSError as error:
            self._sock.close()
            raise httpcore.ConnectError(error.strerror or "the connection broke") from None

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            fileno = self._sock.fileno()
            if fileno < 0:
                return True
            poll = select.poll()
            poll.register(fileno, select.POLLIN)
            return bool(poll.poll(0))
        return None

    def _left(self, kind: type[Exception]) -> float:
        left = self._backend.deadline - time.monotonic()
        if left <= 0:
            raise kind
        return left

"""The body of a reply, unpacked within bounds: what it must not be is longer than allowed, before or after unpacking."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from syncd.http.replies import TooLarge


class LostError(Exception):
    """The request left, its answer did not come whole. `again`: the same once more may go better."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


def unpacked_body(stream: Iterable[bytes], headers: Iterable[tuple[bytes, bytes]], limit: int) -> bytes:
    """Read and unpack a body, both bounded."""
    coding = next((value.strip().lower() for name, value in headers if name.lower() == b"content-encoding"), b"")
    parts: list[bytes] = []
    size = 0
    for part in _unpacked(stream, coding, limit):
        size += len(part)
        if size > limit:
            raise TooLarge(f"an answer of more than {limit >> 20} MiB")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpacked(stream: Iterable[bytes], coding: bytes, limit: int) -> Iterable[bytes]:
    if coding in {b"", b"identity"}:
        yield from stream
        return
    if coding not in {b"gzip", b"x-gzip", b"deflate"}:
        raise LostError("the answer is packed in a way that was not asked for")
    unpacker, empty = zlib.decompressobj(47), True
    try:
        for part in stream:
            empty = False
            yield unpacker.decompress(part, limit + 1)
            if unpacker.unconsumed_tail:
                raise TooLarge(f"an answer of more than {limit >> 20} MiB, unpacked")
    except zlib.error:
        raise LostError("the answer cannot be unpacked") from None
    if not (unpacker.eof or empty):
        raise LostError("the packed answer ends too early")

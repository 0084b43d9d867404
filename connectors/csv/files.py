"""The file itself: opened, named by its content, replaced in one step.

Knows the file system; knows nothing of CSV. Hard rule: the path holds either the old file or the new one, complete,
whatever happens and whenever; a file that is not there is never made.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from syncd.errors import AccessError, ConfigError, TransientError

_BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.FileIO]:
    """Open for reading; raise the reaction that fits."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path}: is not a file; `path` must name the CSV file itself")
        file = io.FileIO(path)
    except FileNotFoundError:
        raise TransientError(
            f"{path}: there is no such file (it is never created); put it there or correct `path`"
        ) from None
    except NotADirectoryError:
        raise ConfigError(f"{path}: a folder in this path is a file; correct `path`") from None
    except PermissionError:
        raise AccessError(f"{path}: no permission to read; allow the account that runs syncd") from None
    except OSError as error:
        raise TransientError(f"{path}: cannot be opened: {error.strerror}") from None
    with file:
        try:
            yield file
        except OSError as error:
            raise TransientError(f"{path}: cannot be read: {error.strerror}") from None


def digest_of(file: io.FileIO) -> str:
    """Name the content of an open file, as `Sheet.digest` does."""
    file.seek(0)
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class Replacement:
    """A new version beside the old file, to be swapped in or dropped. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))  # a link stays a link
        self._beside = self._path.with_name(f".{self._path.name}.syncd-new")
        with contextlib.suppress(FileNotFoundError):
            self._beside.unlink()  # a crash left it; its name is fixed so that never more than one lies about

    def fill(self, old: io.FileIO, parts: Iterable[tuple[int, int] | bytes]) -> None:
        """Write the parts, spans of the old file or bytes, and give the file the old one's owner and mode."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._beside, flags, 0o600), "wb", _BLOCK_BYTES) as new:
            for part in parts:
                if isinstance(part, bytes):
                    new.write(part)
                    continue
                start, end = part
                old.seek(start)
                while start < end and (block := old.read(min(_BLOCK_BYTES, end - start))):
                    start += new.write(block)
            new.flush()
            _dress(new.fileno(), old.fileno())
            os.fsync(new.fileno())

    def still(self, digest: str) -> bool:
        """Tell whether the path holds what it held."""
        with io.FileIO(self._path) as now:
            return digest_of(now) == digest

    def swap(self) -> None:
        """Put the new file in the place of the old one. Where this raises, nobody knows."""
        self._beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._beside.unlink()


def _dress(new: int, old: int) -> None:
    """Copy owner, mode and extended attributes; an owner that cannot be kept is a reason not to write."""
    was, is_ = os.fstat(old), os.fstat(new)
    if (was.st_uid, was.st_gid) != (is_.st_uid, is_.st_gid):
        os.fchown(new, was.st_uid, was.st_gid)
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):  # a file system without them has none to lose
            for name in os.listxattr(old):
                with contextlib.suppress(OSError):  # those of the system are not ours to copy
                    os.setxattr(new, name, os.getxattr(old, name))
    os.fchmod(new, stat.S_IMODE(was.st_mode))

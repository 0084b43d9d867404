"""From the address in `store:` to a store that may be used: folder, key, version.

Hard rules: a store is never sealed with two keys; it is upgraded only after a copy was made; whatever is wrong is said
with place, cause and remedy, and nothing was changed.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from syncd.errors import ConfigError, SyncdError, TransientError
from syncd.store import faults, schema
from syncd.store.codec import KEY_FILE, Sealer
from syncd.store.copy import backup, remove_leftovers
from syncd.store.lease import Lease
from syncd.store.migrations import MIGRATIONS, Migrations
from syncd.store.store import KEY, Store
from syncd.store.tx import Tx

KEY_BYTES: Final = 32
UPGRADE_SECONDS: Final = 60.0
DRIVERS: Final = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def open_store(url: str, data_dir: Path, *, key: bytes | None = None, migrations: Migrations = MIGRATIONS) -> Store:
    """Open the store at an absolute address; make it where there is none, upgrade it where that is safe.

    `key`: 32 bytes that seal it, in place of the file `syncd.key` in the data folder.
    Raises ConfigError or TransientError.
    """
    with _reached(url, data_dir, key) as (store, version):
        if version < migrations.head:
            _demand_way(store, version, migrations)
            if store.sqlite:
                _upgrade(store, migrations, UPGRADE_SECONDS)
        _check(store, migrations.head, named=key is not None)
        return store


def upgrade_store(
    url: str,
    data_dir: Path,
    *,
    key: bytes | None = None,
    wait_seconds: float = UPGRADE_SECONDS,
    migrations: Migrations = MIGRATIONS,
) -> tuple[str, str]:
    """Bring a store to the version that this syncd needs; say what it was and what it is."""
    with _reached(url, data_dir, key) as (store, version):
        if version < migrations.head:
            _demand_way(store, version, migrations)
            _upgrade(store, migrations, wait_seconds)
        _check(store, migrations.head, named=key is not None)
        store.close()
        return version, migrations.head


# -- reaching it


@contextmanager
def _reached(url: str, data_dir: Path, key: bytes | None) -> Iterator[tuple[Store, str]]:
    """Give the store, made if there was none, and its version; closed again if the block fails."""
    address = _address(url)
    _make_folder(data_dir)
    if address.get_backend_name() == "sqlite":
        _make_file(Path(address.database or ""))
    remove_leftovers(data_dir)
    store = Store(address, Sealer(key), data_dir) if key is not None else _sealed(address, data_dir)
    try:
        version = store.version()
        if version is None:
            store.create()
        yield store, schema.HEAD if version is None else version
    except BaseException:
        store.close()
        raise


def _address(url: str) -> sa.URL:
    try:
        address = sa.engine.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigError(
            "store: this is no address of a database (sqlite:///FILE or postgresql+psycopg://...)"
        ) from None
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername not in DRIVERS:
        raise ConfigError(f"store: {address.drivername} is no database for a store; use {' or '.join(DRIVERS)}")
    if address.get_backend_name() == "sqlite" and address.database in (None, "", ":memory:"):
        raise ConfigError("store: a store in memory forgets everything; name a file (sqlite:///FILE)")
    return address


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if (why := in_the_way(folder)) is not None:
            raise ConfigError(why) from error
        raise _of_file(folder, error) from error


def _make_file(file: Path) -> None:
    """Make an empty file that only this user may read, unless there is one; SQLite's other files take after it."""
    _make_folder(file.parent)
    with suppress(FileExistsError):
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise
        except OSError as error:
            raise _of_file(file, error) from error


def in_the_way(folder: Path) -> str | None:
    """Say which file lies where this folder, or one above it, is to be; None if none does."""
    file = next((each for each in (folder, *folder.parents) if os.path.isfile(each)), None)  # noqa: PTH113 - never raises
    if file is None:
        return None
    return f"{file}: this is a file, so no folder for the store can be there; name another place in `store:`"


def _of_file(file: Path, error: OSError) -> SyncdError:
    if error.errno in _FULL:
        return TransientError(f"{file}: {faults.DISK_FULL}")
    return ConfigError(f"{file}: {error.strerror}; {faults.NOT_WRITABLE}")


# -- the key


def _sealed(address: sa.URL, data_dir: Path) -> Store:
    """Make the store's object with the key in its file; one is made only where nothing was sealed yet."""
    file = data_dir / KEY_FILE
    key = _read_key(file)
    if key is None:
        store = Store(address, Sealer(bytes(KEY_BYTES)), data_dir)
        try:
            sealed = store.version() is not None
        finally:
            store.close()
        if sealed:
            key = _read_key(
                file
            )  # another process may have made both since we looked: the key lies there before the store
        if sealed and key is None:
            remedy = "put it back from your backup, or name it by `key:`; without it journal, inbox and logins cannot be read"
            raise ConfigError(f"{file}: the key of the store {store.place} is missing; {remedy}")
        key = key or _make_key(file)
    return Store(address, Sealer(key), data_dir)


def _read_key(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            key = opened.read(KEY_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{file}: the key cannot be read: {error.strerror}; make it readable for this user"
        ) from error
    if mode & 0o077:
        raise ConfigError(f"{file}: others may read the key (mode {mode & 0o777:04o}); run `chmod 600` on it")
    if len(key) != KEY_BYTES:
        remedy = "put the right file back from your backup"
        raise ConfigError(
            f"{file}: a key has {KEY_BYTES} bytes, this file has {'more' if key[KEY_BYTES:] else len(key)}; {remedy}"
        )
    return key


def _make_key(file: Path) -> bytes:
    """Draw a key; it lies on the disk, whole, before anything is sealed with it. Another process may be faster."""
    key = os.urandom(KEY_BYTES)
    try:
        handle, name = tempfile.mkstemp(prefix=f"{KEY_FILE}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(key)
                opened.flush()
                os.fsync(opened.fileno())
            with suppress(FileExistsError):
                os.link(name, file)
        finally:
            Path(name).unlink()
        _sync_folder(file.parent)
    except OSError as error:
        raise _of_file(file, error) from error
    found = _read_key(file)
    assert found is not None, "it was made just now"
    return found


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check(store: Store, head: str, *, named: bool) -> None:
    """Refuse another version and another key. `named`: the configuration says which."""

    def step(tx: Tx) -> str | None:
        store.demand_version(tx.connection, head)
        return tx.meta(KEY)

    sealed_by = store.read(step)
    if sealed_by == store.sealer.check:
        return
    file = store.data_dir / KEY_FILE
    if not named:
        raise ConfigError(f"{file}: the store {store.place} was sealed with another key; put the right one back")
    remedy = "give the one that it was made with"
    with suppress(ConfigError):  # a file that cannot be read is no help
        if (kept := _read_key(file)) is not None and Sealer(kept).check == sealed_by:
            remedy += f", which is in {file} (`base64 < {file}`)"
    raise ConfigError(f"key: the store {store.place} was sealed with another key; {remedy}")


# -- upgrading


def _demand_way(store: Store, version: str, migrations: Migrations) -> None:
    """Refuse a store of a version that no syncd has made, or has told us of."""
    if not migrations.knows(version):
        text = f"the store says that it is of version {version[:20]!r}, from which there is no way to {migrations.head}"
        remedy = "put a backup that syncd made in its place, or name another store in `store:`; nothing was changed"
        raise ConfigError(f"{store.place}: {text}; {remedy}")


def _upgrade(store: Store, migrations: Migrations, wait_seconds: float) -> None:
    """Migrate, alone; an SQLite store after a copy. A migration that fails leaves everything as it was."""
    with Lease(store, wait_seconds=wait_seconds, command="db upgrade", version=None):
        if (store.version() or "") >= migrations.head:  # somebody else has just done it
            return
        if store.path is not None:
            _keep_copy(store, store.path.with_name(f"{store.path.name}.before-{migrations.head}"))
        with store.translated(), store.changing() as connection:
            migrations.run(connection)


def _keep_copy(store: Store, file: Path) -> None:
    """Copy the store; the file has its name only when it is complete."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    _make_file(part)
    backup(store, part)
    with part.open("rb") as opened:
        os.fsync(opened.fileno())
    part.replace(file)
    _sync_folder(file.parent)

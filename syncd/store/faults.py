"""What a database complains about -> one of the reactions, with place, cause and remedy.

Hard rule: no value of a row and no password comes out of here, not even by the chain of causes. What is in no table is
a fault of ours and is raised as it is, without the values that the database quotes.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from syncd.errors import ConfigError, SyncdError, TransientError

RETRIED: Final = frozenset({"40001", "40P01"})
"""PostgreSQL: two transactions met; the same transaction may succeed at the next attempt."""

NOT_WRITABLE: Final = "the store cannot be written; make its folder and file writable for this user"
DAMAGED: Final = "the store is damaged; stop syncd, keep the file, and put the newest backup in its place"
NO_STORE: Final = "this file is not a syncd store; name another one in `store:`"
DISK_FULL: Final = "the disk is full; nothing was lost, free some space and run it again"
LOCKED: Final = (
    "another program keeps the store locked (a backup, a database browser, a shell in a transaction): `fuser` on this file "
    "names it; end it, or run this again later, nothing was lost"
)
LOCKED_ROWS: Final = "another session keeps the store locked: pg_stat_activity names it (state, xact_start); end it, or run this again later"
UNREADABLE: Final = "the disk reports an error; look at the system's log and at the file system"
REFUSED: Final = "the server refuses this user; put it right in `store:`, or grant the user its own database"

_SQLITE: Final[dict[int, tuple[type[SyncdError], str]]] = {
    3: (ConfigError, NOT_WRITABLE),  # SQLITE_PERM
    5: (TransientError, LOCKED),  # SQLITE_BUSY
    6: (TransientError, LOCKED),  # SQLITE_LOCKED
    8: (ConfigError, NOT_WRITABLE),  # SQLITE_READONLY
    10: (TransientError, UNREADABLE),  # SQLITE_IOERR
    11: (ConfigError, DAMAGED),  # SQLITE_CORRUPT
    13: (TransientError, DISK_FULL),  # SQLITE_FULL
    14: (ConfigError, NOT_WRITABLE),  # SQLITE_CANTOPEN
    15: (TransientError, LOCKED),  # SQLITE_PROTOCOL
    26: (ConfigError, NO_STORE),  # SQLITE_NOTADB
    4874: (TransientError, DISK_FULL),  # SQLITE_IOERR_SHMSIZE: no room for the index beside the log
}
_POSTGRESQL: Final[dict[str, tuple[type[SyncdError], str]]] = {  # the longest beginning of a code that is here counts
    "08": (TransientError, "the server is out of reach; it is tried again"),
    "25006": (ConfigError, "the server is read-only; name the primary in `store:`"),
    "25P03": (TransientError, "the server ended a transaction that waited too long; run it again"),
    "28": (ConfigError, REFUSED),
    "3D": (ConfigError, "there is no such database; create it, or name another one in `store:`"),
    "3F": (ConfigError, "there is no such schema; create it, or name another one in `store:`"),
    "40": (TransientError, "other programs change the store at the same time; run it again"),
    "42501": (ConfigError, REFUSED),
    "53": (TransientError, "the server is out of memory or connections; free some and run it again"),
    "53100": (TransientError, DISK_FULL),
    "55P03": (TransientError, LOCKED_ROWS),
    "57": (TransientError, "the server stopped or cancelled the work; run it again"),
    "58": (TransientError, UNREADABLE),
    "XX001": (ConfigError, DAMAGED),
    "XX002": (ConfigError, DAMAGED),
}
_AT_THE_DOOR: Final[dict[str, tuple[type[SyncdError], str]]] = {  # a refused connection comes without a code, in words
    "does not exist": (ConfigError, "create it, or put it right in `store:`"),
    "authentication failed": (ConfigError, REFUSED),
    "no password supplied": (ConfigError, REFUSED),
    "no pg_hba.conf entry": (ConfigError, REFUSED),
    "permission denied": (ConfigError, REFUSED),
}
_NO_SERVER: Final = frozenset({"OperationalError", "ConnectionTimeout"})


def place(url: sa.URL) -> str:
    """Name a store for a person: a file, or a server and database; never who logs in, nor how."""
    if url.get_backend_name() == "sqlite":
        return url.database or "memory"
    return f"postgresql://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def reaction(error: BaseException, url: sa.URL) -> SyncdError | None:
    """Translate; None when it is in no table: our fault, to be raised as it is."""
    original = getattr(error, "orig", None) or error
    lost = bool(getattr(error, "connection_invalidated", False))
    code = getattr(original, "sqlite_errorcode", None)
    found = _SQLITE.get(code, _SQLITE.get(code & 0xFF)) if code is not None else _of_postgresql(original, lost=lost)
    if found is None:
        return None
    kind, text = found
    return kind(f"{place(url)}: {text}", detail=f"{type(original).__name__} {code or _state(original)}")


def is_retried(error: BaseException) -> bool:
    """Tell whether the same transaction may succeed when it is run again."""
    return _state(getattr(error, "orig", None) or error) in RETRIED


def forget_values(error: BaseException) -> None:
    """Take out of a PostgreSQL error what it quotes of the rows: its detail, its context, its input."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.message_primary is None:
        return
    quotes = (diagnosis.sqlstate or "").startswith("22")  # "invalid input syntax for type integer: ..."
    error.args = (f"{diagnosis.sqlstate}" if quotes else diagnosis.message_primary,)


def hide_values(engine: sa.Engine) -> None:
    """Let no error of this engine carry a value of a row."""

    def listener(context: sa.engine.ExceptionContext) -> None:
        original, ours = context.original_exception, context.sqlalchemy_exception
        forget_values(original)
        if ours is not None:
            ours.args = (f"({type(original).__module__}.{type(original).__name__}) {original}",)

    sa.event.listen(engine, "handle_error", listener)


def _state(error: Any) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def _of_postgresql(error: Any, *, lost: bool) -> tuple[type[SyncdError], str] | None:
    state = _state(error)
    if state is None:
        if not lost and not (hasattr(error, "pgconn") and type(error).__name__ in _NO_SERVER):
            return None
        cause = str(error).strip().split("\n", maxsplit=1)[0]
        for words, (kind, remedy) in _AT_THE_DOOR.items():
            if words in cause:
                return kind, f"{cause}; {remedy}"
        return TransientError, f"the server does not answer: {cause}; see that it runs and that `store:` names it"
    return next((_POSTGRESQL[state[:n]] for n in (5, 3, 2) if state[:n] in _POSTGRESQL), None)

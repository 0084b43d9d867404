"""Real `syncd` processes without the price of an interpreter: one process imports everything once and forks for each.

A child runs `syncd.__main__:main` with its own words, environment, folder and output, and dies as any process does; only
the imports were done before. Hard rule: the parent never runs syncd, so that no child inherits anything of another.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent.parent
MODULES = """
encodings.idna encodings.utf_8_sig phonenumbers psycopg pydantic_settings ruamel.yaml sqlalchemy.dialects.postgresql.psycopg
sqlalchemy.dialects.sqlite.pysqlite httpcore._backends.sync syncd.cli.commands syncd.config.expressions syncd.config.text
syncd.engine.crashpoints syncd.engine.runs syncd.http.client syncd.store.copy syncd.store.migrations syncd.store.opening
syncd_connectors.carddav.address_book syncd_connectors.csv.sheet syncd_connectors.sql.table tests.crash.disk
""".split()
TOUCHES = {"fcntl.flock", "os.link", "os.mkdir", "os.remove", "os.rename", "os.truncate", "os.chmod", "sqlite3.connect"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: its exit code (negative: the signal that killed it), and what it said."""

    code: int
    out: str
    err: str


class Zygote:
    """The test's side: asks for one process after the other."""

    def __enter__(self) -> Self:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def run(
        self,
        folder: Path,
        *words: str,
        env: Mapping[str, str],
        disk: Path | None = None,
        lazy: bool = False,
        files: int = 0,
    ) -> Ended:
        """Run one command in a folder. `disk`, `lazy`: a file that notes what reaches the disk (see disk.py); `files`: it
        dies right before it touches a file for the n-th time.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "folder": str(folder),
            "words": words,
            "env": {**env},
            "disk": str(disk or ""),
            "lazy": lazy,
            "files": files,
        }
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        out, err = (folder / "out").read_text("utf-8"), (folder / "err").read_text("utf-8")
        return Ended(code=code, out=out, err=err)


def serve() -> None:
    """Be the zygote until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    _imported()
    for line in sys.stdin.buffer:
        child = os.fork()
        if not child:
            _be(json.loads(line))
        _, status = os.waitpid(child, 0)
        answers.write(b"%d\n" % os.waitstatus_to_exitcode(status))


def _imported() -> None:
    """Import what a run imports; nothing of it opens a file, a socket or a thread."""
    from syncd import registry

    for name in ("carddav", "csv", "sql"):
        registry.load(name)
    for module in MODULES:
        importlib.import_module(module)


def _be(order: dict[str, Any]) -> None:
    """Become that process; never return."""
    code = 99
    try:
        code = _main(**order)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main(*, folder: str, words: Sequence[str], env: Mapping[str, str], disk: str, lazy: bool, files: int) -> int:
    from syncd.__main__ import main

    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    Path("pid").write_text(str(os.getpid()))
    os.environ.update(env)
    if disk:
        from tests.crash.disk import watch

        watch(Path(disk), lazy=lazy)
    if files:
        _count_files(files)
    sys.argv = ["syncd", *words]
    return main()


def _count_files(left: int) -> None:
    """Die before the n-th time that a file is made, opened for writing, locked, renamed, linked or removed."""

    def touched(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        writing = name == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writing or name in TOUCHES:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


if __name__ == "__main__":
    serve()

"""Commands as processes of their own, forked from one that has imported already what every command imports.

A command then costs what it does itself; the imports are two thirds of most. What a fork cannot show (what is imported, how a
process is started) is tested with `hubs.COMMAND`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).parent.parent
COMMAND: Final = (sys.executable, "-m", "syncd")
IMPORTED: Final = [
    "syncd.cli.app", "syncd.cli.commands", "syncd.cli.explaining", "syncd.cli.opening", "syncd.cli.plans", "syncd.cli.writing",
    "syncd.config.load", "syncd.engine.runs", "syncd.http.app", "syncd.ops.check", "syncd.ops.explain", "syncd.ops.inbox",
    "syncd.ops.status", "syncd.registry", "syncd.store.opening", "httpx", "pydantic", "ruamel.yaml", "sqlalchemy.dialects.sqlite",
    "tests.commands",
]  # fmt: skip


class Ended(NamedTuple):
    """What a command said, and how it ended."""

    code: int
    out: bytes
    err: bytes


def ended(words: Sequence[str], *, stdin: bytes, folder: Path, env: Mapping[str, str], seconds: float) -> Ended:
    """Run `syncd WORDS` in a folder, with nothing in its environment but `env`, to its end.

    Where `env` leads to other modules it is a process from the start.
    """
    if env.get("PYTHONPATH") != str(ROOT):
        done = subprocess.run(
            [*COMMAND, *words], input=stdin, capture_output=True, cwd=folder, env=env, timeout=seconds, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)
    # tests.mutants.judge: a fork of this process, which has the mutant
    context = get_context("fork") if os.environ.get("COMMANDS_START") == "fork" else get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with tempfile.TemporaryDirectory() as at:
        streams = [Path(at) / name for name in ("in", "out", "err")]
        streams[0].write_bytes(stdin)
        process = context.Process(
            target=_obey, args=(list(words), str(folder), dict(env), [str(each) for each in streams])
        )
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([*words], seconds, streams[1].read_bytes(), streams[2].read_bytes())
        code, out, err = process.exitcode, *(each.read_bytes() for each in streams[1:])
    process.close()
    return Ended(code, out, err)


def _obey(words: list[str], folder: str, env: dict[str, str], streams: list[str]) -> None:
    """Be the command, from the door on."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, (path, mode) in enumerate(zip(streams, modes, strict=True)):
        at = os.open(path, mode, 0o600)
        os.dup2(at, number)
        os.close(at)
    sys.stdin, sys.stdout, sys.stderr = (open(n, m, encoding="utf-8", closefd=False) for n, m in enumerate("rww"))  # noqa: SIM115
    sys.argv = ["syncd", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from syncd.__main__ import main

    sys.exit(main())

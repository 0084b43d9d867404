"""The adapter for benchmarks: make the configuration that a case needs, then become `syncd sync`.

    once.py carddav A B DIR      two address books by their urls; A wins what both changed
    once.py sql N DIR            two SQLite tables, DIR/a.db with N people and DIR/b.db with none
    once.py prepare N DIR        make these two tables and their configuration, and sync nothing

What is in DIR stays: the next call goes on from there. Hard rule: an existing table is left as it is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from people import fill

SYNCD = (sys.executable, "-m", "syncd")
BOOK = '  {name}: {{connector: carddav, network: private, settings: {{url: "{url}"}}, secrets: {{username: "env:DAV_USER", password: "env:DAV_PASSWORD"}}}}'
TABLE = '  {name}: {{connector: sql, settings: {{url: "sqlite:///{file}", table: people, key: id, updated_at: updated_at}}}}'


def configure(folder: Path, apps: list[str]) -> Path:
    """Write the smallest configuration for these apps, unless there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "syncd.yaml"
    if not file.exists():
        file.write_text("\n".join(["version: 1", "store: sqlite:///var/syncd.db", "apps:", *apps, ""]))
    return file


def carddav(a: str, b: str, folder: Path) -> Path:
    """Configure two address books; any login passes on the servers of a benchmark."""
    return configure(folder, [BOOK.format(name=name, url=url) for name, url in (("a", a), ("b", b))])


def sql(n: int, folder: Path) -> Path:
    """Make and configure two tables, the first with n people."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.db" for name in ("a", "b")}
    for name, file in files.items():
        if not file.exists():
            fill(file, n if name == "a" else 0)
    return configure(folder, [TABLE.format(name=name, file=file.resolve()) for name, file in files.items()])


def main(kind: str, *args: str) -> None:
    """Configure, and go on as syncd in the same process, so that what is measured has nothing of ours in it."""
    file = carddav(args[0], args[1], Path(args[2])) if kind == "carddav" else sql(int(args[0]), Path(args[1]))
    if kind == "prepare":
        return
    os.environ |= {"DAV_USER": "u", "DAV_PASSWORD": "p"}
    os.execv(SYNCD[0], [*SYNCD, "sync", "-c", str(file), "--approve", "--json"])


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

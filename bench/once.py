"""The adapter for benchmarks: make the configuration that a case needs, then become `syncd sync`.

    once.py carddav A B DIR      two address books by their urls; A wins what both changed
    once.py sql N DIR            two SQLite tables, DIR/a.db with N people and DIR/b.db with none
    once.py prepare N DIR        make these two tables and their configuration, and sync nothing
    once.py json A B DIR [--page N]  two accounts of the tutorial's API by their urls, so many records a page
    once.py json-oneway A - DIR [--page N]  one of them, into the store

What is in DIR stays: the next call goes on from there. Hard rules: an existing table is left as it is; next to nothing is
imported, for it would count as ours.
"""

# ruff: noqa: PTH100, PTH103, PTH110, PTH118, PTH120, PTH123 - pathlib is some 10 ms
from __future__ import annotations

import os
import sys

SYNCD = os.path.join(os.path.dirname(sys.executable), "syncd")
BOOK = '  {name}: {{connector: carddav, network: private, settings: {{url: "{url}"}}, secrets: {{username: "env:DAV_USER", password: "env:DAV_PASSWORD"}}}}'
TABLE = '  {name}: {{connector: sql, settings: {{url: "sqlite:///{file}", table: people, key: id, updated_at: updated_at}}}}'
API = '  {name}: {{connector: {connector}, network: private, settings: {{url: "{url}"}}, secrets: {{token: "env:API_TOKEN"}}}}'
PAGE = "1000"


def configure(folder: str, apps: list[str]) -> str:
    """Write the smallest configuration for these apps, unless there is one."""
    os.makedirs(folder, exist_ok=True)
    file = f"{folder}/syncd.yaml"
    if not os.path.exists(file):
        with open(file, "w", encoding="utf-8") as out:
            out.write("\n".join(["version: 1", "store: sqlite:///var/syncd.db", "apps:", *apps, ""]))
    return file


def carddav(a: str, b: str, folder: str) -> str:
    """Configure two address books; any login passes on the servers of a benchmark."""
    return configure(folder, [BOOK.format(name=name, url=url) for name, url in (("a", a), ("b", b))])


def sql(n: int, folder: str) -> str:
    """Make and configure two tables, the first with n people."""
    os.makedirs(folder, exist_ok=True)
    files = {name: os.path.abspath(f"{folder}/{name}.db") for name in ("a", "b")}
    for name, file in files.items():
        if not os.path.exists(file):
            from people import fill

            fill(file, n if name == "a" else 0)
    return configure(folder, [TABLE.format(name=name, file=file) for name, file in files.items()])


def json(a: str, b: str, folder: str, page: str = PAGE) -> str:
    """Configure two accounts of the tutorial's API; other page sizes need a manifest of their own."""
    connector = "fakeapi" if page == PAGE else f"{os.path.abspath(folder)}/people"
    if page != PAGE and not os.path.exists(connector):
        os.makedirs(connector)
        with open(f"{os.path.dirname(__file__)}/../connectors/fakeapi/manifest.yaml", encoding="utf-8") as file:
            text = file.read().replace(f"size: {PAGE}", f"size: {page}")
        with open(f"{connector}/manifest.yaml", "w", encoding="utf-8") as out:
            out.write(text)
    urls = {name: url for name, url in (("a", a), ("b", b)) if url != "-"}
    return configure(folder, [API.format(name=name, url=url, connector=connector) for name, url in urls.items()])


def main(kind: str, *args: str) -> None:
    """Configure, and go on as syncd in the same process, so that what is measured is syncd."""
    if kind in {"json", "json-oneway"}:
        file = json(*[arg for arg in args if arg != "--page"])
    else:
        file = carddav(args[0], args[1], args[2]) if kind == "carddav" else sql(int(args[0]), args[1])
    if kind != "prepare":
        os.environ |= {"DAV_USER": "u", "DAV_PASSWORD": "p", "API_TOKEN": "t"}
        os.execv(SYNCD, [SYNCD, "sync", "-c", file, "--approve", "--json"])


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

"""The floor: the least that a Python process can do for the same job, with nothing general and nothing safe about it.

    floor.py sql A B MAP      copy table `people` of file A into B's empty one, and remember every pair in MAP
    floor.py sql-noop A B MAP look in both for rows changed since
    floor.py dav A B MAP      the same between two address books (urls): all cards at once, a PUT a card
    floor.py dav-noop A B MAP two sync-collection reports

It has no matching, no journal, no conflicts, no recovery. It is a yardstick, not a product.
"""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import sys
from urllib.parse import urlsplit

from people import COLUMNS

PAGE = 1000
QUERY = b'<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data/></D:prop></C:addressbook-query>'
SYNC = '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>'


def remembered(file: str) -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None)
    db.executescript(
        """pragma journal_mode=wal; pragma synchronous=full;
        create table if not exists pair(a text primary key, b text unique, base blob) without rowid;
        create table if not exists cursor(side text primary key, at text)"""
    )
    return db


def sql(a: str, b: str, file: str) -> None:
    source, target, state = sqlite3.connect(a), sqlite3.connect(b, isolation_level=None), remembered(file)
    names = ",".join(COLUMNS)
    rows = source.execute(f"select {names}, updated_at from people order by id")
    insert = f"insert into people({names}) values({','.join('?' * len(COLUMNS))})"
    at = ""
    while page := rows.fetchmany(PAGE):
        at = max(at, *(row[-1] for row in page))
        target.execute("begin")
        target.executemany(insert, [row[:-1] for row in page])
        target.execute("commit")
        state.execute("begin")
        state.executemany(
            "insert into pair values(?,?,?)",
            [(row[0], row[0], json.dumps(row[1:-1], ensure_ascii=False).encode()) for row in page],
        )
        state.execute("commit")
    state.executemany("insert into cursor values(?,?)", [("a", at), ("b", at)])


def sql_noop(a: str, b: str, file: str) -> None:
    state = remembered(file)
    for side, database in (("a", a), ("b", b)):
        [at] = state.execute("select at from cursor where side=?", (side,)).fetchone()
        sqlite3.connect(database).execute("select count(*) from people where updated_at > ?", (at,)).fetchone()


class Http:
    """One blocking keep-alive connection; answers need a Content-Length."""

    def __init__(self, url: str) -> None:
        self.path, self._host = urlsplit(url).path, urlsplit(url).netloc
        self._socket = socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method: str, path: str, body: bytes) -> bytes:
        asked = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(asked.encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._socket.recv(262144)
        head, _, got = got.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        parts = [got]
        have = len(got)
        while have < size:
            parts.append(self._socket.recv(262144))
            have += len(parts[-1])
        if not b" 200 " <= head[8:13] < b" 300 ":
            raise SystemExit(head.decode())
        return b"".join(parts)

    def token(self, since: str) -> str:
        answer = self.call("REPORT", self.path, SYNC.format(since).encode())
        return answer.rpartition(b"<D:sync-token>")[2].partition(b"<")[0].decode()


def dav(a: str, b: str, file: str) -> None:
    source, target, state = Http(a), Http(b), remembered(file)
    text = source.call("REPORT", source.path, QUERY).decode()
    pairs = []
    for href, card in re.findall(r"<D:href>([^<]+)</D:href>.*?<C:address-data>([^<]*)<", text, re.DOTALL):
        raw = card.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").encode()
        there = target.path + href.rpartition("/")[2]
        target.call("PUT", there, raw)
        pairs.append((href, there, raw))
    state.execute("begin")
    state.executemany("insert into pair values(?,?,?)", pairs)
    state.executemany("insert into cursor values(?,?)", [("a", source.token("")), ("b", target.token(""))])
    state.execute("commit")


def dav_noop(a: str, b: str, file: str) -> None:
    at = dict(remembered(file).execute("select side, at from cursor"))
    assert [Http(a).token(at["a"]), Http(b).token(at["b"])] == [at["a"], at["b"]]


STEPS = {"sql": sql, "sql-noop": sql_noop, "dav": dav, "dav-noop": dav_noop}

if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    STEPS[sys.argv[1]](*sys.argv[2:])

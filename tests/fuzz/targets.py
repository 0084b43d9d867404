"""What is fuzzed, and what must hold whatever comes: no crash, nothing invented, nothing lost, no secret told.

A target takes bytes and returns, or raises AssertionError (or anything else that is not a documented reaction).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connectors.carddav.vcard import DEFAULT_PATHS, BadCard, change, fields, parse
from syncd.config import load_config
from syncd.errors import ConfigError, Problem, SyncdError
from syncd.http.replies import RETRY_AFTER_MAX, Reply, retry_after_seconds
from syncd.model import Applied, Rejected
from syncd.store import codec
from syncd.store.codec import Damaged
from tests.configs import specs
from tests.sheets import create, listed, opened

Target = Callable[[bytes], None]
NOW: Final = 1_800_000_000.0
NEW: Final = "new-by-fuzz"


def configuration(content: bytes) -> None:
    """Any bytes are a configuration or a list of problems, each one line that does not repeat a secret's place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(content)
        told: tuple[Problem, ...] | None = None
        try:
            load_config(path, specs, environ={})
        except ConfigError as error:
            told = error.problems
        assert told is None or told
        assert "\n" not in "".join(map(str, told or ()))


def csv_file(content: bytes) -> None:
    """Any bytes are a list of records or a reaction; a record that is added leaves all other bytes of rows there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        path.write_bytes(content)
        try:
            app = opened(path)
            before = listed(app)
            [result] = app.write([create(NEW, notes="=1+1")])
        except SyncdError:
            assert path.read_bytes() == content
            return
        try:
            if not isinstance(result, Applied):
                assert isinstance(result, Rejected)
                assert path.read_bytes() == content
                return
            after = listed(opened(path))
        finally:
            app.close()
        assert {id_: record.fields for id_, record in after.items() if id_ != NEW} == {
            id_: record.fields for id_, record in before.items() if id_ != NEW
        }
        if "notes" in after[NEW].fields:
            assert after[NEW].fields["notes"] == "=1+1"
            assert b"=1+1" not in path.read_bytes().replace(b"'=1+1", b"") or b"=1+1" in content


def vcard(content: bytes) -> None:
    """Any bytes are a card or a bad card; a card prints as it was, and a change is read back."""
    try:
        card = parse(content)
    except BadCard:
        return
    fields(card, DEFAULT_PATHS)
    assert change(card, {}, DEFAULT_PATHS).encode("utf-8", "surrogateescape") == content or not _is_utf8(content)
    again = parse(change(card, {"job_title": "x"}, DEFAULT_PATHS))
    assert fields(again, DEFAULT_PATHS)["job_title"] == "x"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not content.startswith(b"\xef\xbb\xbf")


def stored_row(content: bytes) -> None:
    """Any bytes in the store are what was written, or damage; never an empty base."""
    for read in (
        lambda: codec.read_link(1, "r", 1, None, 0, content, None),
        lambda: codec.read_link(1, "r", 1, None, 0, None, content),
        lambda: codec.read_contact(1, 0, b"", content),
        lambda: codec.read_sent(1, 1, 1, "r", 0, content),
    ):
        try:
            found = read()
        except Damaged:
            continue
        assert codec.has_checksum(content), found


def headers(content: bytes) -> None:
    """Whatever a server says about when to come again: between now and the longest that we wait."""
    after, _, date = content.partition(b"\n")
    reply = Reply(429, [(b"Retry-After", after), (b"Date", date)], b"")
    seconds = retry_after_seconds(reply, NOW)
    assert seconds is None or 0.0 <= seconds <= RETRY_AFTER_MAX


TARGETS: Final[dict[str, Target]] = {
    "configuration": configuration,
    "csv": csv_file,
    "vcard": vcard,
    "stored_row": stored_row,
    "headers": headers,
}
SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "configuration": (
        b"version: 1\napps:\n  a: {connector: csv, settings: {path: a.csv, key: id}}\n",
        b"a: *a",
        b'a: "\\x',
    ),
    "csv": (
        b"id,email,notes\r\n1,ada@example.org,one\r\n",
        b'\xef\xbb\xbfid,email\n1,"a\nb"\n2,\'=x\n',
        b"id\n1\n1\n",
        b"id,notes\r1,\0\r",
    ),
    "vcard": (
        b'BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ada\r\nTITLE;X="a,b":c\\, d\r\nEND:VCARD\r\n',
        b"BEGIN:VCARD\nVERSION:4.0\nitem1.TEL;VALUE=uri:tel:+1\n x\nEND:VCARD\n",
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=E9=\r\n=20\r\nEND:VCARD\r\n",
    ),
    "stored_row": (codec.dump({"b": {}}), codec.dump([{}, None, 0, 0]), b""),
    "headers": (b"120\nSun, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT\n", b"-1", b"1e9", b"\xff"),
}
"""What the search begins with; faults that were found are added here, so that they never come back."""

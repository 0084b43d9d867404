"""The text of a vCard (2.1, 3.0, 4.0) as lines, and back: folding, parameters, escapes, quoted-printable.

It must not know which field stands where, nor CardDAV, files or sockets. Its one hard rule: a line that nobody
replaces stays byte for byte, whatever it means.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

UNMARKED: Final = 101
"""The preference of a line without a mark: worse than any PREF."""
SHORT_HEAD: Final = 200
"""Heads up to this length are remembered; longer ones hold somebody's LABEL and would only fill the memory."""

_QUOTED_HEAD = re.compile(r'[^":]*+(?:"[^"]*+"[^":]*+)*+:')
_NAME = re.compile(r"(?:[\w.-]+\.)?([\w-]+)(?=;|$)")
_PARAMETER = re.compile(r';\s*([^=;"]*)(?:=((?:"[^"]*"|[^";])*))?')
_FOLD = re.compile(r"(?<!\r)\r*+\n[ \t]")
_FOLD_IN_CHARACTER = re.compile(rb"(?<=[\x80-\xff])\r?\n[ \t](?=[\x80-\xbf])")
_SOFT_BREAK = re.compile(r"=\r*+\n")
_CARETS = re.compile(r"\^[n^']")
_ESCAPED = re.compile(r"\\[nN,;:\\]")
_QP_TEXT = re.compile(r"\\[\\;,:]|\\|\r\n|\r|\n")
_CHARSETS = re.compile(
    r"utf-?8|(?:us-)?ascii|iso-?8859-\d+|latin-?1|(?:windows-|cp)\d+|koi8-[ru]|shift_?jis|euc-\w+|gb\w+|big5"
)  # and no codec that is not one of text, or takes quadratic time
_ENCODINGS = frozenset({"ENCODING", "CHARSET", "QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT"})
_MEANS = {r"\n": "\n", r"\N": "\n", r"\,": ",", r"\;": ";", r"\:": ":", r"\\": "\\"}
# Semicolons and commas also where a strict reader needs none: vobject, hence Radicale, cuts a text at a bare comma.
_ESCAPES = str.maketrans({"\\": r"\\", ",": r"\,", ";": r"\;", "\n": r"\n"})


class BadCard(ValueError):
    """This is no vCard that can be kept whole; the message names the line and the cause, never a value."""


class Line(NamedTuple):
    """One property; without a name a blank line, or one taken out."""

    raw: str
    """What stands there, folds included, without the last line end."""
    head: str
    """Group, name and parameters: all before the colon."""
    name: str
    """In upper case, without its group."""
    value: str
    """Unfolded and decoded, but for backslashes."""


class Traits(NamedTuple):
    """What a head says."""

    name: str
    types: frozenset[str]
    pref: int  # 1 is best
    charset: str | None  # of a quoted-printable value
    value_type: str
    omitted_year: str


@dataclass(slots=True)
class Card:
    """The lines of one vCard in their order, and where each name stands. `str(card)` is the text it came from."""

    version: str
    separator: str  # between two of `lines`
    newline: str  # of a fold or a new line; longer than the separator where line ends are mixed
    end: int  # where END:VCARD stands
    lines: list[Line]
    index: dict[str, list[int]]

    def __str__(self) -> str:
        return self.separator.join([line.raw for line in self.lines if line is not _GONE])

    def copy(self) -> Card:
        index = {name: positions.copy() for name, positions in self.index.items()}
        return Card(self.version, self.separator, self.newline, self.end, self.lines.copy(), index)

    def put(self, at: int, head: str, value: str) -> None:
        """Replace a line; the value has its backslashes."""
        old = self.lines[at]
        line = _built(self, head, old.name, value)
        # Line ends may differ from line to line: what belongs to this one is the "\r" that its text ends with.
        ending = "\r" if self.separator == "\n" and old.raw.endswith("\r") else ""
        self.lines[at] = line._replace(raw=line.raw + ending) if ending else line

    def add(self, head: str, name: str, value: str) -> None:
        """Insert a line before END:VCARD."""
        line = _built(self, head, name, value)
        if self.newline != self.separator:
            line = line._replace(raw=line.raw + "\r")
        self.lines.insert(self.end, line)
        self.index.setdefault(name, []).append(self.end)
        self.end += 1

    def remove(self, at: int) -> None:
        self.index[self.lines[at].name].remove(at)
        self.lines[at] = _GONE


_GONE = Line("", "", "", "")


def parse(text: str | bytes) -> Card:
    """Take one vCard apart, or raise BadCard. A missing VERSION reads as 3.0.

    Bytes are UTF-8. Where an old writer folded in the middle of a character, that fold is not kept.
    """
    text = _decoded(text) if isinstance(text, bytes) else text
    _check_characters(text)
    separator = "\r\n" if text.count("\r\n") == text.count("\n") else "\n"
    raws = _split_lines(text, separator)
    if "=" + separator in text or (separator == "\n" and "=\r\n" in text):
        raws = _rejoin_soft_breaks(raws, separator)
    lines: list[Line] = []
    index: dict[str, list[int]] = {}
    for at, raw in enumerate(raws):
        head, colon, value = raw.partition(":")
        name = _NAMES.get(head) if colon else None
        if name is None or "\n" in value or value[-1:] == "\r":
            line = _line(raw)
            if isinstance(line, str):
                raise _bad(raws, at, line)
            name = line.name
        else:
            line = _new_line(Line, (raw, head, name, value))
        lines.append(line)
        if name in index:
            index[name].append(at)
        else:
            index[name] = [at]
    version = _check_frame(raws, lines, index)
    newline = "\r" + separator if separator == "\n" and raws[index["BEGIN"][0]].endswith("\r") else separator
    return Card(version, separator, newline, index["END"][0], lines, index)


_NAMES: dict[str, str] = {}
"""Short heads that were read before -> names, of those whose values are no quoted-printable."""
_new_line = tuple.__new__  # a third of the time of Line(...)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        try:
            return _FOLD_IN_CHARACTER.sub(b"", data).decode()
        except UnicodeDecodeError:
            line = data.count(b"\n", 0, error.start) + 1
            raise BadCard(f"line {line}: not UTF-8") from None


def _check_characters(text: str) -> None:
    at = text.find("\0")
    if at < 0 and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            at = error.start
    if at >= 0:
        raise BadCard(f"line {text.count(chr(10), 0, at) + 1}: character U+{ord(text[at]):04X} is not allowed")


def _split_lines(text: str, separator: str) -> list[str]:
    if separator + " " not in text and separator + "\t" not in text:
        return text.split(separator)
    # A fold is no end of a line. NUL, which no card holds, keeps its place: a photo has thousands of them.
    kept = text.replace(separator + " ", "\0 ").replace(separator + "\t", "\0\t")
    return [raw.replace("\0", separator) if "\0" in raw else raw for raw in kept.split(separator)]


def _bad(raws: list[str], position: int, cause: str) -> BadCard:
    line = 1 + sum(raw.count("\n") + 1 for raw in raws[:position])
    return BadCard(f"line {line}: {cause}")


def _rejoin_soft_breaks(raws: list[str], separator: str) -> list[str]:
    """A quoted-printable line that ends with `=` goes on in the next one, whatever that looks like."""
    joined: list[str] = []
    pending: list[str] = []
    for raw in raws:
        pending.append(raw)
        if raw.rstrip("\r").endswith("="):
            cut = _cut(pending[0])
            if cut and "QUOTED-PRINTABLE" in cut[0].upper():
                continue
        joined.append(separator.join(pending))
        pending = []
    return [*joined, separator.join(pending)] if pending else joined


def _line(raw: str) -> Line | str:
    """The line, or what is wrong with it."""
    cut = _cut(raw)
    if cut is None:
        blank = not raw.strip("\r\n \t\ufeff")
        return Line(raw, "", "", "") if blank else "a property is expected, NAME:value, quotes in pairs"
    head, value = cut
    traits = traits_of(head)
    if traits is None:
        return "a property is expected, NAME:value"
    if value.endswith("\r"):
        value = value.rstrip("\r")
    if traits.charset is not None:
        decoded = _from_quoted_printable(value, traits.charset)
        wrong = "quoted-printable text that its charset cannot read"
        return wrong if decoded is None else Line(raw, head, traits.name, decoded)
    if "\n" in value and "\r\r" not in value:
        value = value.replace("\r\n ", "")  # most folds, and far faster than the expression
    if "\n" in value:
        value = _FOLD.sub("", value)
    if len(head) <= SHORT_HEAD and len(_NAMES) < 4096:
        _NAMES[head] = traits.name
    return Line(raw, head, traits.name, value)


def _cut(raw: str) -> tuple[str, str] | None:
    """Head and value, at the first colon outside quotes."""
    head, colon, value = raw.partition(":")
    if '"' not in head and "\n" not in head:
        return (head, value) if colon else None
    logical = _FOLD.sub("", raw)
    match = _QUOTED_HEAD.match(logical)
    return (match[0][:-1], logical[match.end() :]) if match else None


def _check_frame(raws: list[str], lines: list[Line], index: dict[str, list[int]]) -> str:
    """BEGIN first, END last, both once, and a known version: else BadCard."""
    first = next((at for at, line in enumerate(lines) if line.name), 0)
    if lines[first].name != "BEGIN" or lines[first].value.strip().upper() != "VCARD":
        raise _bad(raws, first, "not a vCard, BEGIN:VCARD is expected")
    if "END" not in index:
        raise _bad(raws, len(raws) - 1, "END:VCARD is missing")
    for name in ("BEGIN", "END"):
        if len(index[name]) > 1:
            raise _bad(raws, index[name][1], f"a second {name}: more than one card, or a card within a card")
    last = next(at for at in reversed(range(len(lines))) if lines[at].name)
    if lines[last].name != "END" or lines[last].value.strip().upper() != "VCARD":
        raise _bad(raws, last, "END:VCARD is expected here")
    version = lines[index["VERSION"][0]].value.strip() if "VERSION" in index else "3.0"
    if version not in {"2.1", "3.0", "4.0"}:
        raise _bad(raws, index["VERSION"][0], "VERSION is none of 2.1, 3.0 and 4.0")
    return version


# Heads --------------------------------------------------------------------------------------------------------------


def traits_of(head: str) -> Traits | None:
    """What the name and the parameters say; None where there is no name."""
    return _traits(head) if len(head) <= SHORT_HEAD else _traits.__wrapped__(head)


@lru_cache(maxsize=4096)  # the same few heads stand in every card
def _traits(head: str) -> Traits | None:
    match = _NAME.match(head.lstrip("\ufeff"))
    if match is None:
        return None
    types: set[str] = set()
    pref, charset, quoted, value_type, omitted_year = UNMARKED, "utf-8", False, "", ""
    for name, value in parameters(head):
        if name == "TYPE" or not value:
            types.update(part.strip().lower() for part in (value or name).split(","))
        elif name == "PREF" and value.isdecimal():
            pref = min(pref, max(int(value[:3]), 1))
        elif name == "CHARSET":
            charset = value.lower()
        elif name == "VALUE":
            value_type = value.lower()
        elif name == "X-APPLE-OMIT-YEAR":
            omitted_year = value
        quoted = quoted or (value or name).upper() == "QUOTED-PRINTABLE"
    pref = 1 if "pref" in types else pref
    return Traits(match[1].upper(), frozenset(types), pref, charset if quoted else None, value_type, omitted_year)


def parameters(head: str) -> Iterator[tuple[str, str]]:
    """Names in upper case, values without quotes and RFC 6868's carets; a bare one of 2.1 is a name alone."""
    for match in _PARAMETER.finditer(head):
        value = (match[2] or "").replace('"', "")
        if "^" in value:
            value = _CARETS.sub(lambda m: {"^n": "\n", "^^": "^", "^'": '"'}[m[0]], value)
        yield match[1].strip().upper(), value


def without(head: str, names: frozenset[str]) -> str:
    """The head without these parameters; the others stay as they are written."""
    if ";" not in head:
        return head
    return _without(head, names) if len(head) <= SHORT_HEAD else _without.__wrapped__(head, names)


@lru_cache(maxsize=4096)
def _without(head: str, names: frozenset[str]) -> str:
    start = head.index(";")
    return head[:start] + "".join([m[0] for m in _PARAMETER.finditer(head, start) if m[1].strip().upper() not in names])


def without_pref(head: str) -> str:
    """The head without the mark of the most preferred line, in any version's spelling."""
    kept = [head[: head.find(";")] if ";" in head else head]
    for match in _PARAMETER.finditer(head, len(kept[0])):
        name, value = match[1].strip().upper(), (match[2] or "").replace('"', "")
        if name == "TYPE" and "pref" in value.lower():
            types = ",".join([part for part in value.split(",") if part.strip().lower() != "pref"])
            quote = '"' if '"' in match[2] else ""
            kept.append(f";{match[1]}={quote}{types}{quote}" if types else "")
        elif name != "PREF" or value not in {"", "0", "1"}:
            kept.append(match[0])
    return "".join(kept)


# Values -------------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    if "," in text or ";" in text or "\\" in text or "\n" in text:
        return text.translate(_ESCAPES)
    return text


def unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda m: _MEANS[m[0]], text) if "\\" in text else text


def split(value: str, mark: str) -> list[str]:
    """Split at the marks that no backslash protects; the parts keep their backslashes, in pairs also at the very end."""
    pieces = value.split(mark)
    if "\\" not in value:
        return pieces
    parts: list[str] = []
    pending: list[str] = []
    for piece in pieces:
        pending.append(piece)
        if (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
            parts.append(mark.join(pending))
            pending = []
    return [*parts, mark.join(pending) + "\\"] if pending else parts


def _from_quoted_printable(value: str, charset: str) -> str | None:
    """The text with today's backslashes, as if it had never been quoted; None where it cannot be read."""
    if not _CHARSETS.fullmatch(charset):
        return None
    whole = _FOLD.sub("", _SOFT_BREAK.sub("", value))
    try:
        text = binascii.a2b_qp(whole.encode()).decode(charset)
    except (LookupError, ValueError):
        return None
    if "\0" in text:
        return None
    return _QP_TEXT.sub(_backslashed, text)


def _backslashed(match: re.Match[str]) -> str:
    if match[0] == "\\":
        return r"\\"
    return match[0] if match[0].startswith("\\") else r"\n"


def _built(card: Card, head: str, name: str, value: str) -> Line:
    head = without(head, _ENCODINGS)
    if card.version == "2.1" and (not value.isascii() or r"\n" in value or len(head) + len(value) > 75):
        return _quoted_printable(card, head, name, value)
    raw = f"{head}:{value}"
    if len(raw) > 75 or (not raw.isascii() and len(raw.encode()) > 75):
        raw = _folded(raw, card.newline)
    return _new_line(Line, (raw, head, name, value))


def _quoted_printable(card: Card, head: str, name: str, value: str) -> Line:
    """2.1 knows neither UTF-8 nor escaped line ends nor folding within a word."""
    head += ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
    text = _ESCAPED.sub(lambda m: "\r\n" if m[0] in {r"\n", r"\N"} else m[0], value)
    room = b"x" * min(len(head) + 1, 70)  # so that the first line is broken where the head leaves off
    octets = binascii.b2a_qp(room + text.encode(), istext=False)[len(room) :]
    body = octets.decode().replace("\r\n", "\n").replace("\n", card.newline)
    return Line(f"{head}:{body}", head, name, value)


def _folded(text: str, newline: str) -> str:
    """Fold at 75 octets, never within a character (RFC 6350, 3.2)."""
    octets = text.encode()
    pieces: list[bytes] = []
    start, room = 0, 75
    while len(octets) - start > room:
        stop = start + room
        while octets[stop] & 0xC0 == 0x80:
            stop -= 1
        pieces.append(octets[start:stop])
        start, room = stop, 74
    pieces.append(octets[start:])
    return (newline.encode() + b" ").join(pieces).decode()

"""The fields of a vCard: read them, change some, make a new card.

It must not know CardDAV, a clock, a file or a socket: values in, values out. Its one hard rule: only lines that carry
a changed field are written again; they keep their place, group and parameters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from .lines import BadCard, Card, escaped, parse, split, traits_of, unescaped, without, without_pref
from .places import (
    DATE,
    DATES,
    DEFAULT_PATHS,
    FIRST_PART_WILL_DO,
    PARTS,
    Target,
    candidates,
    categories,
    chosen_line,
    fields,
    is_blank,
    iso_date,
    key_of,
    plan,
    same,
    target,
    text_of,
)

__all__ = ["DEFAULT_PATHS", "BadCard", "BadValue", "Card", "change", "fields", "new", "parse", "target"]

_STALE = frozenset({"LABEL", "GEO", "SORT-AS", "X-APPLE-OMIT-YEAR"})
"""Parameters that describe the value, so they go when it changes; all others stay."""

_TYPED = {"TEL", "TZ", *DATES}
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_DATE_LIKE = re.compile(r"[\d:TZ+-]+(?:\.\d+Z?)?")
_DIALLED = re.compile(r"\+?[0-9().-]+")
_OFFSET = re.compile(r"[+-]?\d{2}:?\d{2}|Z")

_FULL_NAMES: tuple[tuple[tuple[int, ...], str], ...] = (
    *(((1, 0), " "), ((3, 1, 0), " "), ((3, 1, 2, 0, 4), " "), ((1, 2, 0), " "), ((1, 2, 0, 4), " ")),
    *(((1, 0, 4), " "), ((3, 1, 0, 4), " "), ((0, 1), " "), ((0, 1), ", ")),
)
"""The ways in which people and apps compose FN from the parts of N, the usual one first."""


_FULL_NAME, _UID = Target("FN"), Target("UID")
_NAME, _COMPANY = Target("N", parted=True), Target("ORG", parted=True)


class BadValue(ValueError):
    """No vCard can hold this value of this field; the message names the field and the cause, never the value."""


def change(card: Card, changes: Mapping[str, object], paths: Mapping[str, str]) -> str:
    """The card's text with exactly these fields set; None, "" and [] remove. Raises BadValue.

    What a field already holds is not touched. Lists are sets: their order is the card's. Removing takes the line that
    held the field: where another one of that kind stands, it is read from then on, for a vCard cannot say "none of
    these". An address or phone that another line holds already is not written twice: that line becomes the preferred
    one, labels stay with their values, and the former stays as one of the others; `[rest]` never repeats the preferred
    one. FN follows when it was composed of what changes (of N; without one, of company, e-mail or phone).
    """
    draft = card.copy()
    _set_fields(draft, changes, paths)
    _follow_name(card, draft)
    return str(draft)


def new(uid: str, values: Mapping[str, object], paths: Mapping[str, str], version: str = "3.0") -> str:
    """A complete card. FN is `full_name` if given, with or without a path, else composed of the other values."""
    draft = _blank(version).copy()
    draft.put(draft.index["UID"][0], "UID", escaped(_plain("uid", uid)))
    given = {name: value for name, value in values.items() if value is not None}
    full_name = given.get("full_name") if "full_name" in paths else given.pop("full_name", None)
    _set_fields(draft, given, paths)
    shown = draft.index["FN"][0]
    if not draft.lines[shown].value:
        text = _plain("full_name", full_name) or next(filter(None, _full_names(draft)[1]), "")
        draft.put(shown, "FN", escaped(text))
    return str(draft)


@lru_cache(maxsize=4)
def _blank(version: str) -> Card:
    return parse(f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:\r\nFN:\r\nN:;;;;\r\nEND:VCARD\r\n")


def _set_fields(draft: Card, changes: Mapping[str, object], paths: Mapping[str, str]) -> None:
    try:
        where = plan(tuple([(name, paths[name]) for name in changes]))
    except KeyError as error:
        raise BadValue(f"{error.args[0]}: no path says where it stands in a vCard") from None
    for wanted, names in where:
        if wanted.parted:
            _set_parts(draft, wanted, [(part, _plain(name, changes[name])) for name, part in names])
            continue
        name = names[-1][0]
        if wanted.which == "rest":
            _set_rest(draft, wanted, _texts(name, changes[name]))
        elif wanted.name == "CATEGORIES":
            _set_categories(draft, wanted, _texts(name, changes[name]))
        elif wanted.name == "UID":
            raise BadValue(f"{name}: UID names the card and is never changed")
        else:
            _set_text(draft, wanted, _plain(name, changes[name]))


def _plain(name: str, value: object) -> str:
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif isinstance(value, Collection):
        raise BadValue(f"{name}: several values where a vCard holds one")
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    wrong = _UNWRITABLE.search(text)
    if wrong:
        raise BadValue(f"{name}: character U+{ord(wrong[0]):04X} cannot stand in a vCard")
    return text


def _texts(name: str, value: object) -> list[str]:
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if not isinstance(value, (list, tuple)):
        value = [value]
    return [text for text in dict.fromkeys(_plain(name, one) for one in value) if text]


def _set_text(draft: Card, wanted: Target, text: str) -> None:
    at = chosen_line(draft, wanted)
    if at is None:
        if text:
            _insert(draft, wanted, text)
        return
    held = text_of(draft.lines[at])
    if held in (text, iso_date(text) if wanted.name in DATES else text):
        return
    if not text:
        draft.remove(at)
        return
    twin = _twin(draft, wanted, at, text)
    if twin is not None:
        _prefer(draft, wanted, twin)
    if twin is None or text_of(draft.lines[twin]) != text:
        _rewrite(draft, at if twin is None else twin, text)


def _twin(draft: Card, wanted: Target, at: int, text: str) -> int | None:
    """Another line of the same kind that already holds this address."""
    if wanted.name not in {"EMAIL", "TEL"}:
        return None
    key = same(wanted.name, text)
    return next(
        (other for other, _ in candidates(draft, wanted) if other != at and key_of(draft.lines[other]) == key), None
    )


def _prefer(draft: Card, wanted: Target, at: int) -> None:
    """Make this line the preferred one of its kind: only marks move."""
    for other, traits in [*candidates(draft, wanted)]:
        line = draft.lines[other]
        if other == at and traits.pref > 1:
            mark = {"2.1": ";PREF", "3.0": ";TYPE=pref", "4.0": ";PREF=1"}[draft.version]
            draft.put(at, without(line.head, frozenset({"PREF"})) + mark, line.value)
        elif other != at and traits.pref == 1:
            draft.put(other, without_pref(line.head), line.value)


def _set_parts(draft: Card, wanted: Target, values: list[tuple[int, str]]) -> None:
    at = chosen_line(draft, wanted)
    parts = [] if at is None else split(draft.lines[at].value, ";")
    width = max(part for part, _ in values) + 1 if wanted.name in FIRST_PART_WILL_DO else len(PARTS[wanted.name])
    parts += [""] * (width - len(parts))
    changed = False
    for part, text in values:
        if unescaped(parts[part]) != text:
            parts[part] = escaped(text)
            changed = True
    if not changed:
        return
    if at is None:
        draft.add(_head(draft, wanted), wanted.name, ";".join(parts))
    elif any(parts) or wanted.name == "N":  # 3.0 wants an N, if only an empty one
        draft.put(at, without(draft.lines[at].head, _STALE), ";".join(parts))
    else:
        draft.remove(at)


def _set_categories(draft: Card, wanted: Target, texts: list[str]) -> None:
    held = categories(draft, wanted)
    missing = [escaped(text) for text in texts if text not in held]
    keep = {"", *texts}
    for at in draft.index.get(wanted.name, []).copy():
        line = draft.lines[at]
        parts = split(line.value, ",")
        kept = [part for part in parts if unescaped(part) in keep]
        if missing:
            kept, missing = [part for part in kept if part] + missing, []
        if kept != parts and any(kept):
            draft.put(at, without(line.head, _STALE), ",".join(kept))
        elif kept != parts:
            draft.remove(at)
    if missing:
        draft.add(wanted.name, wanted.name, ",".join(missing))


def _set_rest(draft: Card, wanted: Target, texts: list[str]) -> None:
    chosen = chosen_line(draft, wanted)
    missing = {same(wanted.name, text): text for text in texts}
    keep = set(missing)
    if chosen is not None:
        keep.add(key_of(draft.lines[chosen]))
        missing.pop(key_of(draft.lines[chosen]), None)
    free: list[int] = []
    for at in draft.index.get(wanted.name, []):
        line = draft.lines[at]
        text = missing.pop(key_of(line), None)
        if key_of(line) not in keep and not is_blank(line, wanted):
            free.append(at)
        elif text is not None and text != text_of(line):  # the same but for letter case
            _rewrite(draft, at, text)
    for text in missing.values():
        if free:  # a line whose value is replaced keeps its label
            _rewrite(draft, free.pop(0), text)
        else:
            _insert(draft, wanted, text)
    for at in free:
        draft.remove(at)


def _rewrite(draft: Card, at: int, text: str) -> None:
    line = draft.lines[at]
    draft.put(at, *_phrased(draft.version, line.head, line.name, text))


def _insert(draft: Card, wanted: Target, text: str) -> None:
    head, value = _phrased(draft.version, _head(draft, wanted), wanted.name, text)
    draft.add(head, wanted.name, value)


def _head(draft: Card, wanted: Target) -> str:
    if wanted.which not in {"", "rest"}:
        return f"{wanted.name};TYPE={wanted.which.upper()}"
    return "EMAIL;TYPE=INTERNET" if wanted.name == "EMAIL" and draft.version != "4.0" else wanted.name


def _phrased(version: str, head: str, name: str, text: str) -> tuple[str, str]:
    """Head and value of a line for this text; VALUE stays only where it is still true."""
    head = without(head, _STALE)
    if name not in _TYPED:
        return head, escaped(text)
    traits = traits_of(head)
    kind = traits.value_type if traits else ""
    plain = without(head, frozenset({"VALUE"}))
    if name == "TEL":
        stays = kind == "uri" and _DIALLED.fullmatch(text)
        return (head, f"tel:{text}") if stays else (plain, escaped(text))
    if name == "TZ":
        return plain + (";VALUE=text" if version == "3.0" and not _OFFSET.fullmatch(text) else ""), escaped(text)
    date = DATE.fullmatch(text)
    if date is None:
        return plain + ("" if _DATE_LIKE.fullmatch(text) else ";VALUE=text"), escaped(text)
    year, month, day = date.groups()  # 4.0 has no hyphens between them
    return head if kind == "date" else plain, f"{year.replace('-', '--')}{month}{day}" if version == "4.0" else text


# The full name ------------------------------------------------------------------------------------------------------


def _follow_name(card: Card, draft: Card) -> None:
    """Compose FN anew where it was composed of what has changed; one that somebody wrote is left."""
    before, after = chosen_line(card, _FULL_NAME), chosen_line(draft, _FULL_NAME)
    if before is None or not (after is None or _untouched(card, draft, "FN")):
        return
    if after is not None and all(_untouched(card, draft, name) for name in ("N", "ORG", "EMAIL", "TEL")):
        return
    shown = "" if after is None else " ".join(text_of(card.lines[before]).split())
    (was_person, names_before), (is_person, names_now) = _full_names(card), _full_names(draft)
    was, now = list(names_before), list(names_now)
    if shown and shown not in was:
        return
    text = now[was.index(shown)] if shown and was_person == is_person else ""
    text = text or next(filter(None, now), "")
    if text and text != shown:
        _set_text(draft, _FULL_NAME, text)
    elif after is None:  # required, if only an empty one
        draft.add("FN", "FN", "")


def _full_names(card: Card) -> tuple[bool, Iterator[str]]:
    """What FN may be composed as, the usual first; and whether that is of a person's name."""
    parts = _parts(card, _NAME) + [""] * len(PARTS["N"])
    if any(parts):
        return True, (mark.join([parts[part] for part in order if parts[part]]) for order, mark in _FULL_NAMES)
    addresses = [chosen_line(card, Target(name)) for name in ("EMAIL", "TEL")]
    texts = ["" if at is None else text_of(card.lines[at]) for at in addresses]
    return False, iter([*_parts(card, _COMPANY)[:1], *texts])


def _parts(card: Card, wanted: Target) -> list[str]:
    at = chosen_line(card, wanted)
    return [] if at is None else [unescaped(part) for part in split(card.lines[at].value, ";")]


def _untouched(card: Card, draft: Card, name: str) -> bool:
    positions = card.index.get(name, [])
    return draft.index.get(name, []) == positions and all(draft.lines[at] is card.lines[at] for at in positions)

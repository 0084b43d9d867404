"""Reference pages out of the code: what they say is what the code does, and a test notices when it is not.

A page has marked blocks, `<!-- syncd docs: NAME -->` to `<!-- end -->`; what stands between them is replaced, the rest is
left alone. Hard rule: the same code prints the same text on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from syncd import errors
from syncd.errors import ConfigError
from syncd.kit.pages import Card, capabilities, page, table

BLOCK: Final = re.compile(
    r"(?P<open><!-- syncd docs: (?P<name>[a-z-]+) -->\n).*?(?P<close>^<!-- end -->)", re.DOTALL | re.MULTILINE
)
OPENED: Final = re.compile(r"<!-- syncd docs: ")

EXIT_CODES: Final = (
    (0, "done and in sync; a command that only reads could read"),
    (1, "a fault of syncd: please report it"),
    (
        2,
        "the configuration or the command line is wrong: nothing was started; or one app is not what it says: the others went on",
    ),
    (3, "partial: something is parked, failed or out of reach, or another process held the lease for longer than 60 s"),
    (4, "held by a guard, waiting for an approval or for the inbox"),
    (5, "an app refused credentials or permission"),
    (130, "interrupted by Ctrl-C; the next run goes on from there (`run` ends in order instead, with 0)"),
)


def update(root: Path, commands: str, cards: Sequence[Card], *, documents: str = "", write: bool) -> list[Path]:
    """Print every marked block, and the page of every connector, anew; return the pages that were out of date.

    `write=False` leaves them so. Connectors have pages where there is a folder docs/connectors; what it holds besides goes.
    """
    blocks = _blocks(commands, cards, documents)
    stale = []
    for path in pages(root):
        text = path.read_text("utf-8")
        stale += _printed(path, text, _filled(text, blocks, path), write=write)
    folder = root / "docs" / "connectors"
    if folder.is_dir():
        fresh = {folder / f"{card['name']}.md": _connector_page(card) for card in cards}
        for path in sorted({*fresh, *folder.glob("*.md")}):
            stale += _printed(path, path.read_text("utf-8") if path.is_file() else None, fresh.get(path), write=write)
    return stale


def _printed(path: Path, text: str | None, fresh: str | None, *, write: bool) -> list[Path]:
    if fresh == text:
        return []
    if write and fresh is None:
        path.unlink()
    elif write and fresh is not None:
        path.write_text(fresh, "utf-8")
    return [path]


def _connector_page(card: Card) -> str:
    name = card["name"]
    more = f"How to use it: [its README](../../connectors/{name}/README.md). Printed by `syncd docs`: not to be edited."
    return f"{page(card)}\n\n{more}\n"


def pages(root: Path) -> list[Path]:
    """List the pages that may have blocks."""
    found = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    there = [path for path in found if path.is_file()]
    if not there:
        raise ConfigError(f"{root.resolve()}: no README.md and no docs/*.md here; name the folder by --root")
    return there


def _filled(text: str, blocks: Mapping[str, Callable[[], str]], path: Path) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in blocks:
            line = text.count("\n", 0, match.start()) + 1
            raise ConfigError(f'{path}:{line}: no block "{name}"; there are: {", ".join(sorted(blocks))}')
        return f"{match['open']}\n{blocks[name]().strip()}\n\n{match['close']}"

    if len(OPENED.findall(text)) != len(BLOCK.findall(text)):
        raise ConfigError(f"{path}: a block is not closed; each ends in a line <!-- end -->")
    return BLOCK.sub(fill, text)


def _blocks(commands: str, cards: Sequence[Card], documents: str) -> dict[str, Callable[[], str]]:
    return {
        "commands": lambda: commands,
        "documents": lambda: documents,
        "exit-codes": lambda: table(("code", "meaning"), [(str(code), text) for code, text in EXIT_CODES]),
        "reactions": _reactions,
        "configuration": _configuration,
        "manifest": _manifest,
        "connectors": lambda: "\n".join(
            f"- [{each['name']}](connectors/{each['name']}.md): {each['summary']}" for each in cards
        ),
        "connector-table": lambda: capabilities(cards),
        "field-types": _field_types,
        "fields": _standard_fields,
        "policies": _policies,
    }


# -- the blocks


def _reactions() -> str:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.SyncdError)]
    rows = [(f"`{kind.__name__}`", _one_line(kind.__doc__)) for kind in kinds if kind is not errors.SyncdError]
    return table(("reaction", "what it means and what syncd does"), rows)


def _configuration() -> str:
    from syncd.config.vocabulary import CONFIG

    return table(("key", "default", "what it is for"), list(_keys(CONFIG, "")))


def _manifest() -> str:
    from syncd.http.vocabulary import MANIFEST

    return table(("key", "default", "what it is for"), list(_keys(MANIFEST, "")))


def _keys(shape: Any, prefix: str) -> Iterator[tuple[str, str, str]]:
    """List every key, depth first. A map's own names are spelled `<name>`."""
    from syncd.config.shapes import INVALID

    for name, key in shape.keys.items():
        path = f"{prefix}{name}"
        default = "required" if key.required else "" if key.default is INVALID else _spelled(key.default)
        yield f"`{path}`", default, key.help
        yield from _below(key.shape, path)


def _below(shape: Any, path: str) -> Iterator[tuple[str, str, str]]:
    from syncd.config.shapes import Keys, Later, ListOf, MapOf, TextOrMap

    while isinstance(shape, Later):
        shape = shape.shape
    if isinstance(shape, ListOf) and isinstance(shape.item, Keys):
        yield from _keys(shape.item, f"{path}[].")
    if isinstance(shape, TextOrMap):
        shape = shape.map
    if isinstance(shape, MapOf):
        inner = shape.item
        while isinstance(inner, Later):
            inner = inner.shape
        if isinstance(inner, Keys):
            yield from _keys(inner, f"{path}.<name>.")
    elif isinstance(shape, Keys):
        yield from _keys(shape, f"{path}.")


def _spelled(value: Any) -> str:
    import json

    if value in ({}, [], None, ""):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _field_types() -> str:
    from syncd.core.fields import STANDARD, TYPES

    rows = [(f"`{kind}`", ", ".join(f"`{name}`" for name, of in STANDARD.items() if of == kind)) for kind in TYPES]
    return table(("type", "standard fields of it"), rows)


def _standard_fields() -> str:
    from syncd.core.fields import STANDARD

    return table(("field", "type"), [(f"`{name}`", f"`{kind}`") for name, kind in STANDARD.items()])


def _policies() -> str:
    from typing import get_args

    from syncd.core.rules import PolicyKind
    from syncd.ops.explain import BLANKS, POLICIES

    by_app = {
        "owner": "this app is right: `{owner: crm}`",
        "rank": "the first of these that knows: `{rank: [crm, books]}`",
    }
    rows = [(f"`{kind}`", {**POLICIES, **by_app}[kind]) for kind in get_args(PolicyKind)]
    blanks = table(("blank", "what it means"), [(f"`{kind}`", text) for kind, text in BLANKS.items()])
    return f"{table(('policy', 'which value counts'), rows)}\n\n{blanks}"


def _one_line(doc: str | None) -> str:
    return " ".join((doc or "").split())

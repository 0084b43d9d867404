"""The pages tell of functions that exist, of rooms that exist, and link to pages that exist."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path

import pytest

from tests.test_layers import ROWS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NAMED = re.compile(r"`(syncd(?:\.\w+)+):([\w.]+)`")
LINK = re.compile(r"\[[^\]]+\]\((?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]+)?\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@every_page
def test_every_function_that_is_named_is_there(page: Path) -> None:
    missing = []
    for module, path in sorted(set(NAMED.findall(page.read_text("utf-8")))):
        try:
            functools.reduce(getattr, path.split("."), importlib.import_module(module))
        except (AttributeError, ImportError):
            missing.append(f"{module}:{path}")
    assert missing == []


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [target for target, _ in LINK.findall(text) if not (page.parent / target).exists()] == []
    assert [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", text) if anchor not in anchors(text)] == []


def anchors(text: str) -> set[str]:
    """Make the anchors of a page's headings, as GitHub does."""
    heads = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_walk_goes_through_the_engine() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    walk = text.partition("## One changed number")[2].partition("## Where to change")[0]
    rooms = {module.split(".")[1] for module, _ in NAMED.findall(walk)}
    assert rooms >= {"engine", "core", "store", "model"}
    assert len(NAMED.findall(walk)) > 20


def test_every_room_is_on_the_page() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = [
        room
        for row in ROWS
        for room in row
        if (ROOT / "syncd" / room).exists() or (ROOT / "syncd" / f"{room}.py").exists()
    ]
    assert [room for room in rooms if f"`{room}`" not in text and room not in ("__main__", "logs")] == []


def test_every_decision_says_problem_decision_reason_and_cost() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for page in sorted(folder.glob("*.md")):
        text = page.read_text("utf-8")
        heads = re.findall(r"(?m)^\*\*(\w+)\.\*\*", text)
        assert heads == ["Problem", "Decision", "Reason", "Cost"], page.name
        assert len(text.split()) < 330, f"{page.name}: half a page"
        assert f"decisions/{page.name}" in index

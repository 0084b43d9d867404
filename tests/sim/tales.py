"""Histories that are kept: first what happened, in words, then the scenario that makes it happen again, as YAML."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from tests.sim.play import play
from tests.sim.scenario import APPS, Scenario, read_scenario
from tests.sim.stores import STORES

HERE: Final = Path(__file__).parent / "stories"
LINES_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Tale:
    """A kept history."""

    title: str
    scenario: Scenario


def words(scenario: Scenario, store: str = "memory") -> list[str]:
    """Tell a history line by line: the apps with their peculiarities, and everything that happens."""
    lines = []
    for place, quirks in enumerate(scenario.apps):
        knobs = ", ".join(f"{name}: {value}" for name, value in quirks.doc().items())
        lines.append(f"{APPS[place]} is an app with {knobs}" if knobs else f"{APPS[place]} is an honest app")
    lines += [f"{APPS[place]} goes down for good after the first round" for place in scenario.broken]
    played = play(scenario, STORES[store])
    return [*lines, *played.story, *(f"!! {violation}" for violation in played.violations)]


def write_tale(path: Path, tale: Tale, store: str = "memory") -> None:
    """Keep a history."""
    text = StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = None
    yaml.width = 118
    yaml.dump({"title": tale.title, "scenario": tale.scenario.doc()}, text)
    told = "\n".join(f"# {line}".rstrip() for line in words(tale.scenario, store)[:LINES_MAX])
    path.write_text(f"{told}\n\n{text.getvalue()}", "utf-8")


def read_tale(path: Path) -> Tale:
    """Read what was kept."""
    doc = YAML(typ="safe").load(path.read_text("utf-8"))
    return Tale(title=doc["title"], scenario=read_scenario(doc["scenario"]))

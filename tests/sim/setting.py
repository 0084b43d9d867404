"""From a scenario to what a run is given: the checked configuration, and a session per process."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from syncd.config import AppConfig, Config, load_config
from syncd.config.settings import FieldConfig, Policy
from syncd.model import FieldMap, Spec
from tests.sim.quirks import Quirks
from tests.sim.scenario import APPS, EDITABLE, Scenario
from tests.sim.stores import account_of
from tests.sim.vendor import FIELDS, Vendor

if TYPE_CHECKING:
    from tests.sim.play import Play

TEXT: Final = """
version: 1
apps:
  one: {connector: sim}
"""


@lru_cache(maxsize=1)
def plain_config() -> Config:
    """Read an empty configuration once, by the loader that production uses."""
    with tempfile.TemporaryDirectory(prefix="syncd-sim-") as folder:
        path = Path(folder) / "syncd.yaml"
        path.write_text(TEXT, "utf-8")
        spec = Spec(name="sim", summary="a simulated app", any_path=True)
        return load_config(path, lambda *_: spec, environ={})


def config_of(scenario: Scenario) -> Config:
    """Make the configuration of a scenario."""
    base = plain_config()
    apps = tuple(_app(base.apps[0], APPS[place], quirks) for place, quirks in enumerate(scenario.apps))
    return replace(base, apps=apps, fields=_fields(base.fields, scenario))


def _fields(base: Mapping[str, FieldConfig], scenario: Scenario) -> dict[str, FieldConfig]:
    policy = Policy(kind="owner", apps=(APPS[0],)) if scenario.policy == "owner" else Policy()
    own: dict[str, Any] = {name: replace(base[name], blank=scenario.blank) for name in EDITABLE}
    own["company"] = replace(own["company"], policy=policy)
    return {name: own.get(name, base[name]) for name in FIELDS}  # the other standard fields lie nowhere here


def _app(base: AppConfig, name: str, quirks: Quirks) -> AppConfig:
    fields = {field: FieldMap(path=field) for field in FIELDS}
    if quirks.cut and quirks.declared:
        fields["company"] = FieldMap(path="company", max_length=quirks.cut, options={"overflow": "truncate"})
    return replace(
        base,
        name=name,
        connector=name,
        connector_at=name,
        create=quirks.create,
        update=quirks.update,
        on_delete=quirks.on_delete,
        hooks=quirks.hooks,
        fields=fields,
    )


def is_foreign(play: Play, vendor: Vendor, owner: int) -> bool:
    """Say whether the key of an app opens another account than the one that syncd knows. A process that is fenced off already (it is
    not the last `owner`) may know of none: it began when there was none, and stores nothing of what it reads.
    """
    tenant = any((f.kind, f.round, f.app) == ("tenant", play.round, vendor.index) for f in play.scenario.faults)
    if play.peace or not tenant or not play.monitors.ask(lambda tx: account_of(tx, vendor.name)):
        return False
    if owner != play.owner:
        play.ghost.unknowable[
            "a process that is fenced off already reads another account, and stores nothing of it"
        ] += 1
    return owner == play.owner

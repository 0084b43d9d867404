"""Sample: what the records of an app say about its configuration: what cannot be read, whose numbers are assumed.

Counts, never values. Knows nothing of the store: it looks at each record once, as check reads it.
"""

from __future__ import annotations

from syncd.config import Config
from syncd.connector import App
from syncd.core.fields import field_type
from syncd.core.phones import is_abroad
from syncd.core.plan import SHRUNK
from syncd.core.transforms import Lens, make_lens
from syncd.model import Finding, Record

COUNTRY = "country"


class Sample:
    """The records of one app, counted as they come."""

    def __init__(self, config: Config, app: App) -> None:
        self._records = self._unreadable = 0
        self._country = _lens(config, app, COUNTRY)
        self._phones: dict[str, tuple[str, Lens]] = {}
        self._abroad: dict[str, int] = {}
        for name, where in app.fields.items():
            rule = config.fields.get(name)
            region = {**rule.options, **where.options}.get("region") if rule and rule.type == "phone" else None
            lens = _lens(config, app, name)
            if region and lens is not None:
                self._phones[name] = (region, lens)

    def look(self, record: Record) -> None:
        """Count one record."""
        self._records += 1
        if record.problem is not None:
            self._unreadable += 1
            return
        country = (
            self._country.parse(record.fields.get(COUNTRY)) if self._country is not None and self._phones else None
        )
        if not isinstance(country, str):
            return
        for name, (region, lens) in self._phones.items():
            if is_abroad(country, region) and lens.certainty(record.fields.get(name)) == "assumed":
                self._abroad[name] = self._abroad.get(name, 0) + 1

    def findings(self) -> list[Finding]:
        """Say what was counted, where it was anything."""
        findings = []
        if self._unreadable:
            many = self._unreadable > SHRUNK.of(self._records) or self._unreadable == self._records
            text = f"{self._unreadable} of {self._records} records cannot be read and are set aside"
            text = f"{text}: is it the right encoding, are the rows whole?"
            findings.append(Finding(level="error" if many else "warning", message=text))
        for name, count in sorted(self._abroad.items()):
            text = (
                f"numbers without a country code, of people in another country than region {self._phones[name][0]}: {count}; "
                "write them internationally (+ or 00), or leave `region` out"
            )
            findings.append(Finding(level="warning", field=name, message=text))
        return findings


def _lens(config: Config, app: App, name: str) -> Lens | None:
    """Build the lens of a field with the app's own options, if both know the field."""
    where, rule = app.fields.get(name), config.fields.get(name)
    if where is None or rule is None:
        return None
    own = {option: given for option, given in where.options.items() if option not in ("placeholder", "overflow")}
    return make_lens(name, where, field_type(rule.type, **{**rule.options, **own}), flat=app.spec.flat)

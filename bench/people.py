"""The people of a benchmark: `person(i)` is the same on every machine, without the harness of others.

The values look like those of `../shared/bench/contacts.py` (its table of towns, titles and tags is larger than ours need be).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

FIRST: Final = (
    "Ada Alan Barbara Björn Carla Chloé David Élodie Fatima Grace Hedy João Łucja Måns Renée Søren Tim Zoë".split()
)
LAST: Final = (
    "Bădescu Costa Dvořák Fernández Goldberg Hopper Ito Kowalski Lovelace Müller O'Neill Quirós Sørensen Xu".split()
)
PLACES: Final = (
    ("Berlin", "BE", "10115", "DE"),
    ("Kraków", "MA", "30-001", "PL"),
    ("Lyon", "ARA", "69001", "FR"),
    ("Leeds", "ENG", "LS1 1AA", "GB"),
    ("Osaka", "27", "530-0001", "JP"),
    ("Austin", "TX", "73301", "US"),
)
TITLES: Final = ("Engineer", "Buyer", "Head of Sales", "Accountant", "Support Lead", "Founder", "Nurse", "Editor")
TAGS: Final = ("customer", "lead", "newsletter", "partner", "press", "vip")
COLUMNS: Final = (
    "id first_name last_name email phone company job_title street city region postal_code country birthday tags notes"
).split()


SETTLED: Final = "2020-01-01 00:00:00.000"
"""When nearly everybody was changed last, for a pass that has nothing to look at."""


def person(i: int) -> tuple[str | None, ...]:
    """Give one person in the order of COLUMNS."""
    h = (i + 1) * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    h ^= h >> 31
    city, region, postal, country = PLACES[(h >> 16) % len(PLACES)]
    company = (h >> 20) % 997
    return (
        f"p{i:07}",
        FIRST[h % len(FIRST)],
        LAST[(h >> 8) % len(LAST)],
        f"p{i}@company{company}.example",
        f"+44{7000000000 + h % 999999999}",
        f"Company {company} Ltd",
        TITLES[(h >> 24) % 8],
        f"{h % 300 + 1} Main Street",
        city,
        region,
        postal,
        country,
        f"{1950 + (h >> 40) % 55}-{(h >> 44) % 12 + 1:02}-{(h >> 48) % 28 + 1:02}" if h >> 33 & 1 else None,
        "; ".join(tag for k, tag in enumerate(TAGS) if h >> (50 + k) & 1) or None,
        f"Met at event {h % 89}.",
    )


def vcard(i: int) -> str:
    """Write one person as a vCard 3.0."""
    _, first, last, email, phone, company, title, street, city, region, postal, country, birthday, tags, notes = (
        (value or "").replace(",", "\\,") for value in person(i)
    )
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:uid-{i}",
        f"FN:{first} {last}",
        f"N:{last};{first};;;",
        f"ORG:{company}",
    ]
    lines += [f"TITLE:{title}", f"EMAIL;TYPE=WORK:{email}", f"TEL;TYPE=CELL:{phone}"]
    lines += [f"ADR;TYPE=WORK:;;{street};{city};{region};{postal};{country}"]
    lines += [f"BDAY:{birthday}"] if birthday else []
    lines += [f"CATEGORIES:{tags.replace('; ', ',')}"] if tags else []
    return "\r\n".join([*lines, f"NOTE:{notes}", "END:VCARD", ""])


def fill(file: str, n: int) -> None:
    """Make a table of n people whose `updated_at` is kept by the database, as an operator's would be."""
    db = sqlite3.connect(file, isolation_level=None)
    db.executescript("pragma journal_mode=wal; pragma synchronous=off")
    db.execute("begin")
    db.execute(
        f"create table people({COLUMNS[0]} text primary key, {', '.join(f'{name} text' for name in COLUMNS[1:])}, "
        "updated_at text not null default (strftime('%Y-%m-%d %H:%M:%f', 'now')))"
    )
    db.execute("create index people_updated_at on people(updated_at)")
    marks = ",".join("?" * len(COLUMNS))
    db.executemany(f"insert into people({','.join(COLUMNS)}) values({marks})", _people(n))
    db.execute(
        "create trigger people_touched after update on people when new.updated_at = old.updated_at begin "
        "update people set updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') where id = new.id; end"
    )
    db.execute("commit")
    db.close()


def settle(file: str | Path) -> None:
    """Let all changes but one be long past: the newest one tells how far the clock that stamps has come."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("update people set updated_at = ? where rowid > 1 and updated_at <> ?", (SETTLED, SETTLED))


def change(file: str | Path, count: int, round_: int = 0) -> None:
    """Give so many people another title, evenly spread; each round other people."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        total = db.execute("select count(*) from people").fetchone()[0]
        apart = max(1, total // count)
        places = [1 + round_ % apart + apart * k for k in range(count)]
        db.executemany("update people set job_title = job_title || ' II' where rowid = ?", [(one,) for one in places])


def _people(n: int) -> Iterator[tuple[str | None, ...]]:
    return map(person, range(n))

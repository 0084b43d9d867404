"""The three apps of the demo, as their own people use them: a CSV file, an accounting table, cards on a CardDAV server.

Everything here goes around syncd: the file by `csv`, the table by `sqlite3`, the cards by plain HTTP.
"""

from __future__ import annotations

import base64
import csv
import http.client
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from syncd.demo.mess import Row

CRM_COLUMNS: Final = {
    "No": "id",
    "First name": "first_name",
    "Last name": "last_name",
    "E-mail": "email",
    "Phone": "phone",
    "Company": "company",
    "Job title": "job_title",
    "Street": "street",
    "Postal code": "postal_code",
    "City": "city",
    "Country": "country",
    "Mailing": "email_consent",
    "Sales rep": "sales_rep",
}
"""Column -> what it means. Nobody tells syncd about "Sales rep"."""
SALES_REPS: Final = ("Ulla", "Tom", "Aylin", "")
RAGGED: Final = "C041"
"""The row in which somebody typed a comma and no quotes."""

BOOKS_COLUMNS: Final = {
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "company": "company",
    "phone": "phone",
    "street": "street",
    "zip": "postal_code",
    "city": "city",
    "country": "country",
    "newsletter": "email_consent",
}
PROPERTIES: Final = {"phone": "TEL", "job_title": "TITLE", "company": "ORG"}
"""Field -> the line of a card."""
BOOKS_TABLE: Final = f"""
CREATE TABLE customers (
    customer_no INTEGER PRIMARY KEY,
    {", ".join(f"{name} TEXT" for name in BOOKS_COLUMNS)},
    balance_cents INTEGER NOT NULL DEFAULT 0
)"""


class Crm:
    """The file that sales works with."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, rows: Iterable[Row]) -> int:
        """Write the file; one row of it is broken."""
        table = [[*CRM_COLUMNS]]
        for number, row in enumerate(rows, 1):
            whole = {**row, "id": f"C{number:03}", "sales_rep": SALES_REPS[number % len(SALES_REPS)]}
            cells = [whole.get(name, "") for name in CRM_COLUMNS.values()]
            if whole["id"] == RAGGED:
                cells.insert(6, " Hamburg")  # as if the company were `Kaffee & Kluntje OHG, Hamburg`, without quotes
            table.append(cells)
        self._write(table)
        return len(table) - 1

    def find(self, email: str) -> dict[str, str]:
        """Read the first row with this address."""
        head, *rows = self._table()
        return next(dict(zip(head, row, strict=False)) for row in rows if row[3].casefold() == email.casefold())

    def change(self, email: str, column: str, text: str) -> None:
        """Type something into a cell."""
        table = self._table()
        for row in table:
            if row[3].casefold() == email.casefold():
                row[table[0].index(column)] = text
        self._write(table)

    def mend(self) -> None:
        """Take the comma out of the broken row."""
        table = self._table()
        for row in table:
            if len(row) > len(CRM_COLUMNS):
                del row[6]
        self._write(table)

    def drop(self, numbers: Iterable[str]) -> None:
        """Delete rows."""
        gone = set(numbers)
        self._write([row for row in self._table() if row[0] not in gone])

    def _table(self) -> list[list[str]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))

    def _write(self, table: list[list[str]]) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\r\n").writerows(table)


class Books:
    """The accountant's table."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, rows: Iterable[Row]) -> int:
        """Make the table and its customers."""
        customers = [(*(row[name] for name in BOOKS_COLUMNS.values()), 100 * n) for n, row in enumerate(rows)]
        columns = ", ".join([*BOOKS_COLUMNS, "balance_cents"])
        marks = ", ".join("?" * (len(BOOKS_COLUMNS) + 1))
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(BOOKS_TABLE)
            database.executemany(f"INSERT INTO customers ({columns}) VALUES ({marks})", customers)  # noqa: S608 - ours
        return len(customers)

    def execute(self, statement: str, *values: str) -> None:
        """Change something as the accounting program would."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(statement, values)

    def balance(self) -> int:
        """Add up the column that syncd must never touch."""
        with closing(sqlite3.connect(self.path)) as database:
            return int(database.execute("SELECT sum(balance_cents) FROM customers").fetchone()[0])


class Phonebook:
    """The address book on the phones in the shop, by CardDAV."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._authority = urlsplit(url).netloc
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "text/vcard; charset=utf-8"}

    def fill(self, rows: Iterable[Row]) -> int:
        """Put a whole address book onto the server."""
        cards = [card(f"card-{number:03}", row) for number, row in enumerate(rows, 1)]
        self._ask("PUT", urlsplit(self.url).path, "".join(cards))
        return len(cards)

    def change(self, email: str, field: str, text: str) -> None:
        """Edit a line of the card with this address, as a phone does: get the card, put it back."""
        path, card = self._find(email)
        edited, count = re.subn(rf"(?m)^({PROPERTIES[field]}[^:\r\n]*:)[^\r\n]*", rf"\g<1>{text}", card, count=1)
        assert count, "the cards that are edited have what is edited"
        self._ask("PUT", path, edited)

    def delete(self, email: str) -> None:
        """Take the card out of the book."""
        path, _ = self._find(email)
        self._ask("DELETE", path)

    def nicknames(self) -> set[str]:
        """List what syncd knows nothing of."""
        return set(re.findall(r"(?m)^NICKNAME:([^\r\n]+)", self._ask("GET", urlsplit(self.url).path)))

    def _find(self, email: str) -> tuple[str, str]:
        folder = urlsplit(self.url).path
        listing = self._ask("PROPFIND", folder)
        for path in re.findall(r"<href>([^<]+\.vcf)</href>", listing):
            text = self._ask("GET", path)
            if email.casefold() in text.casefold():
                return path, text
        raise LookupError("no such card")

    def _ask(self, method: str, path: str, body: str = "") -> str:
        with closing(http.client.HTTPConnection(self._authority, timeout=30)) as connection:
            depth = {"Depth": "1"} if method == "PROPFIND" else {}
            connection.request(method, path, body.encode(), {**self._headers, **depth})
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= 400:
            raise ConnectionError(f"{method} {path}: {answer.status}")
        return text


def card(uid: str, row: Row) -> str:
    """Write a card."""
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:{uid}",
        f"FN:{row['first_name']} {row['last_name']}",
        f"N:{row['last_name']};{row['first_name']};;;",
        f"NICKNAME:{row['nickname']}",
        f"EMAIL;TYPE=INTERNET:{row['email']}" if row["email"] else "",
        f"TEL;TYPE=WORK,VOICE:{row['phone']}" if row["phone"] else "",
        f"ORG:{row['company']}" if row["company"] else "",
        f"TITLE:{row['job_title']}" if row["job_title"] else "",
        "END:VCARD",
    ]
    return "".join(f"{line}\r\n" for line in lines if line)


class Spreadsheet:
    """What stands in for the phonebook where no CardDAV server can be started: a second CSV file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, rows: Iterable[Row]) -> int:
        """Write the file."""
        table = [{"id": f"card-{number:03}", **row} for number, row in enumerate(rows, 1)]
        self._write([[*table[0]], *([*row.values()] for row in table)])
        return len(table)

    def change(self, email: str, field: str, text: str) -> None:
        """Type something into a cell."""
        head, *rows = self._table()
        for row in rows:
            if email in row:
                row[head.index(field)] = text
        self._write([head, *rows])

    def delete(self, email: str) -> None:
        """Delete a row."""
        self._write([row for row in self._table() if email not in row])

    def nicknames(self) -> set[str]:
        """List what syncd knows nothing of."""
        head, *rows = self._table()
        return {row[head.index("nickname")] for row in rows} - {""}

    def _table(self) -> list[list[str]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))

    def _write(self, table: list[list[str]]) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)

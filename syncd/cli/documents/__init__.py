"""What each command prints with `--json`, as types: the contract that scripts rely on.

Nothing here runs when a command does. docs/json.md is printed from it, and a test reads what the commands really print by it.
Hard rule: no key without a word about it, and none that a command does not print.
"""

from __future__ import annotations

from typing import Final

from syncd.cli.documents.around import (
    AccountFields,
    Card,
    Cards,
    Checked,
    Docs,
    LoggedIn,
    Made,
    Started,
    Stopped,
    Tested,
    Upgraded,
)
from syncd.cli.documents.base import Doc
from syncd.cli.documents.looking import Alive, Explained, History, Inbox, Resolved, ShownCase, Status, StatusList
from syncd.cli.documents.runs import Approved, Paused, Plan, Run

DOCUMENTS: Final[dict[str, type[Doc]]] = {
    "apply": Run,
    "approve": Approved,
    "auth": LoggedIn,
    "check": Checked,
    "connectors list": Cards,
    "connectors new": Started,
    "connectors show": Card,
    "connectors test": Tested,
    "db upgrade": Upgraded,
    "docs": Docs,
    "explain": Explained,
    "fields": AccountFields,
    "history": History,
    "inbox list": Inbox,
    "inbox resolve": Resolved,
    "inbox show": ShownCase,
    "init": Made,
    "pause": Paused,
    "plan": Plan,
    "resume": Paused,
    "resync": Run,
    "run": Stopped,
    "status": Status,
    "status --alive": Alive,
    "status --list": StatusList,
    "sync": Run,
    "undo": Run,
}
"""Command -> its document. `schema` prints a JSON Schema, `demo` tells a story."""

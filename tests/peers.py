"""Real open systems for the tests, empty for each: `tracker` (Roundup), `mailing_list` (Mailman), `books` (Tryton), `directory`
(a branch of a slapd). One server a test process; the first test that needs one installs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import pytest

from connectors.ldap import server as ldap
from connectors.mailman import server as mailman
from connectors.roundup import server as roundup
from connectors.tryton import server as tryton
from syncd.kit.peers import NotInstalledError

S = TypeVar("S")


def _run(install: Callable[[], Path], started: Callable[[], AbstractContextManager[S]]) -> Iterator[S]:
    """Run a server; skip the test where it cannot be installed."""
    try:
        install()
    except NotInstalledError as error:
        pytest.skip(f"{install.__module__.split('.')[1]}: {error}; install it with: make peers")
    with started() as server:
        yield server


@pytest.fixture(scope="session")
def mailman_server() -> Iterator[mailman.Mailman]:
    yield from _run(mailman.install, mailman.started)


@pytest.fixture(scope="session")
def roundup_server() -> Iterator[roundup.Roundup]:
    yield from _run(roundup.install, roundup.started)


@pytest.fixture(scope="session")
def slapd_server() -> Iterator[ldap.Slapd]:
    yield from _run(ldap.install, ldap.started)


@pytest.fixture(scope="session")
def tryton_server() -> Iterator[tryton.Tryton]:
    yield from _run(tryton.install, tryton.started)


@pytest.fixture
def mailing_list(mailman_server: mailman.Mailman) -> mailman.Mailman:
    """Give an empty list on a server that knows nobody."""
    return mailman_server.empty()


@pytest.fixture
def tracker(roundup_server: roundup.Roundup) -> roundup.Roundup:
    """Give an empty tracker."""
    return roundup_server.empty()


@pytest.fixture
def directory(slapd_server: ldap.Slapd) -> ldap.Slapd:
    """Give an empty branch."""
    return slapd_server.branch()


@pytest.fixture
def books(tryton_server: tryton.Tryton) -> tryton.Tryton:
    """Give a database without parties."""
    return tryton_server.empty()

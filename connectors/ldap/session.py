"""A session with the directory: bound, reads that may be asked twice, writes that never are, listings in pages.

Knows messages and codes; nothing of people. Hard rule: a write whose answer did not come is OutcomeUnknown, and what was
never sent is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from syncd.connector import Opening
from syncd.errors import ConfigError, OutcomeUnknown, TransientError

from . import messages
from .ber import BadAnswer
from .codes import NO_SUCH_OBJECT, SUCCESS, reaction
from .door import Address, Door, LostError
from .filters import ANYTHING
from .messages import Answer, Control, Entry

SECONDS: Final = 60.0
PAGE: Final = 500
PAGES_MAX: Final = 100_000


class Session:
    """One account at one directory. Used by one thread."""

    def __init__(self, opening: Opening) -> None:
        self.address = Address(opening)
        self._clock = opening.time.clock
        self._dn = str(opening.settings.get("bind_dn") or "")
        self._password = opening.secrets.get("password") or ""
        if bool(self._dn) != bool(
            self._password
        ):  # a name without a password is nobody, and succeeds (RFC 4513, 5.1.2)
            raise ConfigError(
                f"{self.address.name}: `bind_dn` and the secret `password` go together; leave both out or none"
            )
        self._door: Door | None = None
        self._number = 0

    @property
    def place(self) -> str:
        return self.address.name

    def ask(self, operation: bytes, controls: Sequence[Control] = ()) -> Answer:
        """Ask for something that may be asked twice; the answer whatever its result, or TransientError."""
        fresh = self._ready()
        try:
            return self._exchange(operation, controls)
        except LostError as error:
            if fresh:
                raise TransientError(f"{self.place}: {error}") from None
        self._ready()
        try:
            return self._exchange(operation, controls)
        except LostError as error:
            raise TransientError(f"{self.place}: {error}") from None

    def tell(self, operation: bytes, controls: Sequence[Control] = ()) -> Answer:
        """Ask for a change; TransientError, AccessError, ConfigError: it never left. OutcomeUnknown: it may have been done."""
        self._ready()
        try:
            return self._exchange(operation, controls)
        except LostError as error:
            raise OutcomeUnknown(f"{self.place}: {error}") from None

    def search(self, base: str, scope: str, wanted: bytes, attributes: Sequence[str]) -> Iterator[list[Entry]]:
        """Give what is found, page by page, an empty last page included; raise the reaction where a page fails.

        A page that broke is not asked for again: its cookie belongs to the connection (RFC 2696).
        """
        operation = messages.search(base, scope, wanted, attributes, int(SECONDS))
        answer = self._good(self.ask(operation, [messages.page_of(PAGE, b"")]))
        cookie, empty = self._cookie(answer), 0
        for _ in range(PAGES_MAX):
            yield answer.entries
            if not cookie:
                return
            answer = self._good(self._once(operation, [messages.page_of(PAGE, cookie)]))
            cookie, empty = self._cookie(answer), 0 if answer.entries else empty + 1
            if empty > 2:
                break
        raise TransientError(f"{self.place}: the server gives page after page and does not get on")

    def found(self, base: str, scope: str, wanted: bytes, attributes: Sequence[str]) -> list[Entry]:
        return [entry for page in self.search(base, scope, wanted, attributes) for entry in page]

    def one(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """Read one entry by its name; None where it is not there, or may not be seen."""
        answer = self.ask(messages.search(dn, "base", ANYTHING, attributes, int(SECONDS)))
        if answer.code == SUCCESS:
            return answer.entries[0] if answer.entries else None
        if answer.code == NO_SUCH_OBJECT:
            return None
        raise reaction(self.place, answer.code)

    def close(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            try:
                door.begin(1.0)
                door.send(messages.message(self._next(), messages.UNBIND, ()))
            except LostError:
                pass
            door.close()

    # The connection -------------------------------------------------------------------------------------------------

    def _once(self, operation: bytes, controls: Sequence[Control]) -> Answer:
        """Go on in this connection."""
        if self._door is None:
            raise TransientError(f"{self.place}: the connection was closed while it was read")
        try:
            return self._exchange(operation, controls)
        except LostError as error:
            raise TransientError(f"{self.place}: {error}") from None

    def _good(self, answer: Answer) -> Answer:
        if answer.code != SUCCESS:
            raise reaction(self.place, answer.code)
        return answer

    def _cookie(self, answer: Answer) -> bytes:
        try:
            return messages.next_page(answer.controls)
        except BadAnswer as error:
            raise TransientError(f"{self.place}: {error}") from None

    def _ready(self) -> bool:
        """Have a connection with a login in it; say whether it is a new one."""
        if self._door is not None and self._door.is_idle():
            return False
        self.close()
        self._door = self.address.connect(SECONDS, self._clock)
        try:
            if self.address.starts_tls:
                self._start_tls(self._door)
            if self._dn:
                self._good(self._exchange(messages.bind(self._dn, self._password), ()))
        except LostError as error:
            raise TransientError(f"{self.place}: at the login: {error}") from None
        except BaseException:
            self._drop()
            raise
        return True

    def _start_tls(self, door: Door) -> None:
        answer = self._exchange(messages.START_TLS, ())
        if answer.code != SUCCESS:
            raise ConfigError(
                f"{self.place}: the server does not begin TLS here (result {answer.code}); use ldaps://, set it up there, or "
                "say `starttls: false` and `network: private`"
            )
        self.address.secure(door, SECONDS)

    def _drop(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.close()

    def _next(self) -> int:
        self._number = self._number % 0x7FFFFFFF + 1
        return self._number

    def _exchange(self, operation: bytes, controls: Sequence[Control]) -> Answer:
        """Send, and read to the end of the answer; LostError: the connection is gone as well."""
        door = self._door
        assert door is not None, "an exchange has a connection"
        number = self._next()
        try:
            door.begin(SECONDS)
            door.send(messages.message(number, operation, controls))
            return _answer(door, number)
        except BadAnswer as error:
            self._drop()
            raise LostError(f"an answer that cannot be read: {error}") from None
        except BaseException:
            self._drop()
            raise


def _answer(door: Door, number: int) -> Answer:
    """Read to the end of the answer; references to other servers are not followed."""
    entries: list[Entry] = []
    while True:
        id_, kind, body, told = messages.taken_apart(door.receive())
        if id_ == 0:
            raise LostError("the server ended the session")
        if id_ != number:
            raise BadAnswer("an answer to something else")
        if kind == messages.ENTRY:
            entries.append(messages.entry_of(body))
        elif kind in messages.ANSWERS:
            answer = messages.answer_of(body, told)
            answer.entries = entries
            return answer

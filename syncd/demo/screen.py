"""What the audience sees: headings, sentences, and real command lines with what they print."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

EXIT_CODES: Final = {
    1: "a fault of syncd",
    2: "the configuration is wrong",
    3: "partly done",
    4: "something waits for a person",
    5: "an app refused us",
}
WIDTH: Final = 88


class Screen:
    """Prints the story; runs `syncd` in the demo's folder as anybody would, each command a process of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {name: value for name, value in environ.items() if not name.upper().startswith("SYNCD_")}
        self._bright = sys.stdout.isatty() and environ.get("TERM") != "dumb" and "NO_COLOR" not in environ
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._chapter += 1
        self.show()
        self.show(self._styled("1", f"{self._chapter}. {title}"))

    def say(self, text: str) -> None:
        """Tell something, a few short lines."""
        for line in textwrap.wrap(" ".join(text.split()), WIDTH - 3):
            self.show(f"   {line}")

    def show(self, text: str = "") -> None:
        """Print one line."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def run(self, *words: str, lines_max: int | None = None) -> int:
        """Show a command line, run it, say how it ended. `lines_max`: as if piped into `head`."""
        shown = " ".join(["syncd", *words]) + (f" | head -{lines_max}" if lines_max else "")
        self.show()
        self.show(self._styled("1;36", f"$ {shown}"))
        if lines_max is None:
            code = self._process(words).wait()
        else:
            process = self._process(words, piped=True)
            text, _ = process.communicate()
            lines = text.splitlines()
            self.show("\n".join(lines[:lines_max]))
            if len(lines) > lines_max:
                self.show(self._styled("2", f"... and {len(lines) - lines_max} more lines"))
            code = process.returncode
        if code:
            self.show(self._styled("2", f"[exit {code}: {EXIT_CODES.get(code, 'stopped')}]"))
        return code

    def ask(self, *words: str) -> Any:
        """Run a command without showing it; return its JSON document."""
        text, _ = self._process([*words, "--json"], piped=True).communicate()
        return json.loads(text)

    def _process(self, words: Any, *, piped: bool = False) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "syncd", *words],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else None,
            text=True,
        )

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._bright else text

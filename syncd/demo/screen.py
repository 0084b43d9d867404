"""What the audience sees: headings, sentences, and real command lines with what they print."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

EXIT_CODES: Final = {
    1: "a fault of syncd",
    2: "the configuration is wrong",
    3: "partly done",
    4: "something waits for a person",
    5: "an app refused us",
}
WIDTH: Final = 79


class Screen:
    """Prints the story; runs `syncd` in the demo's folder as anybody would, each command a process of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str], out: TextIO) -> None:
        """`out`: where the story is told; what commands print goes there as well."""
        self._folder, self._out = folder, out
        kept = {name: value for name, value in environ.items() if not name.upper().startswith("SYNCD_")}
        self._environ = kept if out.isatty() else {**kept, "COLUMNS": str(WIDTH + 1)}
        self._bright = out.isatty() and environ.get("TERM") != "dumb" and "NO_COLOR" not in environ
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
        self._out.write(f"{text}\n")
        self._out.flush()

    def run(self, *words: str, lines_max: int | None = None) -> int:
        """Show a command line, run it, say how it ended. `lines_max`: as if piped into `head`."""
        shown = " ".join(["syncd", *words]) + (f" | head -{lines_max}" if lines_max else "")
        self.show()
        self.command(shown)
        code, text = self._process(words, subprocess.PIPE if lines_max else self._out)
        if lines_max:
            lines = text.splitlines()
            self.show("\n".join(lines[:lines_max]))
            if len(lines) > lines_max:
                self.show(self._styled("2", f"... and {len(lines) - lines_max} more lines"))
        if code:
            self.show(self._styled("2", f"[exit {code}: {EXIT_CODES.get(code, 'stopped')}]"))
        return code

    def command(self, shown: str) -> None:
        """Show a command line."""
        self.show(self._styled("1;36", f"$ {shown}"))

    def ask(self, *words: str) -> Any:
        """Run a command without showing it; return its JSON document."""
        _, text = self._process([*words, "--json"], subprocess.PIPE)
        return json.loads(text)

    def daemon(self, log: Path) -> subprocess.Popen[str]:
        """Start `syncd run`, which ends when its standard input is closed; its log goes into a file."""
        with log.open("w", encoding="utf-8") as file:
            # A session of its own: Ctrl-C reaches the demo, which stops it in order.
            return self._start(
                "syncd.demo.leash", [], stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True
            )

    def _process(self, words: Sequence[str], out: Any) -> tuple[int, str]:
        """Run a command to its end, or end it with us; give its exit code and, with a pipe, what it printed."""
        process = self._start("syncd", words, stdin=subprocess.DEVNULL, stdout=out)
        try:
            text, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        return process.returncode, text or ""

    def _start(self, module: str, words: Sequence[str], **more: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *words]
        return subprocess.Popen(command, cwd=self._folder, env=self._environ, text=True, **more)  # noqa: S603 - ourselves

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._bright else text

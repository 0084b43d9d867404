"""The generic mutants of core/ and engine/, made by mutmut: their names, what each changes, and which function it stands in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
COPY: Final = ROOT / "mutants"
"""Where mutmut keeps the project with every mutant in it, and where the tests are run that judge them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One mutant: the lines that it takes out of a function, and those that it puts in."""

    file: str
    """From syncd on: core/merge.py."""
    function: str
    """As it is written: Class.method or function."""
    was: str
    now: str

    @property
    def place(self) -> str:
        """`core/merge.py: _Merge.collect`."""
        return f"{self.file}: {self.function}"


def make() -> None:
    """Bring the mutants up to date with the sources; those of an unchanged file stay as they are."""
    from mutmut.__main__ import create_mutants
    from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir

    COPY.mkdir(exist_ok=True)
    with _at_root(), (COPY / "made.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
        copy_src_dir()
        copy_also_copy_files()
        create_mutants(1)


def names() -> dict[str, str]:
    """Every mutant, in order, and the digest of the function that it stands in."""
    found: dict[str, str] = {}
    for path in sorted((COPY / "syncd").rglob("*.meta")):
        if not (ROOT / path.relative_to(COPY)).with_suffix("").exists():
            continue  # of a file that is gone
        doc = json.loads(path.read_text("utf-8"))
        hashes = doc["hash_by_function_name"]
        found |= {name: hashes.get(function_of(name).rpartition(".")[2], "") for name in doc["exit_code_by_key"]}
    return dict(sorted(found.items()))


def function_of(name: str) -> str:
    """The function of a mutant, as mutmut's trampolines name it."""
    return name.partition("__mutmut_")[0]


def file_of(name: str) -> str:
    """The file of a mutant, from syncd on."""
    return "/".join(name.split(".")[1:3]) + ".py"


def written_as(name: str) -> str:
    """The function of a mutant, as it is written: Class.method or function."""
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    function, klass = orig_function_and_class_names_from_key(name)
    return f"{klass}.{function}" if klass else str(function)


def place_of(name: str) -> str:
    """Where a mutant stands, as `Change.place` says it, without reading what it changes."""
    return f"{file_of(name)}: {written_as(name)}"


def change(name: str) -> Change:
    """Read what one mutant changes."""
    from mutmut.mutation.diff_apply import read_functions_from_index

    with _at_root():
        both = read_functions_from_index(name, Path("syncd") / file_of(name))
    assert both is not None, f"{name}: mutmut's index is not that of its file; remove mutants/ and make them again"
    before, after = (_text(function).splitlines() for function in both)
    lines = list(ndiff(before, after))
    return Change(
        file=file_of(name),
        function=written_as(name),
        was="\n".join(line[2:].strip() for line in lines if line.startswith("- ")),
        now="\n".join(line[2:].strip() for line in lines if line.startswith("+ ")),
    )


def _text(function: object) -> str:
    import libcst

    assert isinstance(function, libcst.FunctionDef)
    return str(libcst.Module([function]).code).strip()


@contextmanager
def _at_root() -> Iterator[None]:
    """Be in the root of the project: mutmut reads its settings and writes its files where one stands."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        yield
    finally:
        os.chdir(before)

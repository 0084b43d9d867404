"""Mutants in force without a detour: instead of mutmut's trampolines, which every call goes through, one function gets other code.

mutmut's copy of a module has each function as it is, and its mutants beside it. Here the function stays itself when the copy is
imported (`install` first); `switch` gives it the code of one mutant, in a process that is thrown away afterwards.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

_SWITCHES: Final[dict[str, list[tuple[FunctionType, Mapping[str, FunctionType]]]]] = {}
"""By module: each function that has mutants, and these by their names."""


def install() -> None:
    """Stand in for mutmut's trampolines, before any module of the copy is imported."""
    stand_in: Any = ModuleType("mutmut.mutation.trampoline")
    stand_in.wrap_in_trampoline, stand_in.MutantDict = _as_it_is, dict
    sys.modules[stand_in.__name__] = stand_in


def _as_it_is(
    mutants: Mapping[str, FunctionType], is_classmethod: bool = False
) -> Callable[[FunctionType], FunctionType]:
    assert not is_classmethod, "a class method among the mutants: mutmut names it by another path"

    def keep(function: FunctionType) -> FunctionType:
        _SWITCHES.setdefault(function.__module__, []).append((function, mutants))
        return function

    return keep


def switch(mutant: str) -> None:
    """Put one mutant into force, in this process and what it forks from now on."""
    module, _, name = mutant.rpartition(".")
    importlib.import_module(module)
    function, other = next((function, mutants[name]) for function, mutants in _SWITCHES[module] if name in mutants)
    function.__code__ = other.__code__
    function.__defaults__, function.__kwdefaults__ = other.__defaults__, other.__kwdefaults__


@contextmanager
def reaching() -> Iterator[Callable[[], set[str]]]:
    """Note which functions that have mutants are entered, here and in what is forked meanwhile; asked, say those since last time.

    Whoever enters one first meets a stub, which notes it and gives the function its own code back.
    """
    file = os.memfd_create("reached")
    stubs = [
        (function, _stub(function, file, mutants["_mutmut_orig"].__name__))
        for functions in _SWITCHES.values()
        for function, mutants in functions
        if not function.__code__.co_freevars
    ]

    def since() -> set[str]:
        names = set(os.pread(file, os.lseek(file, 0, os.SEEK_CUR), 0).decode().split())
        os.ftruncate(file, os.lseek(file, 0, os.SEEK_SET))
        for function, stub in stubs:
            function.__code__ = stub
        return names

    since()
    yield since


def _stub(function: FunctionType, file: int, mangled: str) -> CodeType:
    """Make what stands in a function's place until it is entered; found by its number, in the globals of its module."""
    own, line = function.__code__, f"{function.__module__}.{mangled.partition('__mutmut_')[0]}\n".encode()

    def enter(*args: Any, **named: Any) -> Any:
        if function.__code__ is not own:  # another thread may have been faster
            os.write(file, line)
            function.__code__ = own
        return function(*args, **named)

    name = f"_enter_{id(function)}"
    function.__globals__[name] = enter
    made: dict[str, Any] = {}
    exec(f"def stub(*args, **named): return {name}(*args, **named)", made)  # a text of our own
    code: CodeType = made["stub"].__code__
    return code

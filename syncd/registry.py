"""Connectors by name: found by folder, loaded by path: a `connector.py` with one well-known name (`CONNECTOR`), or a
`manifest.yaml` (where both are there, the Python one is asked, and may use the manifest).

Must not know what a connector does. Hard rule: finding imports nothing; loading runs no more than the one folder asked
for; a broken connector is a ConfigError that says which file and why, whatever its code did.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from syncd.config.near import choose_from, did_you_mean, shown
from syncd.connector import Connector
from syncd.errors import ConfigError
from syncd.model import Spec

MODULE: Final = "connector"
MANIFEST: Final = "manifest.yaml"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
PACKAGES: Final = "syncd_connectors"
"""Connector folders are packages `syncd_connectors.<name>`: relative imports inside of them work, and collide with nothing."""

_loaded: dict[Path, Connector] = {}


def built_in_folder() -> Path:
    """Return the folder of our own connectors: inside the package in a wheel, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    inside = here / "connectors"
    return inside if inside.is_dir() else here.parent / "connectors"


def catalogue(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Return connector name -> folder, without importing anything. Raise ConfigError where a name is there twice."""
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(folder.resolve() for folder in (built_in_folder(), *folders)):
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise ConfigError(f"the folder of connectors {folder} cannot be read: {error.strerror}") from error
        for entry in entries:
            if NAME.fullmatch(entry.name) and _is_connector(entry):
                if entry.name in found:
                    raise ConfigError(_twice(entry.name, found[entry.name], entry))
                found[entry.name] = entry
    return found


def _is_connector(folder: Path) -> bool:
    try:
        return any((folder / file).is_file() for file in (f"{MODULE}.py", MANIFEST))
    except OSError:  # a name that is too long
        return False


def _twice(name: str, first: Path, second: Path) -> str:
    return f'two connectors are named "{name}": {first} and {second}; rename one of the folders'


def find(name_or_path: str, folders: Sequence[Path] = ()) -> Path:
    """Return the folder of one connector, given by name or by the path of its folder."""
    known = catalogue(folders)
    if "/" not in name_or_path:
        if name_or_path in known:
            return known[name_or_path]
        near = did_you_mean(name_or_path, known)
        raise ConfigError(f'no connector "{shown(name_or_path)}"{near or f"; there are: {choose_from(known)}"}')
    folder = Path(name_or_path)
    folder = folder.parent if folder.name == MANIFEST else folder
    if not _is_connector(folder):
        raise ConfigError(f"no connector at {shown(str(folder), most=200)}: it has no {MODULE}.py and no {MANIFEST}")
    folder = folder.resolve()
    if not NAME.fullmatch(folder.name):
        raise ConfigError(
            f"the folder {folder} needs a name of lower-case letters, digits and _: it names the connector"
        )
    if known.get(folder.name, folder) != folder:
        raise ConfigError(_twice(folder.name, known[folder.name], folder))
    return folder


def load(name_or_path: str, folders: Sequence[Path] = ()) -> Connector:
    """Return a connector; import its folder the first time. Raise ConfigError where there is none, or it is broken."""
    folder = find(name_or_path, folders)
    if folder not in _loaded:
        _loaded[folder] = (
            _checked(folder, module(folder)) if (folder / f"{MODULE}.py").is_file() else _from_manifest(folder)
        )
    return _loaded[folder]


def _from_manifest(folder: Path) -> Connector:
    from syncd.http.app import connector

    return connector(folder / MANIFEST, folder.name)


def spec(name_or_path: str, folders: Sequence[Path] = ()) -> Spec:
    """Return what a connector states about itself (what `config.load_config` asks for)."""
    return load(name_or_path, folders).spec


def _checked(folder: Path, module: ModuleType) -> Connector:
    connector = getattr(module, "CONNECTOR", None)
    file = folder / f"{MODULE}.py"
    if not isinstance(connector, Connector):
        raise ConfigError(f"{file} exposes no CONNECTOR of type syncd.connector.Connector")
    if connector.spec.name != folder.name:
        raise ConfigError(f'{file} calls itself "{shown(connector.spec.name)}"; the folder says "{folder.name}"')
    return connector


def module(folder: Path, name: str = MODULE) -> ModuleType:
    """Import a file of a connector's folder as a module of the folder's package; ConfigError where it is broken."""
    package = f"{PACKAGES}.{folder.name}"
    present = sys.modules.get(package)
    if present is not None and [Path(path) for path in present.__path__] != [folder]:
        import hashlib

        package += "_" + hashlib.sha256(bytes(folder)).hexdigest()[:8]  # the same name in another configuration
    try:
        _open_package(package, folder)
        return importlib.import_module(f"{package}.{name}")
    except (Exception, SystemExit) as error:  # code of others: whatever it does, the operator is told whose it is
        where = _line_in(folder, error, f"{name}.py")
        raise ConfigError(
            f"the connector {folder.name} cannot be loaded ({where}): {type(error).__name__}", detail=str(error)
        ) from error


def _open_package(package: str, folder: Path) -> None:
    """Make the folder a package under our own roof, by the interpreter's usual rules."""
    if PACKAGES not in sys.modules:
        roof = ModuleType(PACKAGES, "The connectors that have been loaded, by name.")
        roof.__path__ = []
        sys.modules[PACKAGES] = roof
    if package in sys.modules:
        return
    init = folder / "__init__.py"
    if init.is_file():
        found = importlib.util.spec_from_file_location(package, init, submodule_search_locations=[str(folder)])
    else:
        found = importlib.machinery.ModuleSpec(package, None, is_package=True)
        found.submodule_search_locations = [str(folder)]
    assert found is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[package] = module
    if found.loader is not None:
        try:
            found.loader.exec_module(module)
        except BaseException:
            del sys.modules[package]
            raise


def _line_in(folder: Path, error: BaseException, file: str) -> str:
    """Return the last place inside the folder that the error went through."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    place = str(folder / file)
    trace = error.__traceback__
    while trace is not None:
        source = trace.tb_frame.f_code.co_filename
        if Path(source).is_relative_to(folder):
            place = f"{source}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place

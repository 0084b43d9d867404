"""Connectors are found by folder and loaded by path; what is broken in one is told, and stays in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncd import registry
from syncd.config import load_config
from syncd.errors import ConfigError

CONNECTOR = """\
from syncd.connector import Connector, Opening
from syncd.model import Setting, Spec
{extra}

def open_app(opening: Opening):
    raise NotImplementedError

CONNECTOR = Connector(spec=Spec(name="{name}", summary="", settings=(Setting(name="place", help="where"),)), open=open_app)
"""


def make(folder: Path, name: str, extra: str = "", **files: str) -> Path:
    """Write the folder of a connector."""
    (folder / name).mkdir(parents=True)
    (folder / name / "connector.py").write_text(CONNECTOR.format(name=name, extra=extra))
    for file, text in files.items():
        (folder / name / f"{file}.py").write_text(text)
    return folder / name


def wrong(name: str, *folders: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        registry.load(name, folders)
    return str(caught.value)


def test_every_connector_of_ours_loads() -> None:
    found = registry.catalogue()
    assert {"csv", "sql"} <= found.keys()
    for name, folder in found.items():
        assert registry.load(name).spec.name == name == folder.name


def test_a_folder_of_the_teams_own_works_the_same_way(tmp_path: Path) -> None:
    make(tmp_path, "mine", extra="from .words import WORD\nfrom . import more", words="WORD = 1", more="")
    assert registry.catalogue([tmp_path])["mine"] == tmp_path / "mine"
    connector = registry.load("mine", [tmp_path])
    assert connector.spec.name == "mine"
    assert connector.open.__module__ == "syncd_connectors.mine.connector"
    assert registry.load("mine", [tmp_path]) is connector
    assert registry.load(str(tmp_path / "mine")) is connector


def test_a_manifest_is_a_connector_and_may_be_named_itself(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(registry.built_in_folder() / "fakeapi", tmp_path / "mine")
    assert registry.catalogue([tmp_path])["mine"] == tmp_path / "mine"
    connector = registry.load("mine", [tmp_path])
    assert (connector.spec.name, connector.spec.network, connector.spec.create) == ("mine", True, True)
    assert registry.load(str(tmp_path / "mine" / "manifest.yaml")) is registry.load(str(tmp_path / "mine")) is connector


def test_a_manifest_that_is_wrong_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.yaml").write_text("manifest: 1\nsumary: x\n")
    assert f'{tmp_path}/mine/manifest.yaml:2:1: sumary: unknown key, did you mean "summary"?' in wrong("mine", tmp_path)
    assert registry.load("csv", [tmp_path]).spec.name == "csv"


def test_a_regular_package_and_an_import_at_run_time_work(tmp_path: Path) -> None:
    extra = "def late():\n    from . import words, BASE\n    return words.WORD + BASE"
    folder = make(tmp_path, "lazy", extra=extra, words="WORD = 1", __init__="BASE = 41")
    module = sys.modules[registry.load(str(folder)).open.__module__]
    assert module.late() == 42


def test_one_name_in_two_configurations_is_two_connectors(tmp_path: Path) -> None:
    one = make(tmp_path / "1", "twin", extra="from .word import WORD", word="WORD = 1")
    two = make(tmp_path / "2", "twin", extra="from .word import WORD", word="WORD = 2")
    words = [vars(sys.modules[registry.load(str(folder)).open.__module__])["WORD"] for folder in (one, two)]
    assert words == [1, 2]


def test_a_name_that_is_there_twice_names_both(tmp_path: Path) -> None:
    make(tmp_path, "csv")
    ours = registry.built_in_folder() / "csv"
    told = f'two connectors are named "csv": {ours} and {tmp_path}/csv; rename one of the folders'
    assert wrong("csv", tmp_path) == told
    assert wrong(str(tmp_path / "csv")) == told


def test_what_is_not_there_is_told_with_the_near_miss(tmp_path: Path) -> None:
    make(tmp_path, "helpdesk")
    assert wrong("helpdsk", tmp_path) == 'no connector "helpdsk", did you mean "helpdesk"?'
    assert wrong("zzz", tmp_path).startswith('no connector "zzz"; there are: ')
    assert wrong(f"{tmp_path}/none") == f"no connector at {tmp_path}/none: it has no connector.py and no manifest.yaml"
    assert wrong(f"{tmp_path}/" + "x" * 300).endswith("it has no connector.py and no manifest.yaml")
    assert wrong("csv", tmp_path / "none").endswith("none cannot be read: No such file or directory")
    make(tmp_path / "odd", "My-App")
    assert wrong(f"{tmp_path}/odd/My-App").endswith("it names the connector")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("b_raise", "x = 1\nraise ValueError('hunter2')", "cannot be loaded ({file}:2): ValueError"),
        ("b_syntax", "def (", "cannot be loaded ({file}:1): SyntaxError"),
        ("b_import", "import no_such_module", "cannot be loaded ({file}:1): ModuleNotFoundError"),
        ("b_exit", "import sys\n\n\nsys.exit(3)", "cannot be loaded ({file}:4): SystemExit"),
        ("b_deep", "def f():\n    f()\nf()", "cannot be loaded ({file}:2): RecursionError"),
        ("b_empty", "", "{file} exposes no CONNECTOR of type syncd.connector.Connector"),
        ("b_wrong", "CONNECTOR = 1", "{file} exposes no CONNECTOR of type syncd.connector.Connector"),
        ("b_name", CONNECTOR.format(name="other", extra=""), '{file} calls itself "other"; the folder says "b_name"'),
    ],
)
def test_a_broken_connector_is_one_problem_of_the_configuration(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / "own" / name).mkdir(parents=True)
    file = tmp_path / "own" / name / "connector.py"
    file.write_text(text)
    assert told.format(file=file) in wrong(name, tmp_path / "own")
    assert name not in wrong("zzz")
    (tmp_path / "c.yaml").write_text(f"connectors: [./own]\napps: {{a: {{connector: {name}}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml", registry.spec)
    [problem] = caught.value.problems
    assert problem.place == f"{tmp_path}/c.yaml:2:23"
    assert told.format(file=file) in problem.message
    assert "hunter2" not in str(problem)


def test_a_broken_connector_that_was_mended_loads(tmp_path: Path) -> None:
    folder = make(tmp_path, "mended", extra="from .part import WORD", part="raise OSError")
    assert "part.py:1): OSError" in wrong(str(folder))
    (folder / "part.py").write_text("WORD = 'a longer text'")
    assert registry.load(str(folder)).spec.name == "mended"


def test_a_path_counts_from_the_configuration(tmp_path: Path) -> None:
    make(tmp_path / "conf" / "x", "here")
    (tmp_path / "conf" / "c.yaml").write_text("apps: {a: {connector: ./x/here, settings: {place: p}}}\n")
    [app] = load_config(tmp_path / "conf" / "c.yaml", registry.spec).apps
    assert (app.connector, app.connector_at) == ("here", str(tmp_path / "conf" / "x" / "here"))
    assert registry.load(app.connector_at).spec.name == "here"


def test_looking_imports_nothing() -> None:
    code = (
        "import sys; from syncd import registry; registry.catalogue();"
        "print([m for m in sys.modules if m.startswith('syncd_connectors') or m in ('sqlalchemy', 'httpx', 'ruamel.yaml')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_called_connectors_beside_the_package() -> None:
    """In a wheel the folder lies inside the package; a checkout has it beside. Never a module of that name."""
    code = "import sys; from syncd import registry; registry.load('csv'); print('connectors' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

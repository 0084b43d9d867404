"""A file is replaced in one step: crashes, full disks, and people who edit it meanwhile."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import pytest

from tests.sheets import opened, people, update

IN_A_PROCESS = """
import resource, signal, sys
from pathlib import Path
from syncd import registry
from syncd.connector import Opening
from syncd.model import Write

path = Path(sys.argv[1])
told = {"path": path, "key": "id", "encoding": "utf-8", "delimiter": ","}
app = registry.load("csv").open(Opening(app="a", settings=told, secrets={}, fields={}, known={"email": "email"}))
def meanwhile(event, args):
    ...
sys.addaudithook(lambda event, args: meanwhile(event, args))
BODY
for result in app.write([Write(kind="update", id="1", fields={"email": "new"}, expect={"email": "ada"}),
                         Write(kind="update", id="nobody", fields={"email": "new"})]):
    print(type(result).__name__, getattr(result, "why", ""))
"""


def in_a_process(path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Write to the file in a process of its own, in which the world can be made to interfere."""
    code = IN_A_PROCESS.replace("BODY", textwrap.dedent(body))
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False, timeout=60)


def test_a_crash_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email\n1,ada\n")
    crash = """
        import os
        def meanwhile(event, args):
            if event == "os.rename":
                os._exit(9)
    """
    assert in_a_process(path, crash).returncode == 9
    assert path.read_text() == "id,email\n1,ada\n"
    assert len(list(tmp_path.iterdir())) == 2, "the crash left its file"
    assert in_a_process(path, "").stdout.split() == ["Applied", "Rejected", "gone"]
    assert path.read_text() == "id,email\n1,new\n"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("theirs", "ours", "left"),
    [
        ("id,email\n2,grace\n1,ada\n", "Applied", "id,email\n2,grace\n1,new\n"),
        ("id,email\n1,eda\n", "Rejected moved", "id,email\n1,eda\n"),
        ("id,email\n", "Rejected gone", "id,email\n"),
        ("number,email\n1,ada\n", "Rejected busy", "number,email\n1,ada\n"),
    ],
)
def test_a_file_that_changes_meanwhile_is_looked_at_again(tmp_path: Path, theirs: str, ours: str, left: str) -> None:
    path = people(tmp_path, "id,email\n1,ada\n")
    edit = f"""
        done = []
        def meanwhile(event, args):
            if event == "open" and str(args[0]).endswith(".syncd-new") and not done:
                done.append(1)
                path.write_text({theirs!r})
    """
    assert in_a_process(path, edit).stdout.splitlines()[0].strip() == ours
    assert path.read_text() == left
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_is_taken_away_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email\n1,ada\n")
    take = """
        def meanwhile(event, args):
            if event == "open" and str(args[0]).endswith(".syncd-new"):
                path.unlink(missing_ok=True)
    """
    assert in_a_process(path, take).stdout.split()[:2] == ["Rejected", "busy"]
    assert not list(tmp_path.iterdir())


def test_a_file_that_never_rests_is_left_alone(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email\n1,ada\n")
    edit = """
        def meanwhile(event, args):
            if event == "open" and str(args[0]).endswith(".syncd-new"):
                with path.open("a") as file:
                    file.write("x,y\\n")
    """
    assert in_a_process(path, edit).stdout.split()[:2] == ["Rejected", "moved"]
    assert path.read_text().startswith("id,email\n1,ada\nx,y\n")


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    path = people(tmp_path, "id,email\n1,ada\n" + "".join(f"{number},x\n" for number in range(2, 2000)))
    before = path.read_bytes()
    full = """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    """
    done = in_a_process(path, full)
    assert done.stdout.split() == ["Rejected", "busy", "Rejected", "gone"], done.stderr
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    with path.open("w") as file:
        file.write("id,email,notes\n")
        file.writelines(f"{number:016x},person{number}@example.org,{'n' * 150}\n" for number in range(40_000))
    app = opened(path)
    tracemalloc.start()
    try:
        count = sum(len(page.records) for page in app.read(None))
        app.write([update(f"{7:016x}", email="x")])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 40_000
    assert peak < 4_000_000 < path.stat().st_size

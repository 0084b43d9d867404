"""From webhook to written: `hooks.py [SECONDS]` prints JSON.

Two CRM sandboxes over real HTTP and the real daemon between them. Somebody edits so many people a second in the one, each
edit sends its signed webhook at once, and it is written when the other one has taken it. Milliseconds from the moment at
which the webhook leaves to that at which the write is answered; every edit has a value of its own, so none is counted twice.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from connectors.hubspot.sandbox import Sandbox  # noqa: E402 - the repository is no package of the environment
from syncd.http.sandbox import Asked, Clock, Said, post, serving  # noqa: E402

A_SECOND: Final = 40
PEOPLE: Final = 500
KEY: Final = "the app's secret"
MANIFEST: Final = ROOT / "connectors" / "hubspot" / "manifest.yaml"
LIMITS: Final = re.compile(r"^limits:\n(?:(?: .*)?\n)+", re.MULTILINE)
"""The vendor allows ten requests a second; what is measured is syncd."""
CONFIG: Final = """\
version: 1
store: sqlite:///syncd.db
guards: {{creates: '100%', updates: '100%'}}
apps:
  crm: {{connector: ./fast, settings: {{url: '{crm}'}}, network: private, poll: 1h, hooks: true,
        secrets: {{token: 'file:token', app_secret: 'file:key'}}}}
  desk: {{connector: ./fast, settings: {{url: '{desk}'}}, network: private, poll: 1h, secrets: {{token: 'file:token'}}}}
"""


def main(seconds: float) -> dict[str, Any]:
    """Run it."""
    crm, desk = (Sandbox(clock=Clock(now_us=time.time_ns() // 1000)) for _ in range(2))
    written: dict[str, float] = {}

    def taken(asked: Asked, said: Said) -> Said:
        if asked.method == "PATCH" or asked.path.endswith("batch/update"):
            now, doc = time.perf_counter(), asked.json()
            for each in doc.get("inputs", [doc]):
                written.setdefault(each["properties"].get("firstname", ""), now)
        return said

    with tempfile.TemporaryDirectory() as name, serving(crm) as one, serving(desk) as other:
        folder = Path(name)
        other.after = taken
        (folder / "syncd.yaml").write_text(CONFIG.format(crm=one.url, desk=other.url))
        (folder / "token").write_text("token")
        (folder / "fast").mkdir()
        (folder / "fast" / "manifest.yaml").write_text(LIMITS.sub("", MANIFEST.read_text("utf-8")))
        (folder / "key").write_text(KEY)
        ids = [crm.add({"email": f"p{n}@example.org", "firstname": "First"}) for n in range(PEOPLE)]
        crm.clock.pass_seconds(60)
        command = [sys.executable, "-m", "syncd"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "SYNCD_BIND_ADDRESS": "127.0.0.1:0"}
        for _ in range(2):
            subprocess.run(
                [*command, "sync", "--approve", "-c", "syncd.yaml"],
                cwd=folder,
                env=env,
                check=False,
                capture_output=True,
            )
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen([*command, "run", "-c", "syncd.yaml"], cwd=folder, env=env, stderr=log)
        try:
            port = _port(folder / "log")
            crm.hook = (f"http://127.0.0.1:{port}/hooks/crm", KEY)
            crm.letters()
            before = _cpu_ms(daemon.pid)
            sent, answered = _edited(crm, ids, seconds, one.lock)
            until = time.monotonic() + 10
            while len(written.keys() & sent.keys()) < len(sent) and time.monotonic() < until:
                time.sleep(0.05)
            spent = (_cpu_ms(daemon.pid) - before) / len(sent)
        finally:
            daemon.terminate()
            daemon.wait(60)
        return {**_figures(sent, answered, written), "cpu_ms_a_change": round(spent, 1), "load": os.getloadavg()[0]}


def _cpu_ms(pid: int) -> float:
    """Say how much CPU a process has used: what other work on this machine does not change."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _port(log: Path) -> int:
    port, polled = 0, 0
    while not port or polled < 2:
        time.sleep(0.05)
        events = [json.loads(line) for line in log.read_text().splitlines()]
        port = next((event["port"] for event in events if event["event"] == "listening"), 0)
        polled = sum(event["event"] == "pass" for event in events)
    return int(port)


def _edited(crm: Sandbox, ids: list[str], seconds: float, lock: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Edit at an even pace; when each webhook left, and when it was answered."""
    sent: dict[str, float] = {}
    answered: dict[str, float] = {}
    threads = []

    def deliver(value: str, letter: Any) -> None:
        sent[value] = time.perf_counter()
        if post(letter) == 200:
            answered[value] = time.perf_counter()

    begun = time.perf_counter()
    for n in range(int(seconds * A_SECOND)):
        time.sleep(max(0.0, begun + n / A_SECOND - time.perf_counter()))
        with lock:
            crm.clock.now_us = time.time_ns() // 1000
            crm.edit(ids[n % len(ids)], {"firstname": f"N{n}"})
            [letter] = crm.letters()
        threads.append(threading.Thread(target=deliver, args=(f"N{n}", letter)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return sent, answered


def _figures(sent: dict[str, float], answered: dict[str, float], written: dict[str, float]) -> dict[str, Any]:
    def spread(ends: dict[str, float]) -> dict[str, float]:
        times = sorted((ends[value] - at) * 1000 for value, at in sent.items() if value in ends)
        return (
            {f"p{p}": round(times[min(len(times) - 1, len(times) * p // 100)], 1) for p in (50, 95, 99)}
            if times
            else {}
        )

    lost = len(sent.keys() - written.keys())
    return {
        "changes": len(sent),
        "a_second": A_SECOND,
        "lost": lost,
        "answered_ms": spread(answered),
        "written_ms": spread(written),
    }


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0)))

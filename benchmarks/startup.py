"""How long commands take that have nothing to compute, as whole processes, and their memory.

    python benchmarks/startup.py [--rounds N] [--study FOLDER]

Makes a study of 250 countries x 50 scenarios with a model that does nothing, runs it once (about
half a minute), then calls each command N times, in turns. --study keeps the study in a folder and
finds it there the next time. On a busy machine, trust the minimum, the ratio and processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BUNDLED = PROJECT / "examples" / "asthma"
BASELINE = "python -c pass"
COMMANDS = {
    BASELINE: ["-c", "pass"],
    "ingest --help": ["-m", "ingest", "--help"],
    "ingest status": ["-m", "ingest", "status"],
    "ingest plan": ["-m", "ingest", "plan"],
    "ingest run, nothing to do": ["-m", "ingest", "run"],
}
AIMS = {
    "ingest --help": "0.15 s and 45 MB more than python",
    "ingest status": "0.25 s and 45 MB more than python",
    "ingest run, nothing to do": "0.6 s",
}
MODEL = """
def simulate(document):
    return [("Population", 2025, 1.0)]
"""
# ru_maxrss of a child begins with the memory of its parent; the peak in /proc does not.
PEAK_MEMORY = """
import runpy, sys
try:
    runpy.run_module("ingest", run_name="__main__") if sys.argv[1:] else None
except SystemExit:
    pass
with open("/proc/self/status") as status:
    print([line.split()[1] for line in status if line.startswith("VmHWM")][0], file=sys.stderr)
"""


@dataclass
class Timings:
    """Seconds of each call, and of the processor."""

    wall_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)


def make_study(folder: Path) -> None:
    """250 x 50 combinations that have all succeeded."""
    import pycountry

    (folder / "scenarios").mkdir(parents=True)
    (folder / "model.json").write_bytes((BUNDLED / "model.json").read_bytes())
    (folder / "model.py").write_text(MODEL)
    (folder / "ingest.toml").write_text('[executors.local]\nentry_point = "model:simulate"\n')
    codes = [*(country.alpha_3 for country in pycountry.countries), "XKX"][:250]
    countries = [{"name": code, "iso3": code, "region": code[0]} for code in codes]
    (folder / "countries.json").write_text(json.dumps({"countries": countries}))
    base = json.loads(sorted((BUNDLED / "scenarios").glob("*.json"))[0].read_text())
    for number in range(50):
        base["parameters"]["End"] = {"value": 2051 + number, "paths": ["$.runtime.endYear"]}
        (folder / "scenarios" / f"s{number:02}.json").write_text(json.dumps(base))
    subprocess.run([sys.executable, "-m", "ingest", "run", "--quiet"], cwd=folder, check=True)


def call(arguments: list[str], folder: Path, timings: Timings) -> None:
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}\n{output}")
    timings.wall_s.append(time.perf_counter() - begin)
    timings.processor_s.append(usage.ru_utime + usage.ru_stime)


def peak_memory_mb(arguments: list[str], folder: Path) -> float:
    """The most memory that a command held, in MB; 0 where the system does not tell."""
    if not Path("/proc/self/status").exists():
        return 0.0
    command = [sys.executable, "-c", PEAK_MEMORY, *arguments[2:]]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return int(result.stderr.split()[-1]) / 1024


def measure(folder: Path, rounds: int) -> None:
    timings = {name: Timings() for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            call(arguments, folder, timings[name])
    python_s = min(timings[BASELINE].wall_s)
    head = ("", "minimum", "median", "ratio", "processor", "memory")
    print("{:<28}{:>10}{:>10}{:>8}{:>11}{:>9}".format(*head))
    for name, timing in timings.items():
        memory_mb = peak_memory_mb(COMMANDS[name] if name != BASELINE else [], folder)
        print(
            f"{name:<28}{min(timing.wall_s):>8.3f} s{statistics.median(timing.wall_s):>8.3f} s"
            f"{min(timing.wall_s) / python_s:>8.1f}{min(timing.processor_s):>9.3f} s"
            f"{memory_mb:>6.0f} MB" + (f"   aim: {AIMS[name]}" if name in AIMS else "")
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="calls of each command")
    parser.add_argument("--study", type=Path, help="folder to keep the study in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.study or Path(temporary) / "study"
        if not folder.exists():
            make_study(folder)
        measure(folder, arguments.rounds)


if __name__ == "__main__":
    main()

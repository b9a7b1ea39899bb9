"""What every benchmark shares: the machine it ran on, whole processes measured, results written.

Machines are shared and noisy: quote ratios of one run and medians, not single seconds.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / ".cache" / "benchmarks"
PACKAGES = (
    "torch", "open_clip_torch", "faster-whisper", "ctranslate2", "av", "opencv-python-headless",
    "lancedb", "pyarrow",
)  # fmt: skip


@dataclass(frozen=True)
class Process:
    """A whole process: wall and CPU seconds, peak memory in MB, and what it printed."""

    wall: float
    cpu: float
    peak_mb: float
    stdout: str


def run(arguments: Sequence[str], cwd: Path = ROOT) -> Process:
    """Run a Python process of the project, or of another checkout of it, to its end.

    Raises:
        RuntimeError: it failed.
    """
    began = perf_counter()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, stdout=stdout, stderr=stderr
        )
        _, status, used = os.wait4(process.pid, 0)  # of this child, not of all so far
        wall = perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (stdout, stderr):
            stream.seek(0)
        printed, complaints = stdout.read().decode(), stderr.read().decode()
    if process.returncode:
        raise RuntimeError(f"{arguments}: exit code {process.returncode}\n{complaints}")
    return Process(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "packages": {name: version(name) for name in PACKAGES},
    }


def publish(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table, and write them with the machine to a JSON file."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*rows[0], title=name, box=None, title_justify="left")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    Console(width=160).print(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=2))
    print(f"\n{path}")


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

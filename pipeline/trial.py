"""One file, alone, in a process of its own: does it crash the process?

A run that follows a crash tries so each file that was in hand. `python -m pipeline.trial` reads the
settings and the file's place as JSON from stdin, embeds the file, and stores nothing.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.config import Settings
from pipeline.errors import VideoError


def crash_of(settings: Settings, location: Path) -> str | None:
    """How the process ends that embeds this file alone; None where it does not crash. Errors of
    Python are no crash: the run itself reports them."""
    question = {
        "base": str(settings.base),
        "settings": settings.model_dump(),
        "location": str(location),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline.trial"],
        input=json.dumps(question),
        text=True,
        capture_output=True,
        cwd=Path(__file__).resolve().parents[1],
        check=False,
    )
    if ended.returncode >= 0:
        return None
    return signal.Signals(-ended.returncode).name


def main() -> None:
    """The process that may crash."""
    question = json.load(sys.stdin)
    settings = Settings(base=Path(question["base"]), **question["settings"])
    from pipeline.asking import embed

    try:
        embed(settings, Path(question["location"]))
    except VideoError as error:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()

"""What the tests make once for all their runs: models and clips.

In `.cache` of the project, or in `$XDG_CACHE_HOME/video-vectors-tests`. A thing is there whole or
not at all, so that two test runs may start at the same time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def made_once(name: str, write: Callable[[Path], object]) -> Path:
    """`name` in the cache, made by `write(path)` where it is not there yet; do not change it.

    Args:
        name: path below the cache, of a file or a folder.
        write: makes that file, or fills a folder that it makes.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    target = (Path(base) / "video-vectors-tests" if base else ROOT / ".cache") / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{target.stem}.", dir=target.parent))
    try:
        made = unfinished / target.name
        write(made)
        made.rename(target)
    except OSError:
        if not target.exists():  # else another test run was faster
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target

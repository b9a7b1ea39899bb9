"""Frames, sound and the end of a video have the times at which a player shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.decoding import numbers, read, write
from tests.support.media import make_video
from tests.support.pictures import draw


def test_a_picture_that_stands_near_the_end_lasts_once(tmp_path: Path) -> None:
    """With B frames the durations in an MP4 file are those of other frames."""
    path = tmp_path / "still.mp4"
    steps = [*range(45), *range(545, 550)]
    write(path, [draw(i, 160, 120) for i in range(50)], max_b_frames=2, steps=steps)
    contents = read(path)
    assert contents.frames is not None
    assert contents.frames.times[-1] == pytest.approx(549 / 25)
    assert contents.duration_seconds == pytest.approx(550 / 25, abs=0.1)


@pytest.mark.parametrize("at_keyframes", [False, True])
@pytest.mark.parametrize("audio", [None, "speech"])
def test_concatenated_transport_streams_go_on(
    audio: Any, at_keyframes: bool, tmp_path: Path
) -> None:
    """Each of them counts its times from the same."""
    path = tmp_path / "twice.ts"
    make_video(path, audio=audio, b_frames=2)
    path.write_bytes(path.read_bytes() * 2)
    contents = read(path, at_keyframes=at_keyframes)
    taken = [0, 24, 48, 74, 98] if at_keyframes else [0, 24, 49, 74, 99]
    assert numbers(contents) == [i % 50 for i in taken]
    assert contents.frames is not None
    assert contents.frames.times == pytest.approx(np.array(taken) / 25, abs=0.05)
    assert contents.frames.readable == contents.frames.total == 100
    assert contents.duration_seconds == pytest.approx(4, abs=0.1)
    if audio:
        assert contents.sound is not None
        assert contents.sound.end_seconds == pytest.approx(4, abs=0.1)

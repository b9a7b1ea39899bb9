"""What browsers play stays as it is; all else gets a preview of the same at the same times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pipeline.decode.playback import Playback, playback_of
from pipeline.decode.preview import LONGEST_SIDE, make_preview
from pipeline.decode.video import read_video
from pipeline.errors import VideoError
from tests.support.media import make_video, read_frame_number

PLAYS = ("h264", "vp9", "av1")
"""Tried in Chromium, in each of these containers."""

CONTAINERS = {"h264": ".mp4 .mov .mkv", "vp9": ".mp4 .mkv .webm", "av1": ".mp4 .mkv .webm"}


@pytest.mark.parametrize(
    ("codec", "suffix"), [(codec, s) for codec in PLAYS for s in CONTAINERS[codec].split()]
)
@pytest.mark.parametrize("audio", [None, "tone"])
def test_what_browsers_play_needs_nothing(
    tmp_path: Path, codec: str, suffix: str, audio: str | None
) -> None:
    clip = tmp_path / f"clip{suffix}"
    make_video(clip, seconds=0.4, codec=codec, audio=audio)
    assert playback_of(clip) is Playback.FILE


CASES = {
    "mpeg4.avi": {"codec": "mpeg4", "audio": "tone"},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "mpeg4_turned.mov": {"codec": "mpeg4", "rotation": 90, "audio": "tone"},
    "mpeg4_odd.mkv": {"codec": "mpeg4", "width": 161, "height": 121},
    "hevc.mp4": {"codec": "hevc", "b_frames": 2},
    "hevc_mirrored.mov": {"codec": "hevc", "rotation": 270, "is_mirrored": True},
    "hevc_late.mkv": {"codec": "hevc", "start_seconds": 3.0, "audio": "tone"},
    "h264.avi": {"codec": "h264", "audio": "tone"},
    "h264_b_frames.avi": {"codec": "h264", "b_frames": 2},
    "vp9_late.mkv": {"codec": "vp9", "start_seconds": 3.0},
    "ten_bit.mp4": {"codec": "hevc", "pix_fmt": "yuv420p10le"},
}


@pytest.mark.parametrize("name", CASES)
def test_a_preview_shows_the_same_at_the_same_time(tmp_path: Path, name: str) -> None:
    clip, preview = tmp_path / name, tmp_path / "preview.mp4"
    make_video(clip, seconds=2, **CASES[name])
    assert playback_of(clip) is not Playback.FILE
    make_preview(clip, preview, max_megapixels=100, timeout_seconds=60)
    assert playback_of(preview) is Playback.FILE
    before, after = (_frames(file) for file in (clip, preview))
    assert list(after[0]) == pytest.approx(list(before[0]), abs=0.05)  # a frame and a bit
    assert after[1] == before[1]  # numbers of the frames, which are upright
    assert after[3] == before[3]  # whether there is sound
    # Even sizes only: one pixel of shape is lost at most.
    assert np.allclose(after[2], before[2], atol=1)


def test_a_preview_is_small(tmp_path: Path) -> None:
    clip, preview = tmp_path / "large.avi", tmp_path / "preview.mp4"
    make_video(clip, seconds=0.2, width=1080, height=1920, codec="mpeg4")
    make_preview(clip, preview, max_megapixels=100, timeout_seconds=60)
    with av.open(str(preview)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.width, context.height) == ("h264", 360, LONGEST_SIDE)


def test_a_preview_can_be_stopped_and_tells_how_far_it_is(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    make_video(clip, seconds=2, codec="mpeg4")
    seen: list[float] = []

    def beat(seconds: float) -> None:
        seen.append(seconds)
        if seconds > 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make_preview(clip, tmp_path / "x.mp4", max_megapixels=9, timeout_seconds=9, beat=beat)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.04, abs=0.05)


@pytest.mark.parametrize("name", ["not_a_video.mp4", "audio_only.mp4", "zero_bytes.mp4"])
def test_what_has_no_pictures_is_refused(
    made: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    with pytest.raises(VideoError):
        playback_of(made(name))
    with pytest.raises(VideoError):
        make_preview(made(name), tmp_path / "x.mp4", max_megapixels=9, timeout_seconds=9)


def _frames(file: Path) -> tuple[list[float], list[int], tuple[int, int], bool]:
    """Times and numbers of five frames, their size, and whether there is sound."""
    pictures: list[np.ndarray] = []

    def keep(image: Image.Image) -> np.ndarray:
        pictures.append(np.asarray(image))
        return np.zeros((1, 1, 3), np.uint8)

    found = read_video(file, n_frames=5, want_sound=True, prepare=keep, max_megapixels=100)
    numbers = [read_frame_number(picture) for picture in pictures]
    return list(found.frames.times), numbers, (found.width, found.height), found.sound is not None

"""Each made clip has what its name claims; a test that relies on one relies on this."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.media import BROKEN, VIDEOS, encode_video, frame_times
from tests.support.pictures import draw, read_frame_number
from tests.support.sounds import synthesise

Made = Callable[[str], Path]


@given(index=st.integers(0, 65535), width=st.integers(64, 400), height=st.integers(64, 400))
def test_frame_number_is_read_from_the_picture_and_its_middle_square(
    index: int, width: int, height: int
) -> None:
    picture = draw(index, width, height)
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    assert read_frame_number(picture) == index
    assert read_frame_number(picture[top : top + side, left : left + side]) == index


def test_picture_without_a_frame_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no frame number"):
        read_frame_number(np.full((120, 160, 3), 128, np.uint8))


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_come_out_in_order_upright_at_their_times(name: str, made: Made) -> None:
    with av.open(made(name)) as container:
        aspect = container.streams.video[0].sample_aspect_ratio
        frames = list(container.decode(video=0))
    numbers = [read_frame_number(_seen(frame, aspect)) for frame in frames]
    assert numbers == list(range(len(frames)))
    assert [frame.time for frame in frames] == pytest.approx(
        list(frame_times(**VIDEOS[name])), abs=0.002
    )


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("no_audio.mp4", "h264", "yuv420p"),
        ("hevc.mp4", "hevc", "yuv420p"),
        ("vp9.webm", "vp9", "yuv420p"),
        ("av1.mp4", "av1", "yuv420p"),
        ("mpeg4.mp4", "mpeg4", "yuv420p"),
        ("mpeg4.avi", "mpeg4", "yuv420p"),
        ("ten_bit.mp4", "hevc", "yuv420p10le"),
        ("odd_size_444.mp4", "h264", "yuv444p"),
    ],
)
def test_codec_and_pixel_format(name: str, codec: str, pix_fmt: str, made: Made) -> None:
    with av.open(made(name)) as container:
        frame = next(container.decode(video=0))
        assert container.streams.video[0].codec.canonical_name == codec
        assert frame.format.name == pix_fmt


@pytest.mark.parametrize(
    ("name", "rotation"),
    [("rotated_90.mp4", 90), ("rotated_180.mp4", 180), ("rotated_270.mov", 270)],
)
def test_rotation_is_in_the_metadata(name: str, rotation: int, made: Made) -> None:
    with av.open(made(name)) as container:
        assert next(container.decode(video=0)).rotation % 360 == rotation


def test_times_are_what_the_names_say(made: Made) -> None:
    steps = np.diff(frame_times(**VIDEOS["variable_rate.mp4"]))
    assert steps.max() > 5 * steps.min()
    with av.open(made("late_start.mkv")) as container:
        assert container.streams.video[0].start_time * container.streams.video[0].time_base == 10
    with av.open(made("late_start.mp4")) as container:
        video = container.streams.video[0]
        assert video.start_time * video.time_base == Fraction(14, 10)
    with av.open(made("one_frame.mp4")) as container:
        assert len(list(container.decode(video=0))) == 1
    with av.open(made("one_keyframe.mp4")) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size) == 1


def test_pixels_are_wide(made: Made) -> None:
    with av.open(made("wide_pixels.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize("name", ["silent_audio.mp4", "music.mp4", "speech.mp4", "long.mp4"])
def test_sound_lasts_as_long_as_the_pictures(name: str, made: Made) -> None:
    with av.open(made(name)) as container:
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
        seconds = sound.shape[1] / 48_000
        assert seconds == pytest.approx(float(container.duration / av.time_base), abs=0.1)
    assert (np.abs(sound).max() < 1e-4) == (name == "silent_audio.mp4")


def test_no_audio_is_no_stream(made: Made) -> None:
    with av.open(made("no_audio.mp4")) as container:
        assert not container.streams.audio


def test_speech_goes_round(jfk_flac: Path) -> None:
    samples = synthesise("speech", 25)
    assert len(samples) == 25 * 16_000
    assert np.array_equal(samples[: 11 * 16_000], samples[12 * 16_000 : 23 * 16_000])


def test_the_same_every_time(made: Made, tmp_path: Path) -> None:
    for name in ("vp9.webm", "late_start.mkv", "mpeg4.avi"):
        encode_video(tmp_path / name, **VIDEOS[name])
        assert (tmp_path / name).read_bytes() == made(name).read_bytes()


@pytest.mark.parametrize("name", ["zero_bytes.mp4", "no_index.mp4", "not_a_video.mp4"])
def test_broken_files_do_not_open(name: str, made: Made) -> None:
    assert name in BROKEN
    with pytest.raises(av.error.FFmpegError):
        av.open(made(name)).close()


def test_audio_only_has_no_picture_and_a_cut_file_has_some(made: Made) -> None:
    with av.open(made("audio_only.mp4")) as container:
        assert container.streams.audio
        assert not container.streams.video
    with av.open(made("cut_short.mkv")) as container:
        numbers = [read_frame_number(_seen(frame)) for frame in container.decode(video=0)]
    assert 5 < len(numbers) < 45
    assert numbers == list(range(len(numbers)))


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="only Linux has priorities")
def test_making_a_clip_leaves_the_priority_as_it_was(tmp_path: Path) -> None:
    encode_video(tmp_path / "av1.mp4", **VIDEOS["av1.mp4"])
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def _seen(frame: av.VideoFrame, pixel_aspect: Fraction | None = None) -> np.ndarray:
    """The frame as a player shows it: upright, with square pixels; its brightness."""
    width = round(frame.width * (pixel_aspect or 1))
    grey = frame.reformat(width, format="gray", threads=1).to_ndarray()
    return np.rot90(grey, frame.rotation // 90)[..., None]

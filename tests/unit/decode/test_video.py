"""A video gives the frames that decoding all of it would give, its sound, and its measures."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.decoding import (
    decode_all,
    numbers,
    prepare,
    read,
    remux,
    renew,
)
from tests.support.media import VIDEOS, make_video
from tests.support.pictures import read_frame_number

CUT = "cut_short.mkv"


@pytest.mark.parametrize("name", [*VIDEOS, CUT])
def test_the_frames_are_those_of_decoding_everything(
    name: str, made: Callable[[str], Path]
) -> None:
    whole = decode_all(made(name))
    for n in (1, 2, 5, 13):
        frames = read(made(name), n_frames=n, want_sound=False).frames
        assert frames is not None
        expected = np.linspace(0, len(whole.frames) - 1, n, dtype=int)
        assert [read_frame_number(pixels) for pixels in frames.pixels] == list(expected)
        assert np.array_equal(frames.pixels, whole.prepared(expected))
        times = [whole.times[i] - whole.times[0] for i in expected]
        assert frames.times == pytest.approx(times, abs=0.002)
        assert frames.readable == frames.total == len(whole.frames)


@pytest.mark.parametrize(
    ("name", "seconds", "size"),
    [
        ("speech.mp4", 11.0, (160, 120)),
        ("long.mp4", 70.0, (96, 72)),
        ("portrait.mp4", 2.0, (120, 214)),
        ("rotated_90.mp4", 2.0, (120, 160)),
        ("rotated_180.mp4", 2.0, (160, 120)),
        ("rotated_270.mov", 2.0, (120, 160)),
        ("variable_rate.mkv", 4.0, (160, 120)),
        ("mpeg4.avi", 2.0, (160, 120)),
        ("odd_size.webm", 2.0, (161, 121)),
        ("wide_pixels.mp4", 2.0, (213, 120)),
        ("late_start.mkv", 2.0, (160, 120)),
        ("late_start.mp4", 2.0, (160, 120)),
        ("one_frame.mp4", 0.04, (160, 120)),
        (CUT, 32 / 25, (160, 120)),
    ],
)
def test_duration_and_size_as_a_person_sees_them(
    name: str, seconds: float, size: tuple[int, int], made: Callable[[str], Path]
) -> None:
    for n in (0, 5):
        contents = read(made(name), n_frames=n)
        assert (contents.frames is None) == (n == 0)
        assert (contents.width, contents.height) == size
        assert contents.duration_seconds == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize("at_keyframes", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_pictures_are_shown_in_all_eight_orientations(
    rotation: int, is_mirrored: bool, at_keyframes: bool, tmp_path: Path
) -> None:
    """A mirrored frame number reads as another, or as none."""
    path = tmp_path / "turned.mp4"
    make_video(path, seconds=0.2, rotation=rotation, is_mirrored=is_mirrored, keyframe_interval=1)
    contents = read(path, at_keyframes=at_keyframes)
    assert numbers(contents) == [0, 1, 2, 3, 4]
    assert (contents.width, contents.height) == ((120, 160) if rotation % 180 else (160, 120))
    assert contents.frames is not None
    assert read_frame_number(np.asarray(Image.open(io.BytesIO(contents.frames.thumbnail)))) == 2


def test_the_thumbnail_is_the_middle_frame_whole(made: Callable[[str], Path]) -> None:
    frames = read(made("portrait.mp4")).frames
    assert frames is not None
    image = Image.open(io.BytesIO(frames.thumbnail))
    assert image.format == "JPEG"
    assert image.size == (120, 214)
    assert read_frame_number(np.asarray(image)) == 24


# Sound


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("silent_audio.mp4", 2.0),
        ("speech.mp4", 11.0),
        ("long.mp4", 70.0),
        ("vp9.webm", 2.0),
        ("mpeg4.avi", 2.0),
        ("late_start.mp4", 2.0),
        ("late_start.mkv", 2.0),
    ],
)
def test_the_sound_is_whole_and_starts_with_the_pictures(
    name: str, seconds: float, made: Callable[[str], Path]
) -> None:
    sound = read(made(name), n_frames=0).sound
    assert sound is not None
    assert sound.samples.dtype == np.int16
    assert len(sound.samples) / 16_000 == pytest.approx(seconds, abs=0.1)
    assert sound.start_seconds == pytest.approx(0, abs=0.05)
    assert (np.abs(sound.samples).max() < 10) == (name == "silent_audio.mp4")


def test_the_sound_is_what_faster_whisper_hears(made: Callable[[str], Path]) -> None:
    from faster_whisper.audio import decode_audio

    sound = read(made("speech.mp4"), n_frames=0).sound
    assert sound is not None
    heard = decode_audio(str(made("speech.mp4")))
    assert np.array_equal(sound.samples, (heard * 32768).astype(np.int16))


def test_no_sound_where_there_is_none_or_none_is_wanted(made: Callable[[str], Path]) -> None:
    assert read(made("no_audio.mp4")).sound is None
    assert read(made("speech.mp4"), want_sound=False).sound is None


@pytest.mark.parametrize("garbage", [b"\x00", b"\xff", b"\x5a"])
def test_damaged_sound_costs_only_itself(
    garbage: bytes, made: Callable[[str], Path], tmp_path: Path
) -> None:
    """The decoder has another error for each."""
    path = tmp_path / "noise.mp4"
    count = iter(range(1000))

    def spoil(packet: Any) -> Any:
        return renew(packet, garbage * packet.size) if 20 < next(count) < 60 else packet

    remux(made("speech.mp4"), path, audio=spoil)
    contents = read(path)
    assert numbers(contents) == [0, 27, 54, 81, 109]
    assert contents.sound is not None
    assert 9 < len(contents.sound.samples) / 16_000 < 12


@pytest.mark.parametrize("tracks", [1, 2])
def test_sound_comes_of_the_first_track_that_has_a_decoder(
    tracks: int, made: Callable[[str], Path], tmp_path: Path
) -> None:
    """Phones put spatial sound beside the plain one."""
    copy, path = tmp_path / "copy.mp4", tmp_path / "unknown.mp4"
    remux(made("speech.mp4"), copy, audio=lambda packet: packet, tracks=tracks)
    content = copy.read_bytes()
    at = content.index(b"mp4a")
    aac = content.index(b"\x40\x15", at)  # object type "MPEG-4 audio", stream type "audio"
    path.write_bytes(content[:at] + b"zzzz" + content[at + 4 : aac] + b"\xbf" + content[aac + 1 :])
    with av.open(str(path)) as container:
        known = [stream.codec_context is not None for stream in container.streams.audio]
        assert known == [False, True][:tracks]
    contents = read(path)
    assert (contents.sound is not None) == (tracks == 2)
    assert numbers(contents) == [0, 27, 54, 81, 109]


@pytest.mark.parametrize("name", ["no_audio.mp4", "hevc.mp4", "vp9.webm", "av1.mp4", "mpeg4.avi"])
def test_decoding_uses_one_core(name: str, made: Callable[[str], Path]) -> None:
    during: set[str] = set()

    def look(image: Image.Image) -> np.ndarray:
        during.update(threads_of_decoders())
        return prepare(image)

    assert threads_of_decoders() == set()
    read(made(name), prepare=look, want_sound=False)
    assert during == set()


def threads_of_decoders() -> set[str]:
    """Names of the threads that FFmpeg and dav1d have started; other libraries have some, too."""
    names = (file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm"))
    return {name for name in names if name.startswith(("av:", "dav1d"))}


def test_the_same_from_several_threads(made: Callable[[str], Path]) -> None:
    names = ["b_frames.mp4", "vp9.webm", "mpeg4.avi", "rotated_90.mp4"] * 3
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: numbers(read(made(name))), names))
    assert together == [[0, 12, 24, 36, 49]] * len(names)

"""`clip.sampling = "keyframes"`: the nearest keyframes, whole and right, of every kind of file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.decoding import attempt, numbers, order_of, read, write
from tests.support.media import VIDEOS, make_video
from tests.support.pictures import draw

CUT = "cut_short.mkv"


def test_a_long_video_has_a_keyframe_for_every_moment(tmp_path: Path) -> None:
    make_video(tmp_path / "long.mp4", seconds=75, fps=2, keyframe_interval=14)  # 7 s
    make_video(tmp_path / "short.mp4", seconds=60, fps=2, keyframe_interval=14)
    beats: list[None] = []
    contents = read(
        tmp_path / "long.mp4", n_frames=0, moments_seconds=10.0, beat=lambda: beats.append(None)
    )
    assert contents.frames is None
    assert contents.moments is not None
    assert list(contents.moments.times) == [0, 7, 21, 28, 42, 49, 63, 70]
    assert len(beats) > len(contents.moments.pixels)
    exact = read(tmp_path / "long.mp4", n_frames=150)
    assert exact.frames is not None
    for at, pixels in zip(contents.moments.times, contents.moments.pixels, strict=True):
        assert np.array_equal(pixels, exact.frames.pixels[round(2 * at)])
    assert read(tmp_path / "long.mp4", n_frames=1, moments_seconds=0.0).moments is None
    assert read(tmp_path / "short.mp4", n_frames=1, moments_seconds=1.0).moments is None


@pytest.mark.parametrize("name", [*VIDEOS, CUT])
def test_they_are_the_nearest_ones(name: str, made: Callable[[str], Path]) -> None:
    order = order_of(made(name))
    for n in (1, 3, 5, 13):
        contents = read(made(name), n_frames=n, want_sound=False, at_keyframes=True)
        assert numbers(contents) == order.nearest(n)
        assert contents.frames is not None
        times = [order.times[i] - order.times[0] for i in order.nearest(n)]
        assert contents.frames.times == pytest.approx(times, abs=0.002)
        assert contents.frames.readable == contents.frames.total == len(order.times)


@pytest.mark.parametrize(
    ("interval", "taken"),
    [(12, [0, 12, 24, 36, 48]), (20, [0, 20, 20, 40, 40]), (49, [0, 0, 0, 49, 49])],
)
def test_one_may_stand_for_several_moments(interval: int, taken: list[int], tmp_path: Path) -> None:
    """The exact frames are 0, 12, 24, 36 and 49."""
    path = tmp_path / "clip.mp4"
    make_video(path, keyframe_interval=interval)
    assert numbers(read(path, at_keyframes=True)) == taken
    assert numbers(read(path)) == [0, 12, 24, 36, 49]


def test_the_pixels_are_those_of_decoding_everything(made: Callable[[str], Path]) -> None:
    for name in ("b_frames.mp4", "hevc.mp4", "rotated_90.mp4", "vp9.webm"):
        everything = read(made(name), n_frames=50).frames
        keyframes = read(made(name), at_keyframes=True).frames
        assert everything is not None
        assert keyframes is not None
        taken = order_of(made(name)).nearest(5)
        assert np.array_equal(keyframes.pixels, everything.pixels[taken])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bare.h264", {}),  # no container: no times, no index
        ("bare.hevc", {"codec": "libx265"}),
        ("stream.ts", {}),
        ("pieces.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("live.mkv", {}),
        ("every.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),  # all of them are keyframes
    ],
)
def test_files_without_index(name: str, options: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / name
    quiet = {"x265-params": "log-level=none:keyint=12"} if path.suffix == ".hevc" else {"g": "12"}
    pictures = [draw(i, 160, 120) for i in range(50)]
    write(path, pictures, max_b_frames=0, options=quiet, **options)
    if name == "live.mkv":
        _forget_the_index(path)
    expected = [0, 12, 24, 36, 49] if name == "every.avi" else [0, 12, 24, 36, 48]
    assert numbers(read(path, at_keyframes=True)) == expected


def _forget_the_index(path: Path) -> None:
    """As of a recording that was never closed: EBML's Cues become a Void of the same size."""
    content = path.read_bytes()
    assert b"\x1c\x53\xbb\x6b" in content
    path.write_bytes(content.replace(b"\x1c\x53\xbb\x6b", b"\xec\x53\xbb\x6b"))


def damage(path: Path, spoilt: Callable[[int], bool]) -> None:
    """Write zeros over the keyframes whose number is `spoilt`."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.is_keyframe]
    content = bytearray(path.read_bytes())
    for number, (start, size) in enumerate(places):
        if spoilt(number):
            content[start : start + size] = bytes(size)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "mpeg4.mp4", "av1.mp4"])
def test_a_damaged_keyframe_leaves_it_to_its_neighbours(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    make_video(path, codec=path.stem, keyframe_interval=5)
    damage(path, lambda number: number == 5)  # frame 25, the nearest to 24
    contents = read(path, at_keyframes=True)
    assert numbers(contents) == [0, 10, 20, 35, 45]
    assert contents.frames is not None
    seen_in_the_packet = path.stem == "h264"  # which is then not called a keyframe any more
    assert contents.frames.readable == (50 if seen_in_the_packet else 49)
    assert contents.frames.total == 50


def test_without_any_keyframe_the_frames_are_exact(tmp_path: Path) -> None:
    """The first one is spoilt, and no other follows; what can be decoded after it is taken."""
    path = tmp_path / "clip.mp4"
    make_video(path, codec="mpeg4", keyframe_interval=50)
    damage(path, lambda _: True)
    exact, at_keyframes = (attempt(path, at_keyframes=each) for each in (False, True))
    assert at_keyframes[0] is not None or str(at_keyframes[1]) == str(exact[1])
    if at_keyframes[0] is not None and exact[0] is not None:
        assert np.array_equal(at_keyframes[0].pixels, exact[0].pixels)

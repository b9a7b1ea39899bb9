"""Videos that are unusual, damaged or not videos: they give what there is, or say what is wrong."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.decode.content import content_hash
from pipeline.errors import VideoError
from tests.support.decoding import (
    add_cover,
    attempt,
    decode_all,
    not_as_root,
    numbers,
    read,
    renew,
    write,
    write_growing,
)
from tests.support.media import BROKEN, make_video
from tests.support.pictures import draw

CUT = "cut_short.mkv"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("audio_only.mp4", "decode: it has sound only, and no video stream"),
        ("zero_bytes.mp4", "decode: the file is empty"),
        ("no_index.mp4", "decode: not a video, or a damaged one: Invalid data"),
        ("not_a_video.mp4", "decode: not a video, or a damaged one: Invalid data"),
    ],
)
def test_broken_files_say_why(name: str, reason: str, made: Callable[[str], Path]) -> None:
    with pytest.raises(VideoError) as caught:
        read(made(name))
    assert str(caught.value).startswith(reason)
    assert name not in str(caught.value)


def test_every_broken_clip_is_looked_at() -> None:
    assert {*BROKEN} == {
        "audio_only.mp4", "zero_bytes.mp4", "no_index.mp4", "not_a_video.mp4", CUT,
    }  # fmt: skip


@pytest.mark.parametrize("action", [content_hash, read])
def test_a_file_that_is_gone_or_may_not_be_read(
    action: Callable[[Path], object], made: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(VideoError, match=r"^read: No such file"):
        action(tmp_path / "gone.mp4")
    locked = tmp_path / "locked.mp4"
    locked.write_bytes(made("no_audio.mp4").read_bytes())
    locked.chmod(0)
    with not_as_root(), pytest.raises(VideoError, match=r"^read: Permission denied"):
        action(locked)


@pytest.mark.parametrize(
    "name", ["-i.mp4", "http:x.mp4", "%03d.mp4", "a'\n\" b.mp4", os.fsdecode(b"\xff\xfe.mp4")]
)
def test_names_are_names_and_nothing_else(
    name: str, made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not options, protocols, patterns or text in some encoding."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(made("no_audio.mp4").read_bytes())
    for path in (Path(name), tmp_path / name):
        assert numbers(read(path)) == [0, 12, 24, 36, 49]
        assert len(content_hash(path)) == 32


def test_a_list_of_other_files_is_no_video(made: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "other.mp4").write_bytes(made("no_audio.mp4").read_bytes())
    path = tmp_path / "list.mp4"
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(VideoError, match="list of other files"):
        read(path)


def test_large_pictures_are_refused(made: Callable[[str], Path]) -> None:
    assert numbers(read(made("no_audio.mp4"), max_megapixels=0.0192)) == [0, 12, 24, 36, 49]
    with pytest.raises(VideoError, match=r"160 x 120, more than decode.max_megapixels = 0.019 "):
        read(made("no_audio.mp4"), max_megapixels=0.019)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (100_000, 100_000, "none of its frames can be decoded"),  # FFmpeg itself refuses
        (16_000, 16_000, "its pictures are 16000 x 16000, more than decode.max_megapixels = 100"),
        (20_000, 1, "its pictures are 20000 x 1: too thin for a picture"),
    ],
)
def test_absurd_sizes_are_refused_before_there_is_a_picture(
    width: int, height: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "huge.avi"
    write(path, [draw(0, 64, 64)], codec="rawvideo", pix_fmt="bgr24")
    content = path.read_bytes()
    size = content.index(struct.pack("<ii", 64, -64))  # the lowest row comes first
    changed = struct.pack("<ii", width, -height)
    path.write_bytes(content[:size] + changed + content[size + 8 :])
    before = psutil.Process().memory_info().rss
    with pytest.raises(VideoError, match=reason):
        read(path)
    assert psutil.Process().memory_info().rss - before < 200e6


def test_pictures_that_grow_midway(tmp_path: Path) -> None:
    path = tmp_path / "grows.mkv"
    write_growing(path, tmp_path)
    contents = read(path)
    assert numbers(contents) == [0, 12, 24, 36, 49]
    assert (contents.width, contents.height) == (160, 120)
    with pytest.raises(VideoError, match="320 x 240, more than"):
        read(path, max_megapixels=0.05)


def test_counts_that_headers_claim_are_not_believed(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    content = bytearray(made("mpeg4.avi").read_bytes())
    main, stream = content.index(b"avih") + 24, content.index(b"strh") + 40
    for count in (0, 7, 2**31 - 1):
        for at in (main, stream):
            content[at : at + 4] = struct.pack("<I", count)
        path = tmp_path / "wrong.avi"
        path.write_bytes(content)
        contents = read(path)
        assert numbers(contents) == [0, 12, 24, 36, 49]
        assert contents.frames is not None
        assert contents.frames.total == 50


def test_a_video_without_timestamps_or_a_way_back(tmp_path: Path) -> None:
    path = tmp_path / "bare.mp4"
    write(path, [draw(i, 160, 120) for i in range(50)], container="h264", max_b_frames=2)
    contents = read(path)
    assert numbers(contents) == [0, 12, 24, 36, 49]
    assert contents.frames is not None
    assert contents.frames.times == pytest.approx([0, 0.48, 0.96, 1.44, 1.96])
    assert contents.duration_seconds == pytest.approx(2)


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("mov", "qtrle", "argb"),
        ("mov", "png", "rgba"),
        ("mov", "prores_ks", "yuva444p10le"),
        ("mkv", "ffv1", "gray"),
        ("mkv", "ffv1", "gray16le"),
        ("mkv", "ffv1", "gbrp10le"),
        ("webm", "libvpx-vp9", "yuva420p"),
        ("gif", "gif", "rgb8"),
        ("avi", "mjpeg", "yuvj420p"),
        ("avi", "libx264", "yuv420p"),  # with B frames, whose order AVI does not tell
    ],
)
def test_other_kinds_of_pixels_and_codecs(
    suffix: str, codec: str, pix_fmt: str, tmp_path: Path
) -> None:
    path = tmp_path / f"v.{suffix}"
    pictures = [draw(i, 160, 120) for i in range(30)]
    write(path, pictures, codec=codec, pix_fmt=pix_fmt)
    contents = read(path)
    assert numbers(contents) == [0, 7, 14, 21, 29]
    assert contents.frames is not None
    assert contents.frames.times == pytest.approx(np.array([0, 7, 14, 21, 29]) / 25, abs=0.005)


def test_frames_that_are_not_shown_do_not_count(tmp_path: Path) -> None:
    """VP8 has packets that only later frames refer to."""
    plain, path = tmp_path / "plain.webm", tmp_path / "hidden.webm"
    quick = {"g": "12", "deadline": "realtime", "cpu-used": "8"}
    write(plain, [draw(i, 160, 120) for i in range(50)], codec="libvpx", options=quick)
    with av.open(str(plain)) as opened, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(opened.streams.video[0])
        hidden = 0
        for packet in (packet for packet in opened.demux() if packet.size):
            if packet.is_keyframe:
                content = bytes(packet)
                unseen = renew(packet, bytes([content[0] & ~0x10]) + content[1:])  # show_frame
                unseen.pts = unseen.dts = packet.pts + 10
                unseen.is_keyframe, unseen.stream = True, stream
                output.mux(unseen)
                hidden += 1
            packet.pts = packet.dts = packet.pts + 20
            packet.stream = stream
            output.mux(packet)
    assert hidden > 3
    contents = read(path)
    assert numbers(contents) == [0, 12, 24, 36, 49]
    assert contents.frames is not None
    assert contents.frames.readable == contents.frames.total == 50


def trim(source: Path, target: Path, start: int, end: int) -> None:
    """Let an edit list show only frames `start` to `end` (exclusive) of an MP4 at 25 fps."""
    content = source.read_bytes()
    at = content.index(b"elst") + 12  # after the size, version and count: duration, start, rate
    _, first, rate = struct.unpack(">iii", content[at : at + 12])
    edit = struct.pack(">iii", (end - start) * 1000 // 25, first + start * 12800 // 25, rate)
    target.write_bytes(content[:at] + edit + content[at + 12 :])


@pytest.mark.parametrize(
    ("name", "start", "end", "expected"),
    [
        # The file starts at a keyframe before the cut, and says from when on it is shown.
        ("no_audio.mp4", 7, 50, [7, 17, 28, 38, 49]),
        ("no_audio.mp4", 0, 30, [0, 7, 14, 21, 29]),
        ("b_frames.mp4", 0, 33, [0, 8, 16, 24, 32]),
        ("b_frames.mp4", 7, 33, [7, 13, 19, 25, 32]),
    ],
)
@pytest.mark.parametrize("at_keyframes", [False, True])
def test_a_clip_trimmed_by_an_edit_list_is_whole(
    name: str, start: int, end: int, expected: list[int], at_keyframes: bool,
    made: Callable[[str], Path], tmp_path: Path,
) -> None:  # fmt: skip
    """What is cut off stays in the file; it is neither shown nor missing."""
    path = tmp_path / "trimmed.mp4"
    trim(made(name), path, start, end)
    contents = read(path, at_keyframes=at_keyframes)
    assert contents.frames is not None
    if not at_keyframes:
        assert numbers(contents) == expected
        assert contents.frames.times == pytest.approx(np.subtract(expected, start) / 25)
    assert contents.frames.readable == contents.frames.total == end - start
    assert contents.duration_seconds == pytest.approx((end - start) / 25, abs=0.01)


def test_a_cover_is_no_video(made: Callable[[str], Path], tmp_path: Path) -> None:
    song, film = tmp_path / "song.mp4", tmp_path / "film.mp4"
    add_cover(made("audio_only.mp4"), song)
    add_cover(made("speech.mp4"), film)
    with pytest.raises(VideoError, match="sound only, and no video stream"):
        read(song)
    assert numbers(read(film)) == [0, 27, 54, 81, 109]


@pytest.mark.parametrize("interval", [5, 10])
def test_garbage_in_the_middle(interval: int, tmp_path: Path) -> None:
    """What comes is what decoding everything gives, and how much is missing is known."""
    path = tmp_path / "damaged.mp4"
    make_video(path, keyframe_interval=interval, b_frames=2)
    content = bytearray(path.read_bytes())
    at = content.index(b"mdat")
    (length,) = struct.unpack(">I", content[at - 4 : at])
    start, end = at + length * 4 // 10, at + length * 6 // 10
    content[start:end] = np.random.default_rng(0).bytes(end - start)
    path.write_bytes(content)
    whole = decode_all(path)
    frames = read(path).frames
    assert frames is not None
    assert frames.readable == len(whole.frames) < frames.total == 50
    assert np.array_equal(frames.pixels[[0, -1]], whole.prepared([0, -1]))
    assert frames.times[-1] == pytest.approx(1.96)


def test_cut_short_with_its_index_in_front(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    write(path, [draw(i, 160, 120) for i in range(50)], movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])
    whole = decode_all(path)
    frames = read(path).frames
    assert frames is not None
    assert frames.readable == len(whole.frames)
    assert 20 < frames.readable < 40
    assert frames.total == 50


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["music.mp4", "variable_rate.mkv", "vp9.webm", "mpeg4.avi", "hevc.mp4"]),
    at=st.floats(0, 1),
    garbage=st.binary(min_size=1, max_size=400),
    end=st.floats(0.05, 1),
)
def test_whatever_is_wrong_with_a_file_is_the_files_fault(
    name: str,
    at: float,
    garbage: bytes,
    end: float,
    made: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    content = bytearray(made(name).read_bytes())
    start = int(at * len(content))
    content[start : start + len(garbage)] = garbage
    path = tmp_path / name
    path.write_bytes(content[: int(end * len(content))] if end < 0.5 else content)
    frames, error = attempt(path)
    assert frames is None or 1 <= frames.readable <= frames.total
    assert error is None or (error.stage == "decode" and error.reason)

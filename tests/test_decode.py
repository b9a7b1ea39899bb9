"""A video gives the frames that decoding all of it would give, its sound, and its measures; a file
that cannot be read says why."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.decode import Contents, content_hash, read_video
from pipeline.errors import VideoError
from pipeline.records import Frames
from tests.media import BROKEN, VIDEOS, make_video
from tests.pictures import draw, read_frame_number

SIDE = 96
CUT = "cut_short.mkv"
PROJECT = Path(__file__).resolve().parents[1]


def prepare(image: Image.Image) -> np.ndarray:
    """As CLIP does: the middle square."""
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    square = image.crop((left, top, left + short, top + short))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


read: Callable[..., Contents] = partial(
    read_video, n_frames=5, want_sound=True, prepare=prepare, max_megapixels=100.0
)


def numbers(contents: Contents) -> list[int]:
    assert contents.frames is not None
    return [read_frame_number(pixels) for pixels in contents.frames.pixels]


@dataclass(frozen=True, eq=False)
class Whole:
    """What comes of decoding everything in order."""

    frames: list[np.ndarray]
    times: list[float]


def decode_all(path: Path) -> Whole:
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        aspect = stream.sample_aspect_ratio or Fraction(1)
        frames, times = [], []
        for frame in (frame for packet in container.demux(stream) for frame in decode(packet)):
            width = round(frame.width * aspect)
            image = Image.fromarray(frame.to_ndarray(format="rgb24"))
            if width != frame.width:
                image = image.resize((width, frame.height), Image.Resampling.BICUBIC)
            frames.append(prepare(image.rotate(frame.rotation, expand=True)))
            times.append(frame.time)
    return Whole(frames, times)


def decode(packet: Any) -> list[av.VideoFrame]:
    try:
        return list(packet.decode())
    except av.error.InvalidDataError:
        return []


def test_only_the_decoder_imports_av() -> None:
    sources = [
        *PROJECT.glob("*.py"),
        *PROJECT.glob("pipeline/**/*.py"),
        *PROJECT.glob("store/*.py"),
    ]
    users = [path for path in sources if "import av\n" in path.read_text(encoding="utf-8")]
    assert {path.parent.name for path in users} == {"decode"}


@pytest.mark.parametrize("n", [1, 2, 5, 13])
@pytest.mark.parametrize("name", [*VIDEOS, CUT])
def test_the_frames_are_those_of_decoding_everything(
    name: str, n: int, made: Callable[[str], Path]
) -> None:
    whole = decode_all(made(name))
    frames = read(made(name), n_frames=n, want_sound=False).frames
    assert frames is not None
    expected = np.linspace(0, len(whole.frames) - 1, n, dtype=int)
    assert [read_frame_number(pixels) for pixels in frames.pixels] == list(expected)
    assert np.array_equal(frames.pixels, [whole.frames[i] for i in expected])
    times = [whole.times[i] - whole.times[0] for i in expected]
    assert frames.times == pytest.approx(times, abs=0.002)
    assert frames.readable == frames.total == len(whole.frames)


@pytest.mark.parametrize(
    ("name", "seconds", "size"),
    [
        ("speech.mp4", 11.0, (160, 120)),
        ("minutes.mp4", 150.0, (96, 72)),
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
@pytest.mark.parametrize("n", [0, 5])
def test_duration_and_size_as_a_person_sees_them(
    name: str, seconds: float, size: tuple[int, int], n: int, made: Callable[[str], Path]
) -> None:
    contents = read(made(name), n_frames=n)
    assert (contents.frames is None) == (n == 0)
    assert (contents.width, contents.height) == size
    assert contents.duration_seconds == pytest.approx(seconds, abs=0.05)


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
        ("minutes.mp4", 150.0),
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


@pytest.mark.parametrize(("late", "start"), [(0.5, 0.5), (-0.5, -0.5), (20.0, 20.0), (9e9, 0.0)])
def test_sound_that_starts_at_another_time(
    late: float, start: float, made: Callable[[str], Path], tmp_path: Path
) -> None:
    """Timestamps hours away from the pictures are taken for broken."""
    path = tmp_path / "late.mkv"
    remux(made("late_start.mkv"), path, audio=lambda packet: move(packet, late))
    contents = read(path)
    assert contents.sound is not None
    assert contents.sound.start_seconds == pytest.approx(start, abs=0.05)
    assert contents.duration_seconds == pytest.approx(2.0 + max(start, 0.0), abs=0.1)


def test_damaged_sound_costs_only_itself(made: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    dice = np.random.default_rng(0)
    count = iter(range(1000))

    def spoil(packet: Any) -> Any:
        return renew(packet, dice.bytes(packet.size)) if 20 < next(count) < 60 else packet

    remux(made("speech.mp4"), path, audio=spoil)
    contents = read(path)
    assert numbers(contents) == [0, 27, 54, 81, 109]
    assert contents.sound is not None
    assert 9 < len(contents.sound.samples) / 16_000 < 12


def test_sound_without_a_decoder_is_no_sound(made: Callable[[str], Path], tmp_path: Path) -> None:
    content = made("speech.mp4").read_bytes()
    at = content.index(b"esds")
    aac = content.index(b"\x40\x15", at)  # object type "MPEG-4 audio", stream type "audio"
    path = tmp_path / "unknown.mp4"
    path.write_bytes((content[:aac] + b"\xbf" + content[aac + 1 :]).replace(b"mp4a", b"zzzz"))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context is None
    contents = read(path)
    assert contents.sound is None
    assert numbers(contents) == [0, 27, 54, 81, 109]


# Files that are not as they should be


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("audio_only.mp4", "decode: it has no video stream, only sound"),
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


def test_names_are_names_and_nothing_else(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Not options, protocols, patterns or text in some encoding."""
    content = made("no_audio.mp4").read_bytes()
    for name in ("-i.mp4", "http:x.mp4", "%03d.mp4", "a'\n\" b.mp4", os.fsdecode(b"\xff\xfe.mp4")):
        path = tmp_path / name
        path.write_bytes(content)
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
        (20_000, 1, "its pictures are 20000 x 1, hardly more than a line"),
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
    """VP8 and VP9 have packets that only later frames refer to."""
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "b": "200k"}
    for codec in ("libvpx", "libvpx-vp9"):
        path = tmp_path / f"{codec}.webm"
        write(path, [draw(i, 160, 120) for i in range(50)], codec=codec, options=options)
        assert numbers(read(path)) == [0, 12, 24, 36, 49]


def test_frames_that_an_edit_list_hides_do_not_count(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    """Trimmed on a phone: the file starts at a keyframe before the cut, and says from when on."""
    content = made("no_audio.mp4").read_bytes()
    at = content.index(b"elst") + 12  # after the size, version and count: duration, start, rate
    duration, start, rate = struct.unpack(">iii", content[at : at + 12])
    skip = 7 * 12800 // 25
    edit = struct.pack(">iii", duration - 7 * 1000 // 25, start + skip, rate)
    path = tmp_path / "trimmed.mp4"
    path.write_bytes(content[:at] + edit + content[at + 12 :])
    contents = read(path)
    assert numbers(contents) == [7, 17, 28, 38, 49]
    assert contents.frames is not None
    assert contents.frames.times == pytest.approx([0, 0.4, 0.84, 1.24, 1.68])
    assert contents.frames.total == 43
    assert contents.duration_seconds == pytest.approx(43 / 25, abs=0.01)


def test_a_cover_is_no_video(made: Callable[[str], Path], tmp_path: Path) -> None:
    song, film = tmp_path / "song.mp4", tmp_path / "film.mp4"
    add_cover(made("audio_only.mp4"), song)
    add_cover(made("speech.mp4"), film)
    with pytest.raises(VideoError, match="no video stream, only sound"):
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
    assert np.array_equal(frames.pixels[[0, -1]], [whole.frames[0], whole.frames[-1]])
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


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
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


@pytest.mark.parametrize("name", ["no_audio.mp4", "hevc.mp4", "vp9.webm", "av1.mp4", "mpeg4.avi"])
def test_decoding_uses_one_core(name: str, made: Callable[[str], Path]) -> None:
    threads = psutil.Process().num_threads
    during: list[int] = []

    def count(image: Image.Image) -> np.ndarray:
        during.append(threads())
        return prepare(image)

    before = threads()
    read(made(name), prepare=count, want_sound=False)
    assert max(during) == before


def test_the_same_from_several_threads(made: Callable[[str], Path]) -> None:
    names = ["b_frames.mp4", "vp9.webm", "mpeg4.avi", "rotated_90.mp4"] * 3
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: numbers(read(made(name))), names))
    assert together == [[0, 12, 24, 36, 49]] * len(names)


# Real media


def manifest(media_dir: Path | None, *kinds: str) -> list[dict[str, Any]]:
    if media_dir is None:
        pytest.skip("there is no folder of real media")
    lines = (media_dir / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] in kinds]


def test_real_broken_files_end_as_they_are_known_to(media_dir: Path | None) -> None:
    for entry in manifest(media_dir, "broken"):
        assert media_dir is not None
        frames, error = attempt(media_dir / entry["path"])
        if frames is not None:
            assert entry["outcome"] == f"decodes ({frames.readable} frames)", entry["path"]
        else:
            assert not entry["outcome"].startswith("decodes"), (entry["path"], error)
        if entry["outcome"].startswith("audio"):
            assert "only sound" in str(error), (entry["path"], error)


def test_real_videos_decode(media_dir: Path | None) -> None:
    for entry in manifest(media_dir, "video"):
        assert media_dir is not None
        path = media_dir / entry["path"]
        if "vcodec" not in entry:
            assert "only sound" in str(attempt(path)[1])
            continue
        contents = read(path)
        assert contents.frames is not None
        # AVI may have packets that show nothing.
        missing = contents.frames.total - contents.frames.readable
        assert missing <= (1 if path.suffix == ".avi" else 0), path
        assert contents.duration_seconds == pytest.approx(entry["duration"], abs=1.0), path
        assert (contents.sound is not None) == entry["has_audio"], path
        turned = entry["rotation"] % 180 != 0
        assert (contents.width if turned else contents.height) == entry["height"], path
        if entry["nb_frames"] <= 150 and entry["height"] <= 1080:
            whole = decode_all(path)
            chosen = np.linspace(0, len(whole.frames) - 1, 5, dtype=int)
            assert np.array_equal(contents.frames.pixels, [whole.frames[i] for i in chosen]), path


# What the tests above need


def attempt(path: Path) -> tuple[Frames | None, VideoError | None]:
    try:
        return read(path).frames, None
    except VideoError as error:
        return None, error


def write(
    path: Path,
    pictures: list[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    container: str | None = None,
    options: dict[str, str] | None = None,
    max_b_frames: int | None = None,
    movflags: str = "",
) -> None:
    """Encode pictures at 25 frames a second."""
    flags = {"movflags": movflags} if movflags else {}
    with av.open(str(path), "w", format=container, options=flags) as output:
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = pix_fmt
        if max_b_frames is not None:
            stream.codec_context.max_b_frames = max_b_frames
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def write_growing(path: Path, folder: Path) -> None:
    """25 frames of 160 x 120, then 25 of 320 x 240, in one stream."""
    parts = [folder / "small.h264", folder / "large.h264"]
    for first, part in zip((0, 25), parts, strict=True):
        width, height = (160, 120) if first == 0 else (320, 240)
        write(part, [draw(first + i, width, height) for i in range(25)], max_b_frames=0)
    index = iter(range(50))
    small, large = (av.open(str(part)) for part in parts)
    with small, large, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(small.streams.video[0])
        for packet in (p for part in (small, large) for p in part.demux(video=0) if p.size):
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = next(index) * 40
            packet.duration, packet.stream = 40, stream
            output.mux(packet)


def remux(source: Path, target: Path, *, audio: Callable[[Any], Any]) -> None:
    """Copy a file packet by packet; those of the sound as `audio` changes them."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in opened.streams}
        for packet in opened.demux():
            if packet.size:
                stream = streams[packet.stream.index]
                packet = audio(packet) if packet.stream.type == "audio" else packet
                packet.stream = stream
                output.mux(packet)


def move(packet: Any, seconds: float) -> Any:
    packet.pts += round(seconds / packet.time_base)
    packet.dts = packet.pts
    return packet


def renew(packet: Any, content: bytes) -> Any:
    new = av.Packet(content)
    new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
    new.duration = packet.duration
    return new


def add_cover(source: Path, target: Path) -> None:
    with av.open(str(source)) as opened, av.open(str(target), "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in opened.streams}
        cover = output.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in opened.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
        frame = av.VideoFrame.from_ndarray(draw(7, 64, 64), "rgb24").reformat(format="yuvj420p")
        frame.pts = 0
        output.mux(cover.encode(frame))
        output.mux(cover.encode(None))


@contextmanager
def not_as_root() -> Iterator[None]:
    """Root may read everything; for the moment, be somebody else."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)

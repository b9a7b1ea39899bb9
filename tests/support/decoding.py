"""Support for tests of decoding: a reference that decodes everything, and files made to order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from pipeline.decode.sampling import frame_indices
from pipeline.decode.video import Contents, read_video
from pipeline.errors import VideoError
from pipeline.records import Frames
from tests.support.pictures import draw, read_frame_number

SIDE = 96


def prepare(image: Image.Image) -> np.ndarray:
    """Cut the middle square, as CLIP does."""
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
    """All frames of a video, decoded in order."""

    frames: list[av.VideoFrame]
    aspect: Fraction  # width of a pixel by its height

    @property
    def times(self) -> list[float]:
        return [frame.time for frame in self.frames]

    def prepared(self, numbers: Iterable[int]) -> list[np.ndarray]:
        """Some of them, upright and with square pixels, as `prepare` gives each."""
        return [prepare(self._seen(self.frames[number])) for number in numbers]

    def _seen(self, frame: av.VideoFrame) -> Image.Image:
        width = round(frame.width * self.aspect)
        image = Image.fromarray(frame.reformat(format="rgb24", threads=1).to_ndarray())
        if width != frame.width:
            image = image.resize((width, frame.height), Image.Resampling.BICUBIC)
        return image.rotate(frame.rotation, expand=True)


def decode_all(path: Path) -> Whole:
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        aspect = stream.sample_aspect_ratio or Fraction(1)
        frames = [frame for packet in container.demux(stream) for frame in decode(packet)]
        return Whole(frames, aspect)


def decode(packet: Any) -> list[av.VideoFrame]:
    try:
        return list(packet.decode())
    except av.error.InvalidDataError:
        return []


@dataclass(frozen=True)
class Order:
    """When the frames of a video are shown, seconds, and which of them are keyframes."""

    times: list[float]
    keyframes: list[int]

    def nearest(self, n: int) -> list[int]:
        """The keyframe nearest to each of `n` uniformly spaced frames, as a number of a frame."""
        moments = [self.times[i] for i in frame_indices(len(self.times), n)]
        distance = lambda k, moment: round(abs(self.times[k] - moment), 6)  # noqa: E731
        return [min(self.keyframes, key=lambda k: (distance(k, m), k)) for m in moments]


def order_of(path: Path) -> Order:
    """By decoding everything. A keyframe is what the file and the decoder both call one."""
    with av.open(str(path), metadata_errors="replace") as container:
        packets = list(container.demux(video=0))
        frames = [frame for packet in packets for frame in decode(packet)]
    packets = [packet for packet in packets if packet.size]
    is_timed = all(packet.pts is not None for packet in packets)
    called = {p.pts if is_timed else i for i, p in enumerate(packets) if p.is_keyframe}
    places = [frame.pts if is_timed else i for i, frame in enumerate(frames)]
    keyframes = [i for i, f in enumerate(frames) if f.key_frame and places[i] in called]
    return Order([i if f.time is None else f.time for i, f in enumerate(frames)], keyframes)


def attempt(path: Path, **options: Any) -> tuple[Frames | None, VideoError | None]:
    try:
        return read(path, **options).frames, None
    except VideoError as error:
        return None, error


def manifest(media_dir: Path | None, *kinds: str) -> list[dict[str, Any]]:
    """Entries of the real media of these kinds; skips the test where there are none."""
    if media_dir is None:
        pytest.skip("there is no folder of real media")
    lines = (media_dir / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] in kinds]


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
    steps: Sequence[int] | None = None,
) -> None:
    """Encode pictures at 25 frames a second, or each at its step of 1/25 s."""
    flags = {"movflags": movflags} if movflags else {}
    quick = {"preset": "veryfast"} if codec == "libx264" else {}
    with av.open(str(path), "w", format=container, options=flags) as output:
        stream = output.add_stream(codec, rate=25, options=quick | (options or {}))
        stream.codec_context.thread_count = 1  # starting others takes longer than such pictures
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = pix_fmt
        if max_b_frames is not None:
            stream.codec_context.max_b_frames = max_b_frames
        for step, picture in zip(steps or range(len(pictures)), pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = frame.reformat(format=pix_fmt, threads=1)
            frame.pts, frame.time_base = step, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def write_growing(path: Path, folder: Path) -> None:
    """Write 25 frames of 160 x 120, then 25 of 320 x 240, in one stream."""
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


def remux(source: Path, target: Path, *, audio: Callable[[Any], Any], tracks: int = 1) -> None:
    """Copy a file packet by packet.

    Args:
        source: has one video and one audio stream.
        target: the file to write.
        audio: changes each packet of the sound.
        tracks: number of audio tracks, all with the same sound.
    """
    with av.open(str(source)) as opened, av.open(str(target), "w") as output:
        video = output.add_stream_from_template(opened.streams.video[0])
        sounds = [output.add_stream_from_template(opened.streams.audio[0]) for _ in range(tracks)]
        for packet in (packet for packet in opened.demux() if packet.size):
            if packet.stream.type == "video":
                packet.stream = video
                output.mux(packet)
                continue
            changed = audio(packet)
            for sound in sounds:
                copy = renew(changed, bytes(changed))
                copy.stream = sound
                output.mux(copy)


def combine(target: Path, *tracks: tuple[Path, str, Disposition]) -> None:
    """Copy the first stream of a type (`video` or `audio`) of each source into one file.

    Args:
        target: the file to write.
        tracks: source, type and disposition of each stream, in the order of the file.
    """
    with ExitStack() as opened, av.open(str(target), "w") as output:
        pairs = []
        for source, kind, disposition in tracks:
            stream = next(iter(getattr(opened.enter_context(av.open(str(source))).streams, kind)))
            copy = output.add_stream_from_template(stream)
            copy.disposition = disposition
            pairs.append((stream, copy))
        for stream, copy in pairs:
            for packet in (p for p in stream.container.demux(stream) if p.size):
                packet.stream = copy
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
    """Run as another user for the moment: root may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)

"""Chosen frames of an open file: seek to the keyframe before each, decode on to it.

Frames that no other refers to are skipped: the same pixels as from decoding everything, for a
fraction of the time. Where timestamps cannot be trusted, or parts of the file are not there,
everything is decoded and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from pipeline.decode.container import Packet, Video, check_size, decoded
from pipeline.decode.images import as_seen, display_size
from pipeline.decode.packets import Survey, frame_duration
from pipeline.decode.sampling import Visit, frame_indices, plan_visits
from pipeline.errors import VideoError
from pipeline.records import Stage

Reopen = Callable[[], AbstractContextManager[Video]]

_TELLS_WHAT_IS_REFERRED_TO = frozenset({"h264", "hevc", "mpeg4", "vp8"})
"""Decoders that with skip_frame=NONREF leave out just the frames that no other refers to; H.263's,
for one, leaves out more and spoils what follows."""

_NO_FIELDS = frozenset({0, 1})
"""AVFieldOrder "unknown" and "progressive": a packet holds a frame, not perhaps one half of it."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """Args:
    frames: in order; one that was chosen more than once is the same object.
    seconds: when each is shown, from the first frame of the video on.
    readable: how many frames of the video can be decoded, as far as is known.
    """

    frames: list[VideoFrame]
    seconds: list[float]
    readable: int


class FrameReader:
    """Decodes chosen frames of one open file.

    Args:
        reopen: opens it once more, to start again from its first packet: not every container can
            be taken back there.
    """

    def __init__(self, video: Video, survey: Survey, reopen: Reopen) -> None:
        self._video = video
        self._survey = survey
        self._reopen = reopen

    def read(self, n: int) -> Chosen:
        """The `n` uniformly spaced frames.

        Raises:
            VideoError: no frame can be decoded.
        """
        if self._survey.is_whole and are_timestamps_true(self._video, self._survey):
            timestamps = self._survey.timestamps
            wanted = [timestamps[i] for i in frame_indices(len(timestamps), n)]
            found = self._by_seeking(wanted)
            if all(when in found for when in wanted):
                seconds = [self._seconds(when - timestamps[0]) for when in wanted]
                return Chosen([found[when] for when in wanted], seconds, len(timestamps))
        return self._by_counting(n)

    def _by_seeking(self, wanted: Sequence[int]) -> dict[int, VideoFrame]:
        found: dict[int, VideoFrame] = {}
        for visit in plan_visits(wanted, self._survey.keyframes):
            try:
                self._video.container.seek(visit.keyframe, stream=self._video.stream)
            except av.error.FFmpegError:
                break  # this container has no way to
            found.update(self._visit(visit))
        return found

    def _visit(self, visit: Visit) -> Iterator[tuple[int, VideoFrame]]:
        context = self._video.stream.codec_context
        targets, unread = set(visit.targets), set(visit.targets)
        landed = False
        skips = context.name in _TELLS_WHAT_IS_REFERRED_TO
        for packet in chain(self._video.packets(), [None]):
            if packet is not None:
                landed = landed or packet.is_discard  # an edit list may hide the keyframe itself
                if skips:
                    context.skip_frame = "DEFAULT" if packet.pts in targets else "NONREF"
                unread.discard(packet.pts)
            is_last = not unread and context.field_order in _NO_FIELDS
            for frame in self._decoded(packet, is_last=is_last):
                landed = landed or frame.key_frame
                if not landed:
                    return  # the container calls every packet a keyframe
                if frame.pts in targets:
                    yield frame.pts, frame
                    targets.discard(frame.pts)
            if is_last or not targets:
                return

    def _decoded(self, packet: Packet | None, *, is_last: bool) -> list[VideoFrame]:
        """What a packet completes; with the last one that is needed also what the decoder holds
        back to bring frames into order: the packets that follow would only be to get at that."""
        frames = decoded(self._video.stream, packet)
        if is_last and packet is not None:
            held = decoded(self._video.stream, None)
            frames += [frame for frame in held if not frame.interlaced_frame]
        return frames

    def _by_counting(self, n: int) -> Chosen:
        """Decode everything in order and keep what the count says; once more, where the number of
        frames turns out to be another than the number of packets."""
        expected = len(self._survey.timestamps)
        for _ in range(2):
            wanted = frame_indices(expected, n)
            kept, total = self._count(set(wanted))
            if total == expected:
                return Chosen([kept[i] for i in wanted], self._times(kept, wanted, total), total)
            if total == 0:
                raise VideoError(Stage.DECODE, "none of its frames can be decoded")
            expected = total
        raise VideoError(Stage.DECODE, "it has another number of frames each time it is decoded")

    def _count(self, wanted: Iterable[int]) -> tuple[dict[int, VideoFrame], int]:
        kept: dict[int, VideoFrame] = {}
        total = 0
        with self._reopen() as video:
            for packet in chain(video.packets(), [None]):
                for frame in decoded(video.stream, packet):
                    if total in wanted:
                        kept[total] = frame
                    total += 1
        return kept, total

    def _times(self, kept: dict[int, VideoFrame], wanted: Sequence[int], total: int) -> list[float]:
        """By the packets' timestamps where there are as many; else by the frames' own, or by the
        frame rate where those make no sense either."""
        timestamps = self._survey.timestamps
        if total == len(set(timestamps)) == len(timestamps):
            return [self._seconds(timestamps[i] - timestamps[0]) for i in wanted]
        own = [frame.pts for _, frame in sorted(kept.items()) if frame.pts is not None]
        makes_sense = len(own) == len(kept) and all(a < b for a, b in pairwise(own))
        if makes_sense and not _is_avi(self._video):
            return [self._seconds((kept[i].pts or 0) - own[0]) for i in wanted]
        return [float(i * frame_duration(self._video.stream)) for i in wanted]

    def _seconds(self, pts: int) -> float:
        return float(pts * self._survey.time_base)


def are_timestamps_true(video: Video, survey: Survey) -> bool:
    """Whether a timestamp tells one frame from the others, and when it is shown."""
    unique = len(set(survey.timestamps)) == len(survey.timestamps)
    return bool(survey.is_timed and unique and survey.keyframes and not _is_avi(video))


def _is_avi(video: Video) -> bool:
    """AVI has a frame rate and no times: FFmpeg's guess is wrong where there are B frames."""
    return "avi" in video.container.format.name.split(",")


def picture(frame: VideoFrame, stream: VideoStream, max_megapixels: float) -> Image.Image:
    """The frame as a person sees it: upright, with square pixels, in 8-bit RGB.

    High dynamic range (PQ, HLG) is not tone-mapped: what OpenCV gives, and so the seed's vectors.

    Raises:
        VideoError: it is too large with square pixels.
    """
    check_size(*seen_size(frame, stream), max_megapixels)
    # PyAV's own default is a thread for each core.
    (rgb,) = frame.reformat(format="rgb24", threads=1).planes
    size = (frame.width, frame.height)
    pixels = np.frombuffer(memoryview(rgb), np.uint8)
    image = Image.frombuffer("RGB", size, pixels, "raw", "RGB", rgb.line_size, 1)
    return as_seen(image, frame.rotation, _pixel_aspect(stream))


def seen_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height of that picture."""
    width, height = display_size(frame.width, frame.height, _pixel_aspect(stream))
    return (height, width) if round(frame.rotation / 90) % 2 else (width, height)


def _pixel_aspect(stream: VideoStream) -> Fraction:
    return stream.sample_aspect_ratio or Fraction(1)

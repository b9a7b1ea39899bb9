"""Chosen frames of an open file: seek to the keyframe before each and decode on to it.

Frames that no other refers to are skipped: the pixels are those of decoding everything, for a
fraction of the time. Where timestamps cannot be trusted, or parts of the file are missing, all
frames are decoded and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, pairwise

import av
from av.video.frame import VideoFrame

from pipeline.decode.container import OpenVideo, decoded
from pipeline.decode.packets import PacketIndex, frame_duration
from pipeline.decode.sampling import frame_indices, plan_seeks
from pipeline.errors import Stage, VideoError

Reopen = Callable[[], AbstractContextManager[OpenVideo]]

_EXACT_NONREF = frozenset({"h264", "hevc", "mpeg4", "vp8"})
"""Decoders whose skip_frame=NONREF leaves out just the frames that no other refers to. That of
H.263, for one, leaves out more and spoils what follows."""

_PROGRESSIVE = frozenset({0, 1})
"""AVFieldOrder "unknown" and "progressive": a packet holds a frame, and not one field of it."""


@dataclass(frozen=True, eq=False)
class SampledFrames:
    """The frames that stand for a video.

    Args:
        frames: in display order; a frame that was chosen twice is the same object twice.
        seconds: when each is shown, counted from the first frame of the video.
        readable: number of frames that decode, as far as is known.
    """

    frames: list[VideoFrame]
    seconds: list[float]
    readable: int


class FrameReader:
    """Decodes uniformly spaced frames of one open file.

    Args:
        video: the open file.
        index: its packets.
        reopen: opens the file again at its first packet; not every container can seek there.
    """

    def __init__(self, video: OpenVideo, index: PacketIndex, reopen: Reopen) -> None:
        self._video = video
        self._index = index
        self._reopen = reopen

    def read(self, n: int) -> SampledFrames:
        """Decode `n` uniformly spaced frames.

        Raises:
            VideoError: no frame decodes.
        """
        can_seek = self._index.is_whole and not self._index.restarts
        if can_seek and are_timestamps_true(self._video, self._index):
            timestamps = self._index.timestamps
            wanted = [timestamps[i] for i in frame_indices(len(timestamps), n)]
            found = self._by_seeking(wanted)
            if all(timestamp in found for timestamp in wanted):
                seconds = [self._index.seconds(timestamp) for timestamp in wanted]
                return SampledFrames([found[each] for each in wanted], seconds, len(timestamps))
        return self._by_counting(n)

    def _by_seeking(self, wanted: Sequence[int]) -> dict[int, VideoFrame]:
        found: dict[int, VideoFrame] = {}
        for seek in plan_seeks(wanted, self._index.keyframes):
            try:
                self._video.container.seek(seek.keyframe, stream=self._video.stream)
            except av.error.FFmpegError:
                break  # this container cannot seek
            found.update(_decode_group(self._video, seek.targets))
        return found

    def _by_counting(self, n: int) -> SampledFrames:
        """Decode everything in order and keep what the count says.

        Where there turn out to be more or fewer frames than packets, do it again with their number.
        """
        expected = len(self._index.timestamps)
        for _ in range(2):
            wanted = frame_indices(expected, n)
            kept, total = self._count(set(wanted))
            if total == expected:
                seconds = self._times(kept, wanted, total)
                return SampledFrames([kept[i] for i in wanted], seconds, total)
            if total == 0:
                raise VideoError(Stage.DECODE, "none of its frames can be decoded")
            expected = total
        raise VideoError(Stage.DECODE, "its number of frames differs each time that it is decoded")

    def _count(self, wanted: Iterable[int]) -> tuple[dict[int, VideoFrame], int]:
        """The wanted frames by their number, and the number of all."""
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
        """Seconds of the counted frames from the first.

        By the packets' timestamps where there is one for each frame; else by the frames' own, or by
        the frame rate where those do not ascend either.
        """
        timestamps = self._index.timestamps
        if total == len(set(timestamps)) == len(timestamps):
            return [self._index.seconds(timestamps[i]) for i in wanted]
        own = [frame.pts for _, frame in sorted(kept.items()) if frame.pts is not None]
        ascend = len(own) == len(kept) and all(a < b for a, b in pairwise(own))
        if ascend and not _is_avi(self._video):
            return [float(((kept[i].pts or 0) - own[0]) * self._index.time_base) for i in wanted]
        return [float(i * frame_duration(self._video.stream)) for i in wanted]


def _decode_group(video: OpenVideo, targets: tuple[int, ...]) -> dict[int, VideoFrame]:
    """Decode the frames with the target timestamps from the keyframe that the file stands at."""
    found: dict[int, VideoFrame] = {}
    for frame in _decode_up_to_last(video, targets):
        if frame.pts in targets:
            found[frame.pts] = frame
        if len(found) == len(targets):
            break
    return found


def _decode_up_to_last(video: OpenVideo, targets: tuple[int, ...]) -> Iterator[VideoFrame]:
    """Yield frames in display order until the last target's packet is decoded, or the file ends.

    Frames that are no target may be left out. Some containers call every packet a keyframe: where
    decoding does not begin at a true one, nothing is yielded.
    """
    context = video.stream.codec_context
    unread = set(targets)
    is_begun = False
    for packet in chain(video.packets(), [None]):
        if packet is not None:
            is_begun = is_begun or packet.is_discard  # an edit list may hide the keyframe
            if context.name in _EXACT_NONREF:
                context.skip_frame = "DEFAULT" if packet.pts in targets else "NONREF"
            unread.discard(packet.pts)
        frames = decoded(video.stream, packet)
        is_last = not unread and context.field_order in _PROGRESSIVE
        if is_last and packet is not None:
            # Later packets would only push out what the decoder holds back for reordering.
            held = decoded(video.stream, None)
            frames += [frame for frame in held if not frame.interlaced_frame]
        if frames and not is_begun:
            if not frames[0].key_frame:
                return
            is_begun = True
        yield from frames
        if is_last:
            return


def are_timestamps_true(video: OpenVideo, index: PacketIndex) -> bool:
    """Whether a timestamp tells one frame from the others, and when it is shown."""
    unique = len(set(index.timestamps)) == len(index.timestamps)
    return bool(index.is_timed and unique and index.keyframes and not _is_avi(video))


def _is_avi(video: OpenVideo) -> bool:
    """AVI has a frame rate and no times: FFmpeg's guess is wrong where there are B frames."""
    return "avi" in video.container.format.name.split(",")

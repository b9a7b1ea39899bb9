"""Keyframes in place of exact frames: each is decoded alone, and nothing else is.

The keyframe nearest to each moment stands for it; where that one does not decode, the nearest of
those that do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import av
from av.video.frame import VideoFrame

from pipeline.decode.container import OpenVideo, Packet, decoded
from pipeline.decode.frames import Reopen, SampledFrames, are_timestamps_true
from pipeline.decode.packets import Keyframe, PacketIndex, frame_duration
from pipeline.decode.sampling import frame_indices, nearest_places


class KeyframeReader:
    """Decodes keyframes of one open file.

    A keyframe's place is its timestamp, or, where timestamps cannot be trusted, its frame number.

    Args:
        video: the open file.
        index: its packets.
        reopen: opens the file again, where keyframes cannot be found by seeking.
    """

    def __init__(self, video: OpenVideo, index: PacketIndex, reopen: Reopen) -> None:
        self._video = video
        self._index = index
        self._reopen = reopen
        self._is_timed = are_timestamps_true(video, index)

    def read(self, n: int) -> SampledFrames | None:
        """Decode the keyframes nearest to `n` uniformly spaced frames; None where none decodes.

        A keyframe that is the nearest to several of them stands for each.
        """
        shown = self._index.shown_keyframes
        sampled = self._read(n, shown)
        if sampled is None:
            sampled = self._read(n, [keyframe for keyframe, _ in self._by_walking(shown)])
        return sampled

    def _read(self, n: int, keyframes: Sequence[Keyframe]) -> SampledFrames | None:
        """Choose among these keyframes; None where there are none, or a chosen one is damaged."""
        if not keyframes:
            return None
        moments = frame_indices(len(self._index.timestamps), n)
        if self._is_timed:
            moments = [self._index.timestamps[i] for i in moments]
        wanted = self._nearest(moments, keyframes)
        found = dict(self._decode(set(wanted)))
        if not all(keyframe in found for keyframe in wanted):
            return None
        damaged = len(self._index.shown_keyframes) - len(keyframes)
        return SampledFrames(
            [found[keyframe] for keyframe in wanted],
            [self._seconds(keyframe) for keyframe in wanted],
            len(self._index.timestamps) - damaged,
        )

    def near(self, moments: Sequence[float]) -> Iterator[tuple[float, VideoFrame]]:
        """Decode the keyframes nearest to moments, one at a time; damaged ones are left out.

        Args:
            moments: seconds from the first frame.

        Yields:
            The seconds of each keyframe, and the frame, in any order.
        """
        unit = self._index.time_base if self._is_timed else frame_duration(self._video.stream)
        if not self._index.shown_keyframes or not unit:
            return
        first = self._index.timestamps[0] if self._is_timed else 0
        places = [first + round(seconds / unit) for seconds in moments]
        wanted = set(self._nearest(places, self._index.shown_keyframes))
        for keyframe, frame in self._decode(wanted):
            yield self._seconds(keyframe), frame

    def _decode(self, wanted: Collection[Keyframe]) -> Iterator[tuple[Keyframe, VideoFrame]]:
        left = set(wanted)
        if self._is_timed and not self._index.restarts:
            for keyframe, frame in self._by_seeking(wanted):
                left.discard(keyframe)
                yield keyframe, frame
        yield from self._by_walking(left)

    def _nearest(self, moments: Sequence[int], keyframes: Sequence[Keyframe]) -> list[Keyframe]:
        by_place = {self._place(keyframe): keyframe for keyframe in keyframes}
        return [by_place[place] for place in nearest_places(moments, sorted(by_place))]

    def _place(self, keyframe: Keyframe) -> int:
        return keyframe.timestamp if self._is_timed else keyframe.frame

    def _seconds(self, keyframe: Keyframe) -> float:
        if self._is_timed:
            return self._index.seconds(keyframe.timestamp)
        return float(keyframe.frame * frame_duration(self._video.stream))

    def _by_seeking(self, wanted: Collection[Keyframe]) -> Iterator[tuple[Keyframe, VideoFrame]]:
        """Find keyframes by their timestamps; yield those that decode."""
        for keyframe in sorted(wanted, key=lambda each: each.packet):
            try:
                self._video.container.seek(keyframe.timestamp, stream=self._video.stream)
            except av.error.FFmpegError:
                break  # this container cannot seek
            for packet in self._video.packets():
                if packet.pts == keyframe.timestamp:
                    yield from ((keyframe, frame) for frame in _decode_alone(self._video, packet))
                    break

    def _by_walking(self, wanted: Collection[Keyframe]) -> Iterator[tuple[Keyframe, VideoFrame]]:
        """Find keyframes by their packet numbers from the start; yield those that decode."""
        if not wanted:
            return
        numbered = {keyframe.packet: keyframe for keyframe in wanted}
        last = max(numbered)
        with self._reopen() as video:
            for number, packet in enumerate(video.packets()):
                if number in numbered:
                    yield from ((numbered[number], frame) for frame in _decode_alone(video, packet))
                if number == last:
                    return


def _decode_alone(video: OpenVideo, packet: Packet) -> list[VideoFrame]:
    """Decode a keyframe's packet on its own.

    Gives nothing where the packet is damaged, or holds no keyframe: some containers call every
    packet one.
    """
    video.stream.codec_context.flush_buffers()
    frames = [*decoded(video.stream, packet), *decoded(video.stream, None)]
    return [frame for frame in frames if frame.key_frame and not frame.is_corrupt][-1:]

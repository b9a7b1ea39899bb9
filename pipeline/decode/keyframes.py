"""Keyframes in place of exact frames: each is decoded alone, and nothing else is.

The nearest to each moment is what stands for it. Where even that cannot be decoded, the nearest of
those that can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import av
from av.video.frame import VideoFrame

from pipeline.decode.container import Packet, Video, decoded
from pipeline.decode.frames import Chosen, Reopen, are_timestamps_true
from pipeline.decode.packets import Keyframe, Survey, frame_duration
from pipeline.decode.sampling import frame_indices, nearest_places


class KeyframeReader:
    """Decodes keyframes of one open file. Places in it are timestamps, or, where those cannot be
    trusted, numbers of frames.

    Args:
        reopen: opens it once more, where keyframes cannot be found by seeking.
    """

    def __init__(self, video: Video, survey: Survey, reopen: Reopen) -> None:
        self._video = video
        self._survey = survey
        self._reopen = reopen
        self._is_timed = are_timestamps_true(video, survey)

    def read(self, n: int) -> Chosen | None:
        """The keyframes nearest to `n` uniformly spaced frames; None where there is none that
        decodes. One that is the nearest to several of them is taken for each."""
        all_there = self._survey.shown_keyframes
        chosen = self._read(n, all_there)
        if chosen is None:
            chosen = self._read(n, [keyframe for keyframe, _ in self._by_walking(all_there)])
        return chosen

    def _read(self, n: int, keyframes: Sequence[Keyframe]) -> Chosen | None:
        """None where there are none, or one of those that are chosen does not decode."""
        if not keyframes:
            return None
        wanted = self._nearest(n, keyframes)
        found = self._by_seeking(set(wanted)) if self._is_timed else {}
        found.update(self._by_walking(set(wanted) - set(found)))
        if not all(keyframe in found for keyframe in wanted):
            return None
        broken = len(self._survey.shown_keyframes) - len(keyframes)
        return Chosen(
            [found[keyframe] for keyframe in wanted],
            [self._seconds(keyframe) for keyframe in wanted],
            len(self._survey.timestamps) - broken,
        )

    def _nearest(self, n: int, keyframes: Sequence[Keyframe]) -> list[Keyframe]:
        moments = frame_indices(len(self._survey.timestamps), n)
        if self._is_timed:
            moments = [self._survey.timestamps[i] for i in moments]
        places = {self._place(keyframe): keyframe for keyframe in keyframes}
        return [places[place] for place in nearest_places(moments, sorted(places))]

    def _place(self, keyframe: Keyframe) -> int:
        return keyframe.timestamp if self._is_timed else keyframe.frame

    def _seconds(self, keyframe: Keyframe) -> float:
        if self._is_timed:
            since_start = keyframe.timestamp - self._survey.timestamps[0]
            return float(since_start * self._survey.time_base)
        return float(keyframe.frame * frame_duration(self._video.stream))

    def _by_seeking(self, wanted: Collection[Keyframe]) -> dict[Keyframe, VideoFrame]:
        found: dict[Keyframe, VideoFrame] = {}
        for keyframe in sorted(wanted, key=lambda each: each.packet):
            try:
                self._video.container.seek(keyframe.timestamp, stream=self._video.stream)
            except av.error.FFmpegError:
                break  # this container has no way to
            for packet in self._video.packets():
                if packet.pts == keyframe.timestamp:
                    found.update((keyframe, frame) for frame in _alone(self._video, packet))
                    break
        return found

    def _by_walking(self, wanted: Collection[Keyframe]) -> Iterator[tuple[Keyframe, VideoFrame]]:
        """From the first packet on, by their numbers; those that decode."""
        if not wanted:
            return
        numbered = {keyframe.packet: keyframe for keyframe in wanted}
        last = max(numbered)
        with self._reopen() as video:
            for number, packet in enumerate(video.packets()):
                if number in numbered:
                    yield from ((numbered[number], frame) for frame in _alone(video, packet))
                if number == last:
                    return


def _alone(video: Video, packet: Packet) -> list[VideoFrame]:
    """The picture of a keyframe, decoded as if it were all there is; none where it is damaged, or
    no keyframe at all: some containers call every packet one."""
    video.stream.codec_context.flush_buffers()
    frames = [*decoded(video.stream, packet), *decoded(video.stream, None)]
    return [frame for frame in frames if frame.key_frame and not frame.is_corrupt][-1:]

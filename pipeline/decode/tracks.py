"""Which of several video and audio streams a player would show and play."""

from __future__ import annotations

from typing import TypeVar

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from pipeline.errors import Stage, VideoError

AnyStream = TypeVar("AnyStream", bound=Stream)


def choose_video(container: InputContainer) -> VideoStream:
    """Choose the default one of the films, else the first that is not much shorter than another.

    Cover pictures do not count, and neither does a still picture beside a film.

    Raises:
        VideoError: there is no video stream, or none that this build of FFmpeg can decode.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError(Stage.DECODE, _without_video(container))
    known = _with_decoder(streams)
    if not known:
        raise VideoError(Stage.DECODE, "this build of FFmpeg has no decoder for its video codec")
    films = [stream for stream in known if stream.frames != 1 and stream.average_rate] or known
    films = [stream for stream in films if _is_default(stream)] or films
    longest = max(map(_seconds, films))
    return next(film for film in films if 2 * _seconds(film) >= longest)


def rank_audio(container: InputContainer) -> list[AudioStream]:
    """Audio streams that this build of FFmpeg can decode, the default ones first."""
    return sorted(_with_decoder(container.streams.audio), key=_is_default, reverse=True)


def _with_decoder(streams: tuple[AnyStream, ...] | list[AnyStream]) -> list[AnyStream]:
    return [stream for stream in streams if stream.codec_context is not None]


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _seconds(stream: VideoStream) -> float:
    """Duration by the header; 0 where it has none."""
    return float((stream.duration or 0) * (stream.time_base or 0))


def _without_video(container: InputContainer) -> str:
    if container.streams.audio:
        return "it has sound only, and no video stream"
    return "it has no video stream" if len(container.streams) else "it has no streams at all"

"""Which files browsers play as they are.

What plays is what Chromium plays without codecs that need a licence (HEVC) or that nobody uses in
pages (MPEG-4 part 2): h264, VP8, VP9 and AV1 in MP4, QuickTime, Matroska and WebM.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from pathlib import Path

from pipeline.decode.container import OpenVideo, open_video
from pipeline.decode.tracks import rank_audio

LATE_SECONDS = 0.5  # of the start of a Matroska file

_CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm"})
_PICTURES = frozenset({"h264", "vp8", "vp9", "av1"})
_PICTURE_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le", "yuv444p", "yuv422p"})
_SOUNDS = frozenset({"aac", "mp3", "opus", "vorbis", "flac"})


class Playback(StrEnum):
    """What a browser needs to play a video."""

    FILE = "file"  # nothing
    REMUX = "remux"  # another container, or other sound
    ENCODE = "encode"  # other pictures


def playback_of(location: Path) -> Playback:
    """Find out what a browser needs to play a file; only its header is read.

    Raises:
        VideoError: the file cannot be opened or has no video stream.
    """
    with open_video(location, inf) as video:
        return kind_of(video)


def kind_of(video: OpenVideo) -> Playback:
    """Find out what a browser needs to play a video that is open."""
    context = video.stream.codec_context
    if context.name not in _PICTURES and context.codec.canonical_name not in _PICTURES:
        return Playback.ENCODE
    if context.pix_fmt not in _PICTURE_FORMATS:
        return Playback.ENCODE
    names = set(video.container.format.name.split(","))
    if "matroska" in names and start_of(video) > LATE_SECONDS:
        return Playback.REMUX  # a player's clock would begin there, and moments would not fit
    sounds = {track.codec_context.codec.canonical_name for track in rank_audio(video.container)[:1]}
    return Playback.FILE if names & _CONTAINERS and sounds <= _SOUNDS else Playback.REMUX


def start_of(video: OpenVideo) -> float:
    """Timestamp of the earlier one of the first picture and the first sound, seconds."""
    streams = [video.stream, *rank_audio(video.container)[:1]]
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in streams
        if stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=0.0)

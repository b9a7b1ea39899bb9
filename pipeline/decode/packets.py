"""One pass over a file's packets, which decodes no picture: true timestamps, and the sound.

Counts and durations in headers are often wrong; the frames that exist have packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av.video.stream import VideoStream

from pipeline.decode.audio import MAX_SILENCE_SECONDS, AudioCollector
from pipeline.decode.container import OpenVideo, Packet

RESTART_SECONDS = 0.1
"""A decode timestamp that lies this far behind the expected one starts a new count, as for FFmpeg's
own command line (`ts_discontinuity_detect` in fftools/ffmpeg_demux.c)."""


@dataclass(frozen=True)
class Keyframe:
    """Where to find a keyframe that is shown.

    Args:
        packet: index among the video's packets.
        frame: index among the shown frames, in the order of the file.
        timestamp: when it is shown, in the index's time base.
    """

    packet: int
    frame: int
    timestamp: int


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """What the packets of a video tell.

    Args:
        time_base: unit of the timestamps, seconds.
        timestamps: of the frames that are shown, ascending.
        keyframes: timestamps that decoding can start at, shown or not, ascending.
        shown_keyframes: the shown ones among them, in the order of the file.
        end: timestamp at which the last frame ends.
        is_timed: whether every packet has a timestamp; where not, frames are numbered, and the
            time base is a frame's duration.
        restarts: whether timestamps began again on the way, as in concatenated transport streams;
            here they go on, and the file cannot be searched for them.
        missing: number of packets that the file promises and does not have.
        is_whole: whether no packet is missing or marked as damaged.
    """

    time_base: Fraction
    timestamps: list[int]
    keyframes: list[int]
    shown_keyframes: list[Keyframe]
    end: int
    is_timed: bool
    restarts: bool
    missing: int
    is_whole: bool

    @property
    def total(self) -> int:
        """Number of frames that the file claims to hold."""
        return len(self.timestamps) + self.missing

    @property
    def start_seconds(self) -> float:
        return float(self.timestamps[0] * self.time_base)

    @property
    def duration_seconds(self) -> float:
        return self.seconds(self.end)

    def seconds(self, timestamp: int) -> float:
        """Seconds from the first shown frame to a timestamp."""
        return float((timestamp - self.timestamps[0]) * self.time_base)


def index_packets(video: OpenVideo, audio: AudioCollector | None) -> PacketIndex:
    """Read a file to its end.

    Args:
        video: the open file, at its start.
        audio: collects the sound on the way; None where no sound is wanted.
    """
    stream = video.stream
    shown: list[tuple[int, int]] = []
    keyframes: list[int] = []
    shown_keyframes: list[Keyframe] = []
    count, is_timed, is_whole = 0, True, True
    clock = _Clock(stream) if video.may_restart else None
    for packet in video.packets(*([audio.stream] if audio else [])):
        if audio and packet.stream is audio.stream:
            audio.add(packet)
            continue
        is_timed = is_timed and packet.pts is not None
        is_whole = is_whole and not packet.is_corrupt
        shift = clock.shift(packet) if clock else 0
        start = packet.pts + shift if packet.pts is not None else count
        is_shown = not packet.is_discard and not _is_hidden(packet)
        if packet.is_keyframe:
            keyframes.append(start)
            if is_shown:
                shown_keyframes.append(Keyframe(count, len(shown), start))
        if is_shown:
            shown.append((start, packet.duration or 0))
        count += 1
    if not is_timed:
        shown = [(i, 1) for i in range(len(shown))]
    missing = max(_promised(video) - count, 0)
    return PacketIndex(
        time_base=(stream.time_base if is_timed else frame_duration(stream)) or Fraction(0),
        timestamps=sorted(start for start, _ in shown),
        keyframes=sorted(keyframes),
        shown_keyframes=shown_keyframes,
        end=_end(video, shown),
        is_timed=is_timed,
        restarts=clock is not None and clock.has_restarted,
        missing=missing,
        is_whole=is_whole and not missing,
    )


class _Clock:
    """Lets the timestamps of a stream go on where they begin again.

    A clock that begins again far back jumps 26.5 hours ahead: FFmpeg takes it for one of 33 bits
    that has wrapped around. So a jump by more than an hour counts as beginning again, too.

    Args:
        stream: the video stream.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._tolerance = round(RESTART_SECONDS / (stream.time_base or 1))
        self._limit = round(MAX_SILENCE_SECONDS / (stream.time_base or 1))
        self._shift = 0
        self._expected: int | None = None
        self.has_restarted = False

    def shift(self, packet: Packet) -> int:
        """What to add to the packet's timestamps; packets come in the order of the file."""
        if packet.dts is not None:
            if self._expected is not None:
                ahead = packet.dts + self._shift - self._expected
                if not -self._tolerance <= ahead <= self._limit:
                    self._shift -= ahead
                    self.has_restarted = True
            self._expected = packet.dts + self._shift + (packet.duration or 0)
        return self._shift


def _end(video: OpenVideo, shown: list[tuple[int, int]]) -> int:
    """Timestamp at which the last frame ends.

    MP4 has durations from one packet to the next in decoding order, which with B frames are not
    those of the frames: only their sum is true.

    Args:
        video: the open file.
        shown: timestamp and duration of each packet with a frame to show.
    """
    if not shown:
        return 0
    (first, _), (last, _) = min(shown), max(shown)
    end = first + sum(duration for _, duration in shown)
    if _is_mp4(video) and end > last:  # else packets are missing
        return end
    return max(start + duration for start, duration in shown)


def _is_mp4(video: OpenVideo) -> bool:
    return "mp4" in video.container.format.name.split(",")


def _promised(video: OpenVideo) -> int:
    """Number of packets by the sample table of an MP4 file, which says where each of them lies.

    An edit list that trims the end takes samples out of FFmpeg's index of the table, not out of
    their number in the header. 0 for other formats, whose headers have a count at most as a remark.
    """
    return min(video.stream.frames, len(video.stream.index_entries)) if _is_mp4(video) else 0


def frame_duration(stream: VideoStream) -> Fraction:
    """Seconds, by the frame rate that the file claims or FFmpeg guesses; 0 where there is none."""
    rate = stream.average_rate or stream.guessed_rate
    return 1 / rate if rate else Fraction(0)


def _is_hidden(packet: Packet) -> bool:
    """Whether a VP8 or VP9 packet only updates references and shows no picture.

    By the bit `show_frame` of RFC 6386, section 9.1, and of the VP9 bitstream specification,
    section 6.2; a VP9 superframe (its last byte is marked 0b110) always shows one.
    """
    codec = packet.stream.codec_context.name
    if codec in ("vp8", "libvpx"):
        return not memoryview(packet)[0] & 0x10
    if codec in ("vp9", "libvpx-vp9"):
        data = memoryview(packet)
        first, last = data[0], data[-1]
        profile = (first >> 5 & 1) | (first >> 3 & 2)
        shift = 3 if profile < 3 else 2
        shows_existing, shows = first >> shift & 1, first >> (shift - 2) & 1
        return not (last & 0xE0 == 0xC0 or shows_existing or shows)
    return False

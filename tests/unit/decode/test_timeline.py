"""Frames, sound and the end of a video have the times at which a player shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.decoding import move, numbers, read, remux, renew, write
from tests.support.media import make_video
from tests.support.pictures import draw


def test_a_picture_that_stands_near_the_end_lasts_once(tmp_path: Path) -> None:
    """With B frames the durations in an MP4 file are those of other frames."""
    path = tmp_path / "still.mp4"
    steps = [*range(45), *range(545, 550)]
    write(path, [draw(i, 160, 120) for i in range(50)], max_b_frames=2, steps=steps)
    contents = read(path)
    assert contents.frames is not None
    assert contents.frames.times[-1] == pytest.approx(549 / 25)
    assert contents.duration_seconds == pytest.approx(550 / 25, abs=0.1)


@pytest.mark.parametrize("at_keyframes", [False, True])
@pytest.mark.parametrize("audio", [None, "speech"])
@pytest.mark.parametrize("start_seconds", [0.0, 200.0])
def test_concatenated_transport_streams_go_on(
    start_seconds: float, audio: Any, at_keyframes: bool, tmp_path: Path
) -> None:
    """The second counts its times from the start of the first, or from minutes before."""
    path, second = tmp_path / "twice.ts", tmp_path / "second.ts"
    make_video(path, audio=audio, b_frames=2, start_seconds=start_seconds)
    make_video(second, audio=audio, b_frames=2)
    path.write_bytes(path.read_bytes() + second.read_bytes())
    contents = read(path, at_keyframes=at_keyframes)
    taken = [0, 24, 48, 74, 98] if at_keyframes else [0, 24, 49, 74, 99]
    assert numbers(contents) == [i % 50 for i in taken]
    assert contents.frames is not None
    assert contents.frames.times == pytest.approx(np.array(taken) / 25, abs=0.05)
    assert contents.frames.readable == contents.frames.total == 100
    assert contents.duration_seconds == pytest.approx(4, abs=0.1)
    if audio:
        assert contents.sound is not None
        assert contents.sound.end_seconds == pytest.approx(4, abs=0.1)


# Which starts first


@pytest.mark.parametrize("at_keyframes", [False, True])
@pytest.mark.parametrize(
    ("late", "pictures", "sound"),
    [
        (0.5, 0.0, 0.5),
        (20.0, 0.0, 20.0),
        (-0.5, 0.5, 0.0),
        (-9.0, 9.0, 0.0),
        (-0.05, 0.0, -0.05),  # as encoders leave it
        (9e9, 0.0, 0.0),  # a broken clock
    ],
)
def test_a_video_starts_with_its_first_picture_or_sound(
    late: float, pictures: float, sound: float, at_keyframes: bool,
    made: Callable[[str], Path], tmp_path: Path,
) -> None:  # fmt: skip
    """And so it does where only the pictures are wanted."""
    path = tmp_path / "late.mkv"
    remux(made("late_start.mkv"), path, audio=lambda packet: move(packet, late))
    contents = read(path, at_keyframes=at_keyframes)
    alone = read(path, at_keyframes=at_keyframes, want_sound=False)
    assert contents.sound is not None
    assert alone.sound is None
    assert contents.sound.start_seconds == pytest.approx(sound, abs=0.02)
    assert contents.duration_seconds == pytest.approx(2.0 + max(pictures, sound), abs=0.05)
    for each in (contents, alone):
        assert each.frames is not None
        assert each.frames.times[0] == pytest.approx(pictures, abs=0.02)
        seen = np.array(numbers(each)) / 25
        assert each.frames.times - each.frames.times[0] == pytest.approx(seen, abs=0.002)


# Sound that is not where the sound before it ends


def moved_after(seconds: float, by: float) -> Callable[[Any], Any]:
    """Move the sound from a moment on; late_start.mkv starts at 10 s."""

    def change(packet: Any) -> Any:
        decode_timestamp = packet.pts + round(min(by, 0) / packet.time_base)
        if packet.pts * packet.time_base >= seconds:
            packet = move(packet, by)
        if by < 0:  # Matroska does not store it, and its muxer wants it to ascend
            packet.dts = decode_timestamp
        return packet

    return change


def samples_of(path: Path) -> np.ndarray:
    sound = read(path, n_frames=0).sound
    assert sound is not None
    return sound.samples


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_gap_in_the_sound_is_silence(
    suffix: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / f"gap.{suffix}"
    remux(made("speech.mp4"), path, audio=moved_after(5, 20))
    whole, samples = samples_of(made("speech.mp4")), samples_of(path)
    assert len(samples) == pytest.approx(len(whole) + 20 * 16_000, abs=1600)
    assert np.abs(samples[6 * 16_000 : 24 * 16_000]).max() == 0
    assert likeness(samples[: 4 * 16_000], whole[: 4 * 16_000]) > 0.9
    assert likeness(samples[26 * 16_000 : 30 * 16_000], whole[6 * 16_000 : 10 * 16_000]) > 0.9
    assert read(path).duration_seconds == pytest.approx(31, abs=0.1)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of loudness in steps of 0.1 s: a sample or two more or less do not matter."""
    return float(
        np.corrcoef(*(np.abs(each).reshape(-1, 1600).mean(axis=1) for each in (a, b)))[0, 1]
    )


def test_packets_that_do_not_decode_leave_their_time(
    made: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "damaged.mp4"
    remux(
        made("speech.mp4"),
        path,
        audio=lambda p: renew(p, b"\xff" * p.size) if 3 <= p.pts * p.time_base < 6 else p,
    )
    whole, samples = samples_of(made("speech.mp4")), samples_of(path)
    assert len(samples) == pytest.approx(len(whole), abs=1600)
    assert likeness(samples[7 * 16_000 : 10 * 16_000], whole[7 * 16_000 : 10 * 16_000]) > 0.9


def test_sound_that_comes_twice_is_heard_once(made: Callable[[str], Path], tmp_path: Path) -> None:
    """As where pieces of a stream overlap."""
    path = tmp_path / "overlap.mkv"
    remux(made("late_start.mkv"), path, audio=moved_after(11, -0.5))
    whole, samples = samples_of(made("late_start.mkv")), samples_of(path)
    assert len(samples) == pytest.approx(len(whole) - 0.5 * 16_000, abs=1600)


@pytest.mark.parametrize("by", [7200.0, -10.9, 1e7])
def test_a_broken_clock_neither_makes_hours_nor_drops_the_rest(
    by: float, made: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "broken.mkv"
    remux(made("late_start.mkv"), path, audio=moved_after(11, by))
    assert len(samples_of(path)) == pytest.approx(len(samples_of(made("late_start.mkv"))), abs=1600)


def test_the_sound_of_concatenated_transport_streams_goes_on(tmp_path: Path) -> None:
    """Their times overlap, and nothing of it is dropped."""
    path = tmp_path / "thrice.ts"
    make_video(path, audio="tone")
    path.write_bytes(path.read_bytes() * 3)
    samples = samples_of(path)
    assert len(samples) == pytest.approx(6 * 16_000, abs=3200)
    assert np.abs(samples[: len(samples) // 1600 * 1600]).reshape(-1, 1600).max(axis=1).min() > 1000

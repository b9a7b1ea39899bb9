"""Of several tracks, the one that a player shows or plays is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from pipeline.decode.video import Contents
from tests.support.decoding import combine, numbers, read, write
from tests.support.media import make_video
from tests.support.pictures import draw

PLAIN, DEFAULT = Disposition(0), Disposition.default
Made = Callable[[str], Path]


def is_silent(contents: Contents) -> bool:
    assert contents.sound is not None
    return bool(np.abs(contents.sound.samples).max() < 10)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("first", "second", "silent"),
    [(PLAIN, DEFAULT, False), (DEFAULT, PLAIN, True), (DEFAULT, DEFAULT, True)],
)
def test_the_default_audio_track_is_heard(
    first: Disposition, second: Disposition, silent: bool, suffix: str, made: Made, tmp_path: Path
) -> None:
    """A silent track that is the default one is what a player plays."""
    path = tmp_path / f"tracks.{suffix}"
    combine(
        path,
        (made("speech.mp4"), "video", DEFAULT),
        (made("silent_audio.mp4"), "audio", first),
        (made("speech.mp4"), "audio", second),
    )
    assert is_silent(read(path)) == silent


def test_a_default_audio_track_that_does_not_decode_gives_way(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    combine(
        path,
        (made("speech.mp4"), "audio", DEFAULT),
        (made("tone.mp4"), "audio", PLAIN),
        (made("tone.mp4"), "video", DEFAULT),
    )
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    content = bytearray(path.read_bytes())
    for start, size in places:
        content[start : start + size] = b"\xff" * size
    path.write_bytes(content)
    contents = read(path)
    assert contents.sound is not None
    assert contents.sound.end_seconds == pytest.approx(2, abs=0.1)
    assert not is_silent(contents)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("still", [PLAIN, DEFAULT])
def test_a_still_picture_does_not_hide_the_film(
    still: Disposition, suffix: str, tmp_path: Path
) -> None:
    """Not every cover picture has the flag of one."""
    picture, film, path = tmp_path / "still.mkv", tmp_path / "film.mp4", tmp_path / f"a.{suffix}"
    write(picture, [draw(9, 320, 240)], codec="mjpeg", pix_fmt="yuvj420p")
    make_video(film)
    combine(path, (picture, "video", still), (film, "video", DEFAULT))
    contents = read(path)
    assert numbers(contents) == [0, 12, 24, 36, 49]
    assert (contents.width, contents.height) == (160, 120)


def test_of_two_films_the_default_one_is_shown_then_the_first(tmp_path: Path) -> None:
    small, large, path = tmp_path / "small.mp4", tmp_path / "large.mp4", tmp_path / "two.mp4"
    make_video(small)
    make_video(large, width=320, height=240, seconds=2.2)
    for first, second, width in ((DEFAULT, DEFAULT, 160), (PLAIN, DEFAULT, 320)):
        combine(path, (small, "video", first), (large, "video", second))
        assert read(path).width == width

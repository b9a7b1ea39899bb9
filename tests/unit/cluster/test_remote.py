"""What becomes of files whose actor is lost, with actors that a test loses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.cluster.pool import Lost, Silent
from pipeline.cluster.remote import CRASHES, RemoteEmbedder, RemoteReader, RemoteVideo
from pipeline.errors import Stage
from pipeline.models.preprocess import Preprocess
from pipeline.outcomes import Failure, Left
from pipeline.records import Task, VideoFile

FILE = VideoFile("a.mp4", Path("/videos/a.mp4"), 1, 1)
TASK = Task(FILE, "digest")
PREPROCESS = Preprocess((8, 8), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Actors:
    """A pool whose answers are given one after the other; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.alone: list[bool] = []

    def call(self, method: str, *arguments: Any, alone: bool = False, **_: Any) -> Any:
        self.alone.append(alone)
        answer = next(self._answers)
        if isinstance(answer, Callable):
            answer = answer(*arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer, "reference", "seat"


CRASH, AWAY = Lost("it died", guilty=True), Lost("its node died", guilty=False)


def reader(*answers: Any) -> tuple[RemoteReader, Actors]:
    actors = Actors(*answers)
    return RemoteReader(actors, lambda: PREPROCESS, 3.0), actors


def test_a_file_goes_to_another_actor_and_from_the_third_on_alone() -> None:
    read, actors = reader(CRASH, AWAY, AWAY, CRASH, CRASH, "digest")
    assert read.hash(FILE) == "digest"
    assert actors.alone == [False, False, False, False, True, True]


def test_a_file_that_takes_actors_down_also_alone_is_to_blame() -> None:
    reason = "it crashes the process (SIGSEGV)"
    for trial, told in ((reason, reason), (None, CRASHES), (CRASH, CRASHES)):
        read, _ = reader(CRASH, CRASH, CRASH, CRASH, trial)
        assert read.decode(TASK, None) == Failure(FILE, Stage.CRASH, told, "digest")


def test_a_file_whose_reading_does_not_come_back_fails_as_on_one_machine() -> None:
    read, _ = reader(Silent())
    reason = "reading it has hung for longer than decode.timeout_seconds = 3"
    assert read.decode(TASK, None) == Failure(FILE, Stage.DECODE, reason, "digest")


def test_what_is_decoded_stays_where_it_is() -> None:
    read, _ = reader(1_000)
    assert read.decode(TASK, None) == RemoteVideo(TASK, "reference", 1_000)


VIDEOS = [
    RemoteVideo(Task(VideoFile(f"{n}.mp4", Path(f"/videos/{n}.mp4"), 1, 1), str(n)), n, 1)
    for n in range(3)
]


def decode_again(task: Task) -> Iterator[Any]:
    yield RemoteVideo(task, int(task.content_hash), 1)


def embedder(*answers: Any) -> tuple[RemoteEmbedder, Actors]:
    actors = Actors(*answers)
    return RemoteEmbedder(actors, decode_again, blame), actors


def blame(file: VideoFile, digest: str) -> Failure:
    return Failure(file, Stage.CRASH, CRASHES, digest)


def test_a_batch_is_embedded_again_by_another_actor() -> None:
    embed, actors = embedder(AWAY, CRASH, *(lambda n: [f"row {n}"],) * 3)
    assert embed.embed(VIDEOS) == ["row 0", "row 1", "row 2"]
    assert actors.alone == [False, False, True, True, True]


def test_one_video_of_a_batch_is_to_blame_and_the_others_are_not() -> None:
    crashes_on_1 = lambda *numbers: CRASH if 1 in numbers else [f"row {n}" for n in numbers]  # noqa: E731
    embed, _ = embedder(*(crashes_on_1,) * 6)
    first, blamed, last = embed.embed(VIDEOS)
    assert (first, last) == ("row 0", "row 2")
    assert blamed == Failure(VIDEOS[1].task.file, Stage.CRASH, CRASHES, "1")


@pytest.mark.parametrize("losses", [1, 3])
def test_a_video_that_changed_before_it_was_decoded_again_is_left(losses: int) -> None:
    left = Left(FILE)
    actors = Actors(*(CRASH,) * losses)
    tries: Iterator[list[Any]] = iter([*([[VIDEOS[0]]] * (losses - 1)), [left]])
    embed = RemoteEmbedder(actors, lambda _: iter(next(tries)), blame)
    assert embed.embed(VIDEOS[:1]) == [left]

"""What a pool says when no actor can be had, and when no object can be kept, with a made-up Ray."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cluster.actors import Answer
from pipeline.cluster.placement import Place
from pipeline.cluster.pool import Lost, Pool
from pipeline.errors import PipelineError
from tests.support.late import late

ray = late("ray")
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")

PLACE = Place("node", 0, 1.0)


class Remote:
    """A method of an actor, whose answer is there at once."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def options(self, **_: Any) -> Remote:
        return self

    def remote(self, *_: Any) -> Any:
        return self._answer


class MadeUpRay:
    """Answers are their own references; an exception is raised. Nothing that is None is ready."""

    @property
    def exceptions(self) -> Any:
        return ray.exceptions

    def wait(self, references: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        done = [each for each in references if each is not None]
        return done, [each for each in references if each is None]

    def get(self, reference: Any, **_: Any) -> Any:
        if isinstance(reference, Exception):
            raise reference
        return reference

    def kill(self, actor: Any) -> None:
        pass


def pool(places: list[Place], *, started: Any = True, answer: Any = None) -> Pool:
    actor = SimpleNamespace(start=Remote(started), work=Remote(answer))
    return Pool(
        MadeUpRay(), "decoder", lambda _: actor, lambda: places,
        calls=lambda _: 1, hear=lambda _: None, patience_seconds=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("places", [[], [PLACE]])
def test_a_run_without_any_worker_ends_with_what_to_do(places: list[Place]) -> None:
    with pytest.raises(PipelineError, match=r"no decoder has been alive .* start nodes again"):
        pool(places, started=None).call("work")


def test_an_actor_that_runs_is_asked() -> None:
    assert pool([PLACE], answer=Answer(3)).call("work")[0] == 3


def test_an_actor_stays_where_a_new_plan_gives_each_less() -> None:
    places = [PLACE]
    asked = pool(places, answer=Answer(3))
    _, _, seat = asked.call("work")
    places[:] = [replace(PLACE, cores=0.5), Place("node", 1, 0.5)]
    asked._next_look = 0.0
    asked.call("work")
    assert [each.place for each in asked._seats] == [PLACE, places[1]]
    assert asked._seats[0] is seat


def test_a_full_disk_under_a_full_object_store_ends_the_run() -> None:
    full = ray.exceptions.OutOfDiskError("Local disk is full")
    with pytest.raises(PipelineError, match="make room there"):
        pool([PLACE], answer=full).call("work")


def test_what_an_actor_without_memory_had_in_hand_may_be_to_blame() -> None:
    with pytest.raises(Lost) as caught:
        pool([PLACE], answer=ray.exceptions.OutOfMemoryError("killed")).call("work")
    assert caught.value.guilty

"""Actors of one kind: started where they belong, asked, and replaced when they die.

Whoever waits for an actor looks after all of them meanwhile; there is no thread for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pipeline.cluster.actors import Answer
from pipeline.cluster.placement import Place
from pipeline.errors import PipelineError

LOOK_SECONDS = 1.0
STARTING_SECONDS = 0.1  # between two looks while actors start

PULSE = "pulse"
"""Group of methods that an actor answers to while it works."""

log = logging.getLogger(__name__)


class Lost(Exception):
    """What an actor had in hand is lost.

    Args:
        reason: in words.
        guilty: whether what it had in hand may be to blame; else a node or the network is.
    """

    def __init__(self, reason: str, *, guilty: bool) -> None:
        super().__init__(reason)
        self.guilty = guilty


class Silent(Exception):
    """Reading did not go on: the actor was killed."""


@dataclass(eq=False)
class Seat:
    """One actor.

    Args:
        place: where it stands.
        actor: Ray's handle.
        started: reference to the answer that it gives once its process runs.
        calls: in the order in which it was asked.
        is_ready: whether it may be asked.
        suspects: calls that it worked on when it died.
    """

    place: Place
    actor: Any
    started: Any
    calls: list[object] = field(default_factory=list)
    is_ready: bool = False
    suspects: list[object] | None = None


class Pool:
    """Asks actors. Safe in any thread.

    Args:
        ray: the package.
        name: of what the actors are, for a person.
        start: makes the actor of a place.
        places: gives the places that there should be now; may raise while the cluster is away.
        calls: most calls of one actor that may wait or run.
        hear: is given every answer.
        patience_seconds: without any actor, before the run ends.
    """

    def __init__(
        self,
        ray: Any,
        name: str,
        start: Callable[[Place], Any],
        places: Callable[[], Sequence[Place]],
        *,
        calls: Callable[[Place], int],
        hear: Callable[[Answer], None],
        patience_seconds: float = 60.0,
    ) -> None:
        self._ray = ray
        self._name = name
        self._start_actor = start
        self._places = places
        self._calls = calls
        self._hear = hear
        self._patience = patience_seconds
        self._seats: list[Seat] = []
        self._wait_alone = 0
        self._next_look = 0.0
        self._looking = threading.Lock()
        self._changed = threading.Condition()

    def start(self) -> None:
        """Start all actors, and do not wait for them; `call` does so, too."""
        self._look()

    def call(
        self,
        method: str,
        *arguments: Any,
        results: int = 1,
        alone: bool = False,
        near: Seat | None = None,
        silence_seconds: float | None = None,
    ) -> tuple[Any, Any, Seat]:
        """Have an actor run a method, and wait for its answer.

        Args:
            method: gives an `Answer`, alone or as the first of its results.
            arguments: of the method.
            results: number of its results.
            alone: let the actor do nothing else meanwhile.
            near: the actor to ask, if it can be had at once.
            silence_seconds: time without a beat after which the actor is killed; None for any.

        Returns:
            The answer's value; a reference to the second result, or None; the actor that was asked.

        Raises:
            Lost: the actor or an argument is gone.
            Silent: the actor was killed.
            PipelineError: no actor could be had, or the method raised it.
        """
        seat, call, references = self._ask(method, arguments, results, alone=alone, near=near)
        try:
            self._wait(seat, call, references[0], silence_seconds)
            answer = self._ray.get(references[0])
        except self._ray.exceptions.RayError as error:
            raise self._translated(error, seat, call) from error
        finally:
            with self._changed:
                seat.calls.remove(call)
                self._changed.notify_all()
        self._hear(answer)
        return answer.value, references[1] if results > 1 else None, seat

    def _ask(
        self, method: str, arguments: Sequence[Any], results: int, *, alone: bool, near: Seat | None
    ) -> tuple[Seat, object, list[Any]]:
        seen = monotonic()
        with self._changed:
            self._wait_alone += alone
        try:
            while True:
                self._look()
                with self._changed:
                    if seat := self._free(alone=alone, near=near):
                        call = object()
                        seat.calls.append(call)
                        made = getattr(seat.actor, method).options(num_returns=results)
                        references = made.remote(*arguments)
                        return seat, call, references if results > 1 else [references]
                    if any(seat.is_ready for seat in self._seats):
                        seen = monotonic()
                    elif monotonic() - seen > self._patience:
                        raise PipelineError(
                            f"no {self._name} has been alive on the cluster for"
                            f" {self._patience:g} s; start nodes again, or see whether others"
                            " use all their cores, and run this again: what is done is kept"
                        )
                    self._changed.wait(STARTING_SECONDS)
        finally:
            with self._changed:
                self._wait_alone -= alone

    def _free(self, *, alone: bool, near: Seat | None) -> Seat | None:
        """Find an actor for a call; those that have to be alone come first."""
        if self._wait_alone and not alone:
            return None
        most = (lambda _: 1) if alone else self._calls
        free = [s for s in self._seats if s.is_ready and len(s.calls) < most(s.place)]
        return near if near in free else min(free, key=lambda seat: len(seat.calls), default=None)

    def _wait(self, seat: Seat, call: object, reference: Any, silence: float | None) -> None:
        """Wait for an answer; kill an actor that reads and gives no sign of life.

        Time counts only for the call that the actor works on, and by looks: a process that was
        suspended for an hour has not waited for an hour.
        """
        silent, beats = 0.0, -1
        while True:
            done, _ = self._ray.wait([reference], timeout=LOOK_SECONDS, fetch_local=False)
            if done:
                return
            self._look()
            if silence is None or seat.calls[0] is not call:
                continue
            seen = self._beats(seat)
            silent = silent + LOOK_SECONDS if seen in (None, beats) else 0.0
            beats = beats if seen is None else seen
            if silent > silence:
                self._drop(seat, suspects=[])
                raise Silent

    def _beats(self, seat: Seat) -> int | None:
        with suppress(self._ray.exceptions.RayError):  # the answer that is waited for tells why
            return int(
                self._ray.get(
                    seat.actor.beats.options(concurrency_group=PULSE).remote(), timeout=LOOK_SECONDS
                )
            )
        return None

    def _translated(self, error: Any, seat: Seat, call: object = None) -> Exception:
        """Say what an error of Ray means for the call; where the actor is gone, drop it."""
        errors = self._ray.exceptions
        if isinstance(error, errors.RayTaskError):
            cause = error.cause
            if isinstance(cause, PipelineError):
                return cause
            if not isinstance(cause, errors.RayError):
                return error  # type: ignore[no-any-return] # a bug, with its traceback
            error = cause
        text = str(error).strip()
        reason = text.splitlines()[0] if text else type(error).__name__
        if isinstance(error, errors.OutOfDiskError | errors.ObjectStoreFullError):
            return PipelineError(
                "the object store of a node is full, and so is the disk under Ray's temporary"
                " folder, where the rest would go: make room there, and run this again: what is"
                f" done is kept ({reason})"
            )
        if isinstance(error, errors.RayActorError):
            died = isinstance(error, errors.ActorDiedError) and "node has died" not in text
            suspects = self._drop(seat, seat.calls[: seat.place.calls])
            return Lost(reason, guilty=died and call in suspects)
        return Lost(reason, guilty=isinstance(error, errors.OutOfMemoryError))

    def _drop(self, seat: Seat, suspects: list[object]) -> list[object]:
        """End an actor, and look for another one at once.

        Args:
            seat: of the actor.
            suspects: calls that may be to blame, unless others were named before.

        Returns:
            Those to blame.
        """
        with self._changed:
            if seat.suspects is None:
                seat.suspects = list(suspects)
            if seat in self._seats:
                self._seats.remove(seat)
            self._next_look = 0.0
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(seat.actor)
        self._look()
        return seat.suspects

    def _look(self) -> None:
        """Start actors that are missing, and note which are ready."""
        if monotonic() < self._next_look or not self._looking.acquire(blocking=False):
            return
        try:
            places = {_spot(place): place for place in self._places()}
            with self._changed:
                # What stands goes on where a new plan gives each less: others are asked for then.
                self._seats = [seat for seat in self._seats if _spot(seat.place) in places]
                taken = {_spot(seat.place) for seat in self._seats}
                for place in (place for spot, place in places.items() if spot not in taken):
                    actor = self._start_actor(place)
                    self._seats.append(Seat(place, actor, actor.start.remote()))
                new = [seat for seat in self._seats if not seat.is_ready]
            for seat in new:
                self._note(seat)
            is_starting = not all(seat.is_ready for seat in new)
            self._next_look = monotonic() + (STARTING_SECONDS if is_starting else LOOK_SECONDS)
        finally:
            self._looking.release()

    def _note(self, seat: Seat) -> None:
        """Note whether a new actor is ready."""
        done, _ = self._ray.wait([seat.started], timeout=0)
        try:
            self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            translated = self._translated(error, seat)
            if not isinstance(translated, Lost):
                raise translated from error
            log.warning("a %s did not start: %s", self._name, translated)
            return
        with self._changed:
            seat.is_ready = bool(done)
            self._changed.notify_all()


def _spot(place: Place) -> tuple[str, int]:
    return place.node, place.number

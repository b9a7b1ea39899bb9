"""Files alone, in a process of their own: do they crash it, or never end?

A run that follows a crash tries so the files that were in hand. `python -m
pipeline.flow.crash_trial` reads the settings and the files' places as JSON from stdin, embeds one
file after another, and stores nothing.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from pipeline.config import Settings
from pipeline.decode.content import content_hash
from pipeline.errors import VideoError
from pipeline.isolation import run_module
from pipeline.records import Failure, Stage, VideoFile

SHORTEST_LIMIT_SECONDS = 600.0  # a large model takes its time to load
_FROM_OUTSIDE = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def limit_seconds(settings: Settings) -> float:
    """How long one file may take that is tried alone."""
    return max(10 * settings.decode.timeout_seconds, SHORTEST_LIMIT_SECONDS)


def guilty_among(
    settings: Settings, suspects: Sequence[VideoFile], stopping: Event
) -> Iterator[Failure]:
    """The files that must not be opened by the run itself, and why. All are tried in one process,
    for most runs are cut short by something else, and only if that does not end well each of them
    alone."""
    limit = limit_seconds(settings)
    reason = crash_of(settings, [file.location for file in suspects], limit)
    for file in suspects if reason else ():
        if len(suspects) > 1 and not stopping.is_set():
            reason = crash_of(settings, [file.location], limit)
        if reason and not stopping.is_set():
            with suppress(VideoError):  # it went away meanwhile
                yield Failure(file, Stage.CRASH, reason, content_hash(file.location))


def crash_of(settings: Settings, locations: Sequence[Path], limit_seconds: float) -> str | None:
    """What is wrong with these files, together: how the process ends that embeds them, or that it
    does not end; None where all is well. Errors of Python are no crash: the run itself reports
    them; and nothing is known where somebody else ends the process.

    Args:
        settings: of the run.
        locations: of the files, which are embedded one after another.
        limit_seconds: for each of them.
    """
    ended = run_module(
        "pipeline.flow.crash_trial",
        {
            "base": str(settings.base),
            "settings": settings.model_dump(),
            "locations": [str(location) for location in locations],
        },
        limit_seconds=limit_seconds * len(locations),
    )
    if ended.exit_code is None:
        return f"it does not end within {limit_seconds:g} s"
    if ended.signal is None or ended.signal in _FROM_OUTSIDE:
        return None
    return f"it crashes the process ({ended.signal.name})"


def main() -> None:
    """The process that may crash."""
    question = json.load(sys.stdin)
    settings = Settings(base=Path(question["base"]), **question["settings"])
    from pipeline.models.loaded import Models
    from pipeline.stages.one_video import embed_video

    models = Models(settings, lambda _: None)
    for location in question["locations"]:
        try:
            embed_video(settings, Path(location), models)
        except VideoError as error:
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main()

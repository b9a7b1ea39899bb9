"""Try files in a process of their own: do they crash it, or never end?

A run that follows a crash tries the files that were in hand this way. `python -m
pipeline.flow.crash_trial` reads the settings and the files' locations as JSON from stdin, embeds
one file after another, and stores nothing.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from pipeline.decode.content import content_hash
from pipeline.errors import Stage, VideoError
from pipeline.isolation import run_module
from pipeline.outcomes import Failure
from pipeline.records import VideoFile
from pipeline.settings import Settings

SHORTEST_LIMIT_SECONDS = 600.0  # a large model takes its time to load
_FROM_OUTSIDE = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def limit_seconds(settings: Settings) -> float:
    """Seconds that one file may take when it is tried."""
    return max(10 * settings.decode.timeout_seconds, SHORTEST_LIMIT_SECONDS)


def guilty_among(
    settings: Settings, suspects: Sequence[VideoFile], stopping: Event
) -> Iterator[Failure]:
    """Yield a failure for each file that the run itself must not open.

    All files are tried in one process, since most runs are cut short by something else; only if
    that process does not end well is each file tried alone.

    Args:
        settings: of the run.
        suspects: the files that were in hand.
        stopping: set when the run is asked to stop.
    """
    limit = limit_seconds(settings)
    stopped = stopping.is_set
    reason = crash_of(settings, [file.location for file in suspects], limit, stopped)
    for file in suspects if reason else ():
        if len(suspects) > 1 and not stopping.is_set():
            reason = crash_of(settings, [file.location], limit, stopped)
        if reason and not stopping.is_set():
            with suppress(VideoError):  # the file went away meanwhile
                yield Failure(file, Stage.CRASH, reason, content_hash(file.location))


def crash_of(
    settings: Settings,
    locations: Sequence[Path],
    limit_seconds: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> str | None:
    """Embed files in one process, and return why it crashed or was killed.

    An error of Python is no crash: the run itself reports it. Nor is a signal that somebody else
    sent.

    Args:
        settings: of the run.
        locations: files to embed, one after another.
        limit_seconds: time for each of them.
        cancelled: whether to end the process, and know nothing.

    Returns:
        What is wrong, in words; None where the process ended by itself.
    """
    ended = run_module(
        "pipeline.flow.crash_trial",
        {
            "base": str(settings.base),
            "settings": settings.model_dump(),
            "locations": [str(location) for location in locations],
        },
        limit_seconds=limit_seconds * len(locations),
        cancelled=cancelled,
    )
    if cancelled():
        return None
    if ended.exit_code is None:
        return f"it does not end within {limit_seconds:g} s"
    if ended.signal is None or ended.signal in _FROM_OUTSIDE:
        return None
    return f"it crashes the process ({ended.signal.name})"


def main() -> None:
    """Run the process that may crash."""
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

"""How the collection stands, what runs, what failed, and whether this machine is in order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from pipeline.doctor.finding import Finding
from pipeline.project import open_store
from pipeline.records import Stage
from pipeline.web.answers import Waiting
from pipeline.web.routes import Route
from pipeline.web.site import Site

LISTING = "The folder is being listed."
EXAMINING = "This machine is being examined: models are loaded, and that takes a minute."
FRESH_SECONDS = 10.0

HINTS = {
    Stage.READ: "See whether the file can be opened, and whether its drive is there.",
    Stage.DECODE: "See whether a player shows it; if not, copy it again from where it came from.",
    Stage.CRASH: "Reading it ended the process. It is skipped until the file changes, or a retry.",
}


@dataclass(frozen=True)
class FailedVideo:
    """A video that could not be embedded.

    Args:
        path: of the file.
        stage: where it failed.
        error: why, in words.
        hint: what to do; None where the error says it all.
        failed_at: when it was last tried.
        attempts: how often.
    """

    path: str
    stage: str
    error: str
    hint: str | None
    failed_at: datetime
    attempts: int


def show_status(site: Site) -> dict[str, Any] | Waiting:
    """Say how the collection and its store stand."""
    bucket = int(monotonic() / FRESH_SECONDS)  # files come and go without a new version
    made = site.status.get((site.overview().version, bucket))
    return Waiting(LISTING) if made is None else site.as_status(made[0])


def list_failures(site: Site) -> dict[str, Any]:
    """List what could not be embedded."""
    return {
        "failures": [
            FailedVideo(
                each.path,
                each.stage,
                each.reason,
                HINTS.get(Stage(each.stage)) if each.stage in set(Stage) else None,
                each.failed_at,
                each.attempts,
            )
            for each in site.project.store.failures()
        ]
    }


def retry(site: Site) -> dict[str, Any]:
    """Forget failures, so that the next scan tries these videos again.

    Raises:
        StoreBusyError: a scan or a watch is writing the store.
    """
    with open_store(site.project.settings, writer=True) as store:
        forgotten = store.forget_failures()
    text = f"Forgot {forgotten} failures; the next scan tries these videos again."
    return {"forgotten": forgotten, "text": text}


def examine(site: Site) -> dict[str, Any] | Waiting:
    """Examine this machine as `doctor` does; the findings are given once they are complete."""
    made = site.examined.get(None)
    if made is None:
        return Waiting(EXAMINING)
    findings: list[Finding] = made[0]
    site.examined.forget()  # whoever asks again wants it examined again
    return {"findings": [asdict(each) for each in findings]}


ROUTES = (
    Route(
        "GET",
        "/api/status",
        "how the collection and its store stand, and what runs",
        show_status,
    ),
    Route("GET", "/api/failures", "videos that could not be embedded, and why", list_failures),
    Route(
        "POST",
        "/api/failures/retry",
        "forgets failures, so that the next scan tries again",
        retry,
        lane="moves",
    ),
    Route(
        "GET",
        "/api/doctor",
        "whether this machine has what a scan needs; 202 while it is examined",
        examine,
    ),
)

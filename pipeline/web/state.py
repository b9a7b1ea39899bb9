"""How the collection stands, what runs, and whether this machine is in order."""

from __future__ import annotations

from dataclasses import asdict
from time import monotonic
from typing import Any

from pipeline.web.routes import Route
from pipeline.web.site import Site

FRESH_SECONDS = 10.0


def show_status(site: Site) -> dict[str, Any]:
    """Say how the collection and its store stand."""
    bucket = int(monotonic() / FRESH_SECONDS)  # files come and go without a new version
    status, _ = site.status.get((site.overview().version, bucket))
    return site.as_status(status)


def examine(site: Site) -> dict[str, Any]:
    """Examine this machine as `doctor` does; the findings are given once they are complete."""
    findings, _ = site.examined.get(None)
    site.examined.forget()  # whoever asks again wants it examined again
    return {"findings": [asdict(each) for each in findings]}


ROUTES = (
    Route(
        "GET",
        "/api/status",
        "how the collection and its store stand, and what runs",
        show_status,
    ),
    Route(
        "GET",
        "/api/doctor",
        "whether this machine has what a scan needs; 202 while it is examined",
        examine,
    ),
)

"""What a small collection and its two scans leave to look at."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.program import Finished
from tests.support.projects import UserProject

COUNTS = "embedded unchanged moved copied removed failed"


@dataclass(frozen=True)
class Scanned:
    """A small collection that was scanned once. Do not change it."""

    project: UserProject
    first: Finished  # for a person
    second: Finished  # as JSON

"""Scans of a project, and what they leave in its store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pipeline import config
from pipeline.flow.flow import Flow, Summary
from pipeline.flow.progress import Report
from pipeline.project import Project
from store.schema import Row
from store.table.store import Store
from tests.support.program import share_models
from tests.support.projects import UserProject

COUNTS = ("embedded", "unchanged", "moved", "copied", "removed", "failed")


@dataclass(frozen=True)
class Scanned:
    """What a scan did, without what is zero, and the lines that it wrote."""

    counts: dict[str, int]
    lines: str

    @property
    def loaded(self) -> set[str]:
        """The models that it loaded."""
        return {name for name in ("CLIP", "Whisper") if f"Loading {name}" in self.lines}


Scan = Callable[..., Scanned]


def run_flow(project: UserProject, overrides: tuple[str, ...] = ()) -> Summary:
    """Scan, with models that are loaded once for all tests; it says that it loads them."""
    settings = config.load(project.config, overrides)
    with pytest.MonkeyPatch.context() as patch, Project.open_to_scan(settings) as opened:
        share_models(patch)
        return Flow(opened, Report()).scan()


def rows(project: UserProject) -> dict[str, Row]:
    """Everything that is in the store, by path."""
    with Store.open(str(project.store)) as store:
        return store.rows(sorted(store.known()))


def failed(project: UserProject) -> list[str]:
    with Store.open(str(project.store)) as store:
        return [failure.path for failure in store.failures()]


def offline(project: UserProject) -> list[str]:
    with Store.open(str(project.store)) as store:
        return sorted(path for path, row in store.known().items() if row.offline)


def edit(project: UserProject, path: str, **changes: object) -> Row:
    """Mark a row with values that no model would make, to see whether a scan keeps them."""
    with Store.open(str(project.store), writer=True) as store:
        row = replace(store.rows([path])[path], **changes)
        store.upsert([row])
    return row


def same_vectors(one: Row, other: Row) -> bool:
    return bool(
        np.array_equal(one.visual, other.visual) and np.array_equal(one.speech, other.speech)
    )

"""How a store stands: what is embedded, what waits, what failed, and what made the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import SettingsError
from pipeline.flow.catalog import Catalog
from pipeline.project import Project
from pipeline.source.listing import list_videos


@dataclass(frozen=True)
class RecipeRows:
    """The rows that one recipe made.

    Args:
        visual: what made the visual half.
        transcript: what made the transcript.
        speech: what made the speech half.
        rows: number of rows, without offline ones.
        current: whether the settings ask for this recipe.
    """

    visual: str
    transcript: str
    speech: str
    rows: int
    current: bool


@dataclass(frozen=True)
class Status:
    """The state of a collection and its store; `on_disk == embedded + pending + failed`.

    Args:
        data_dir: the collection's root as a person wrote it.
        problem: why the root cannot be listed, else None; nothing is on disk then.
        on_disk: videos in the folder.
        embedded: of these, videos whose rows are up to date.
        pending: of these, videos that the next scan embeds.
        failed: of these, videos that could not be embedded.
        offline: rows whose file is not on disk.
        labels: rows by label, in label order, without offline ones.
        unlabeled: rows without a label, without offline ones.
        recipes: rows by recipe.
        store: URI.
        bytes_on_disk: size of the store's folder; None where it is not a local one.
    """

    data_dir: str
    problem: str | None
    on_disk: int
    embedded: int
    pending: int
    failed: int
    offline: int
    labels: Mapping[str, int]
    unlabeled: int
    recipes: tuple[RecipeRows, ...]
    store: str
    bytes_on_disk: int | None


@dataclass(frozen=True)
class FailedVideo:
    """A video that could not be embedded.

    Args:
        path: as `Project.shown` has it.
        stage: where it failed: `read`, `decode`, `speech`, `vision` or `crash`.
        reason: why, in words.
        attempts: tries of the file as it is now.
    """

    path: str
    stage: str
    reason: str
    attempts: int


def read_status(project: Project) -> Status:
    """Compare the collection's folder with its store.

    Raises:
        SettingsError: weights that a setting names do not exist.
        StoreError: the store cannot be read.
    """
    store, recipe = project.store, project.recipe
    known, facts = store.known(), store.facts()
    catalog = Catalog(known, {each.path: each for each in store.failures()}, recipe)
    problem = None
    try:
        videos = list_videos(project.collection).videos
    except SettingsError as error:
        videos, problem = {}, str(error)
    comparison = catalog.compare(videos)
    labels = {label: rows for label, rows in facts.labels.items() if label is not None}
    return Status(
        data_dir=project.written,
        problem=problem,
        on_disk=len(videos),
        embedded=len(comparison.unchanged),
        pending=len(comparison.todo),
        failed=len(comparison.failed),
        offline=len(known.keys() - videos.keys()),
        labels=dict(sorted(labels.items())),
        unlabeled=facts.labels.get(None, 0),
        recipes=tuple(
            RecipeRows(*made, rows=rows, current=made == recipe)
            for made, rows in facts.recipes.items()
        ),
        store=store.uri,
        bytes_on_disk=facts.bytes_on_disk,
    )


def read_failures(project: Project) -> list[FailedVideo]:
    """List the videos that could not be embedded, in path order.

    Raises:
        StoreError: the store cannot be read.
    """
    return [
        FailedVideo(project.shown(failed.path), failed.stage, failed.reason, failed.attempts)
        for failed in project.store.failures()
    ]

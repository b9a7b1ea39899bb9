"""How a store stands: what is embedded, what waits, what failed, and what made the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import SettingsError, Stage
from pipeline.flow.catalog import Catalog
from pipeline.project import Project
from pipeline.source.listing import Listing, Problem, list_videos, no_videos

HINTS: Mapping[str, str] = {
    Stage.READ: "see whether the file can be read: its rights, its drive, the network",
    Stage.DECODE: "play the file; where it does not play, fetch it again, or remove it",
    Stage.SPEECH: "try again with `retry`; where many fail, see `doctor`",
    Stage.VISION: "try again with `retry`; where many fail, see `doctor`",
    Stage.CRASH: "convert the file with another program, or remove it: it crashes a library",
    Stage.WRITE: "rename the file, or convert it with another program: the store refused its row",
}
"""What to do about a failure, by its stage."""


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
        problem: why nothing is listed, else None: the root cannot be read, or has no videos.
        unlisted: files and folders that cannot be listed.
        on_disk: videos in the folder.
        embedded: of these, videos whose rows are up to date.
        pending: of these, videos that the next scan embeds.
        refused: why a scan would embed none of them, and what to do; else None.
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
    unlisted: tuple[Problem, ...]
    on_disk: int
    embedded: int
    pending: int
    refused: str | None
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
        failed_at: when it failed last, in ISO 8601, in this machine's time zone.
        hint: what to do about it.
    """

    path: str
    stage: str
    reason: str
    attempts: int
    failed_at: str
    hint: str


def read_status(project: Project) -> Status:
    """Compare the collection's folder with its store.

    Raises:
        SettingsError: weights that a setting names do not exist.
        ModelError: the folder of a model cannot be read.
        StoreError: the store cannot be read.
    """
    store, recipe = project.store, project.recipe
    known, facts = store.known(), store.facts()
    failed = {each.path: each for each in store.failures()}
    catalog = Catalog(known, failed, recipe, project.moments_recipe)
    try:
        listing = list_videos(project.collection)
        problem = None if listing.videos else no_videos(project.collection)
    except SettingsError as error:
        listing, problem = Listing({}), str(error)
    videos = listing.videos
    comparison = catalog.compare(videos)
    labels = {label: rows for label, rows in facts.labels.items() if label is not None}
    return Status(
        data_dir=project.written,
        problem=problem,
        unlisted=listing.problems,
        on_disk=len(videos),
        embedded=len(comparison.unchanged),
        pending=len(comparison.todo),
        refused=None if facts.recipes.get(recipe) else project.other_width(),
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
        FailedVideo(
            project.shown(failed.path),
            failed.stage,
            failed.reason,
            failed.attempts,
            failed.failed_at.astimezone().isoformat(timespec="seconds"),
            HINTS.get(failed.stage, ""),
        )
        for failed in project.store.failures()
    ]

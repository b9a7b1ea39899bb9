"""How a store stands: what is embedded, what waits, what failed, and what made the vectors."""

from __future__ import annotations

from typing import Any

from pipeline.errors import SettingsError
from pipeline.flow.catalog import Catalog
from pipeline.project import Project
from pipeline.source.listing import list_videos


def describe(project: Project) -> dict[str, Any]:
    """The document of `status`. `on_disk` is the sum of `embedded`, `pending` and `failed`;
    `offline` counts the rows whose file is not there."""
    store, recipe = project.store, project.recipe
    known = store.known()
    catalog = Catalog(known, {each.path: each for each in store.failures()}, recipe)
    facts = store.facts()
    problem = None
    try:
        videos = list_videos(project.collection).videos
    except SettingsError as error:
        videos, problem = {}, str(error)
    comparison = catalog.compare(videos)
    return {
        "data_dir": project.written,
        "problem": problem,
        "on_disk": len(videos),
        "embedded": len(comparison.unchanged),
        "pending": len(comparison.todo),
        "failed": len(comparison.failed),
        "offline": len(known.keys() - videos.keys()),
        "labels": {label: n for label, n in sorted_labels(facts.labels) if label is not None},
        "unlabeled": facts.labels.get(None, 0),
        "recipes": [
            {
                "visual": visual,
                "transcript": transcript,
                "speech": speech,
                "rows": rows,
                "current": (visual, transcript, speech) == recipe,
            }
            for (visual, transcript, speech), rows in facts.recipes.items()
        ],
        "store": store.uri,
        "bytes_on_disk": facts.bytes_on_disk,
    }


def sorted_labels(labels: Any) -> list[tuple[str | None, int]]:
    """Labels with their counts, by name."""
    return sorted(labels.items(), key=lambda item: item[0] or "")


def lines(facts: dict[str, Any]) -> list[str]:
    """The same for a person."""
    size = facts["bytes_on_disk"]
    text = [
        f"{facts['data_dir']}: {facts['on_disk']} on disk = {facts['embedded']} embedded"
        f" + {facts['pending']} pending + {facts['failed']} failed; {facts['offline']} offline",
        f"Store {facts['store']}" + (f": {size / 1e6:.1f} MB" if size is not None else ""),
    ]
    if facts["problem"]:
        text.insert(0, f"{facts['problem']}")
    text += [f"  {label}: {rows}" for label, rows in facts["labels"].items()]
    text.append(f"  (unlabeled): {facts['unlabeled']}")
    for recipe in facts["recipes"]:
        text.append(
            f"{recipe['rows']} rows of {'this' if recipe['current'] else 'another'} recipe:"
        )
        text += [f"  {part}: {recipe[part]}" for part in ("visual", "transcript", "speech")]
    return text

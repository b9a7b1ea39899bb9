"""Rows and failures that a person has the store forget."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import SettingsError
from pipeline.project import Project


def forget(project: Project, names: Iterable[str]) -> int:
    """Remove the rows and failures of files and folders.

    Args:
        project: open for writing.
        names: as `Project.rows_of` takes them.

    Returns:
        How many rows were removed.

    Raises:
        SettingsError: the store has nothing of a name; nothing is removed then.
        StoreError: the store cannot be written.
    """
    store = project.store
    there = store.known().keys() | {failure.path for failure in store.failures()}
    meant: set[str] = set()
    for name in names:
        paths = project.rows_of(name, there)
        if not paths:
            raise SettingsError(f"forget {name}: nothing of that name is in the store")
        meant |= paths
    return _remove(project, meant)


def forget_offline(project: Project) -> int:
    """Remove the rows whose file was not there at the last look; return how many.

    Raises:
        StoreError: the store cannot be written.
    """
    return _remove(project, {path for path, row in project.store.known().items() if row.offline})


def _remove(project: Project, paths: set[str]) -> int:
    removed = project.store.remove(sorted(paths))
    project.store.forget_failures(sorted(paths))
    return removed

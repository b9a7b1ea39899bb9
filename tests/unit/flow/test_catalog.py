"""What is known of a collection, whatever happens to its files, and in whichever order."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.flow.catalog import Catalog
from pipeline.flow.claims import Claims
from pipeline.outcomes import Reused
from pipeline.records import Needs, Task, VideoFile
from store.schema import FailedFile, Known, Recipe

NOTHING = Needs(False, False, False, False)
RECIPE = Recipe("clip", "whisper", "clip whisper")
ROOT = Path("/videos")


def video(path: str, mtime_ns: int = 1, size: int = 10) -> VideoFile:
    return VideoFile(path, ROOT / path, size, mtime_ns)


def row(file: VideoFile, content: str, recipe: Recipe = RECIPE, offline: bool = False) -> Known:
    made_with = recipe
    return Known(file.size, file.mtime_ns, file.label, content, *made_with, offline)


def failure(file: VideoFile, content: str | None, recipe: Recipe = RECIPE) -> FailedFile:
    return FailedFile(
        path=file.path, size=file.size, mtime_ns=file.mtime_ns, content_hash=content,
        stage="decode", reason="broken", recipe=recipe.text, failed_at=datetime.now(UTC),
    )  # fmt: skip


def no_row(content: str) -> None:
    """No row was written over."""


PATHS = ["a.mp4", "b.mp4", "in/c.mp4", "in/d.mp4"]
CONTENTS = ["H", "J"]
RECIPES = [RECIPE, RECIPE._replace(visual="new clip"), RECIPE._replace(speech="first window")]


class Collection(RuleBasedStateMachine):
    """A folder that changes while its files go down the line, and a writer at the end of it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0
        self.recipe = RECIPE
        self.folder: dict[VideoFile, str] = {}  # and the content of each
        self.contents: dict[VideoFile, str] = {}  # of every state that ever was
        self.rows: dict[str, Known] = {}
        self.failed: dict[str, FailedFile] = {}
        self._start()

    def _start(self) -> None:
        self.catalog = Catalog(self.rows, self.failed, self.recipe)
        self.claims = Claims(self.catalog, no_row)
        self.files: list[VideoFile] = []
        self.in_hand: list[Task] = []
        self.results: list[Task | Reused] = []
        self.waiting: list[VideoFile] = []

    @property
    def listing(self) -> dict[str, VideoFile]:
        return {file.path: file for file in self.folder}

    # What happens to the folder

    @initialize(contents=st.lists(st.sampled_from(CONTENTS), min_size=4, max_size=4))
    def fill(self, contents: list[str]) -> None:
        for path, content in zip(PATHS, contents, strict=True):
            self.write_file(path, content)
        self.look()

    @rule(path=st.sampled_from(PATHS), content=st.sampled_from(CONTENTS))
    def write_file(self, path: str, content: str) -> None:
        """A new one, other bytes, or the same ones with a new time."""
        self.clock += 1
        file = video(path, self.clock)
        self.delete_file(path)
        self.folder[file] = self.contents[file] = content

    @rule(path=st.sampled_from(PATHS))
    def delete_file(self, path: str) -> None:
        self.folder.pop(self.listing.get(path, video(path)), None)

    # What the program does

    @rule()
    def look(self) -> None:
        todo = self.catalog.compare(self.listing).todo
        self.files += [file for file in todo if self.claims.submit(file)]
        assert len(self.files) == len(set(self.files))

    @rule()
    def drop_vanished(self) -> None:
        for path in self.catalog.compare(self.listing).vanished:
            self.catalog.remove(path)
            self.rows.pop(path, None)
            self.failed.pop(path, None)

    @precondition(lambda self: self.files)
    @rule(place=st.integers(0, 99))
    def read_file(self, place: int) -> None:
        file = self.files.pop(place % len(self.files))
        claimed = self.claims.claim(file, self.contents[file])
        if isinstance(claimed, Task):
            self.in_hand.append(claimed)
        elif isinstance(claimed, Reused):
            self.results.append(claimed)
        else:
            self.waiting.append(file)

    @precondition(lambda self: self.in_hand)
    @rule(place=st.integers(0, 99), works=st.sampled_from([True, True, False]))
    def embed(self, place: int, works: bool) -> None:
        task = self.in_hand[place % len(self.in_hand)]
        self._write(task, works)
        self.in_hand.remove(task)

    @precondition(lambda self: self.results)
    @rule(place=st.integers(0, 99))
    def write(self, place: int) -> None:
        self._write(self.results.pop(place % len(self.results)), True)

    @rule()
    def finish(self) -> None:
        while self.files:
            self.read_file(0)
        while self.in_hand:
            self.embed(0, True)
        while self.results:
            self.write(0)

    @precondition(lambda self: self.rows or self.failed)
    @rule(recipe=st.sampled_from(RECIPES))
    def run_again(self, recipe: Recipe) -> None:
        """What was on its way is lost."""
        self.recipe = recipe
        self._start()
        self.look()

    def _write(self, result: Task | Reused, works: bool) -> None:
        """As the writer of the program does it."""
        file, content = result.file, result.content_hash
        if self.claims.is_latest(file, content):
            if not works:
                self.failed[file.path] = failure(file, content, self.recipe)
                self.catalog.put_failure(self.failed[file.path])
            else:
                self._put(result)
        for other in self.claims.settle(file, content):
            assert self.contents[other] == content
            self.waiting.remove(other)
            self._write(Reused(other, content), works)

    def _put(self, result: Task | Reused) -> None:
        file, made = result.file, row(result.file, result.content_hash, self.recipe)
        if isinstance(result, Reused):
            best = self.catalog.best_row(file.path, result.content_hash)
            if best is None:
                return  # left for the next scan
            made = self.rows[best[0]]._replace(mtime_ns=file.mtime_ns, label=file.label)
        self.rows[file.path] = made
        self.catalog.put(file.path, made)

    # What holds all the time

    @invariant()
    def every_listed_file_is_in_one_place(self) -> None:
        comparison = self.catalog.compare(self.listing)
        todo = [file.path for file in comparison.todo]
        places = [*comparison.unchanged, *comparison.failed, *todo]
        assert sorted(places) == sorted(self.listing)
        assert set(comparison.vanished) == (self.rows.keys() | self.failed) - self.listing.keys()

    @invariant()
    def a_content_is_in_one_hand_at_a_time(self) -> None:
        contents = [task.content_hash for task in self.in_hand]
        assert len(contents) == len(set(contents))

    @invariant()
    def whoever_waits_waits_for_somebody(self) -> None:
        in_hand = {task.content_hash for task in self.in_hand}
        assert {self.contents[file] for file in self.waiting} <= in_hand

    @invariant()
    def it_knows_what_was_written(self) -> None:
        assert len(self.catalog) == len(self.rows)
        for content in CONTENTS:
            paths = sorted(path for path in self.rows if self.rows[path].content_hash == content)
            assert self.catalog.paths_of(content) == paths

    @invariant()
    def an_older_state_never_follows_a_newer_one(self) -> None:
        newest = getattr(self, "newest", {})
        for path, known in self.rows.items():
            assert known.mtime_ns >= newest.get(path, 0)
        self.newest = {path: known.mtime_ns for path, known in self.rows.items()}

    def teardown(self) -> None:
        """Once the folder is quiet, two scans come to an end of it."""
        for _ in range(2):
            self.finish()
            self.look()
        self.finish()
        self.drop_vanished()
        comparison = self.catalog.compare(self.listing)
        assert comparison.todo == comparison.vanished == ()
        assert not self.claims.busy
        assert not self.waiting
        for path in comparison.unchanged:
            file = self.listing[path]
            assert self.rows[path] == row(file, self.folder[file], self.recipe)
        for path in comparison.failed:
            assert self.failed[path].recipe == self.recipe.text
            assert self.failed[path].mtime_ns == self.listing[path].mtime_ns


Collection.TestCase.settings = settings(stateful_step_count=40)
TestCollection = Collection.TestCase


@pytest.mark.parametrize("changed", list(product([False, True], repeat=3)))
def test_a_changed_recipe_needs_the_parts_that_it_touches(changed: tuple[bool, ...]) -> None:
    new = Recipe(*(f"{part} 2" if is_new else part for part, is_new in zip(
        (RECIPE.visual, RECIPE.transcript, RECIPE.speech), changed, strict=True)))  # fmt: skip
    file = video("a.mp4")
    catalog = Catalog({"a.mp4": row(file, "H")}, {}, new)
    claimed = Claims(catalog, no_row).claim(file, "H")
    if not any(changed):
        assert catalog.compare({"a.mp4": file}).unchanged == ("a.mp4",)
        assert claimed == Reused(file, "H")
    else:
        assert catalog.compare({"a.mp4": file}).todo == (file,)
        source = None if all(changed) else "a.mp4"
        assert claimed == Task(file, "H", Needs(*changed, *changed[:1]), source)


@pytest.mark.parametrize(
    ("seconds", "made_with", "wanted", "stale"),
    [
        (60.0, None, "every 10", False),
        (60.5, None, "every 10", True),
        (60.5, "every 10", "every 10", False),
        (600.0, "every 10", "every 5", True),
        (600.0, "every 10", "", True),
        (600.0, None, "", False),
    ],
)
def test_moments_of_long_videos_alone_are_made_again(
    seconds: float, made_with: str | None, wanted: str, stale: bool
) -> None:
    file = video("a.mp4")
    known = row(file, "H")._replace(duration_seconds=seconds, moments_recipe=made_with)
    catalog = Catalog({"a.mp4": known}, {}, RECIPE, wanted)
    needs = Needs(False, False, False, moments=True) if stale else NOTHING
    assert catalog.outdated(known) == needs
    assert catalog.compare({"a.mp4": file}).todo == ((file,) if stale else ())
    claimed = Claims(catalog, no_row).claim(file, "H")
    assert claimed == (Task(file, "H", needs, "a.mp4") if stale else Reused(file, "H"))


def test_the_row_that_needs_the_least_gives_the_rest() -> None:
    new = RECIPE._replace(visual="new clip")
    old, current = row(video("a.mp4"), "H"), row(video("b.mp4"), "H", new)
    none_of_it = row(video("c.mp4"), "H", Recipe("x", "y", "z"))
    copy = video("d.mp4")
    catalog = Catalog({"a.mp4": old, "c.mp4": none_of_it}, {}, new)
    assert Claims(catalog, no_row).claim(copy, "H") == Task(
        copy, "H", Needs(True, False, False, True), "a.mp4"
    )
    catalog = Catalog({"a.mp4": old, "b.mp4": current}, {}, new)
    assert Claims(catalog, no_row).claim(copy, "H") == Reused(copy, "H")
    assert catalog.best_row("a.mp4", "H") == ("b.mp4", NOTHING)  # its own row is out of date


def test_one_who_took_over_a_row_that_went_away_ends_nobody_elses_claim() -> None:
    catalog = Catalog({"a.mp4": row(video("a.mp4"), "H")}, {}, RECIPE)
    claims = Claims(catalog, no_row)
    took_over, holder, third = video("b.mp4"), video("c.mp4"), video("d.mp4")
    assert claims.claim(took_over, "H") == Reused(took_over, "H")
    catalog.remove("a.mp4")
    assert claims.claim(holder, "H") == Task(holder, "H")
    assert claims.settle(took_over, "H") == []
    assert claims.claim(third, "H") is None
    assert claims.settle(holder, "H") == [third]


def test_a_file_touched_while_it_is_embedded_keeps_the_vectors() -> None:
    claims = Claims(Catalog({}, {}, RECIPE), no_row)
    before, after = video("a.mp4", 1), video("a.mp4", 2)
    for state in (before, after):
        assert claims.submit(state)
    assert claims.claim(before, "H") == Task(before, "H")
    assert claims.claim(after, "H") is None
    assert claims.is_latest(before, "H")
    assert claims.settle(before, "H") == [after]


def test_an_old_state_that_is_overtaken_is_not_written() -> None:
    claims = Claims(Catalog({}, {}, RECIPE), no_row)
    before, after = video("a.mp4", 1), video("a.mp4", 2)
    for state, content in ((before, "H"), (after, "J")):
        assert claims.submit(state)
        assert claims.claim(state, content) == Task(state, content)
    claims.settle(after, "J")
    assert not claims.is_latest(before, "H")
    assert claims.busy
    claims.settle(before, "H")
    assert not claims.busy


def test_a_file_goes_down_the_line_once() -> None:
    file = video("a.mp4")
    catalog = Catalog({}, {}, RECIPE)
    claims = Claims(catalog, no_row)
    assert claims.submit(file)
    assert not claims.submit(file)
    catalog.put("a.mp4", row(file, "H"))
    claims.settle(file, "H")
    assert not claims.submit(file)
    assert claims.submit(video("a.mp4", mtime_ns=2))


def test_a_failure_counts_for_the_same_file_and_recipe_only() -> None:
    file = video("a.mp4")
    failed = {"a.mp4": failure(file, None)}
    assert Catalog({}, failed, RECIPE).compare({"a.mp4": file}).failed == ("a.mp4",)
    touched = video("a.mp4", mtime_ns=2)
    assert Catalog({}, failed, RECIPE).compare({"a.mp4": touched}).todo == (touched,)
    other = RECIPE._replace(visual="new clip")
    assert Catalog({}, failed, other).compare({"a.mp4": file}).todo == (file,)


def test_a_look_at_a_subfolder_misses_nothing_elsewhere() -> None:
    rows = {path: row(video(path), path) for path in ("a.mp4", "in/b.mp4", "inside/c.mp4")}
    catalog = Catalog(rows, {}, RECIPE)
    assert catalog.compare({}, "in").vanished == ("in/b.mp4",)
    assert catalog.compare({}).vanished == tuple(sorted(rows))


def test_an_offline_row_whose_file_is_there_again_returns() -> None:
    file = video("a.mp4")
    catalog = Catalog({"a.mp4": row(file, "H")}, {}, RECIPE)
    catalog.mark_offline("a.mp4", offline=True)
    assert catalog.rows_among(["a.mp4"]) == []
    comparison = catalog.compare({"a.mp4": file})
    assert (comparison.returned, comparison.unchanged) == (("a.mp4",), ("a.mp4",))
    catalog.mark_offline("a.mp4", offline=False)
    assert catalog.compare({"a.mp4": file}).returned == ()

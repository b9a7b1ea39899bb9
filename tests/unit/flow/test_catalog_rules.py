"""What is known of a collection, whatever happens to its files, and in whichever order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.flow.catalog import Catalog
from pipeline.flow.claims import Claims
from pipeline.outcomes import Reused
from pipeline.records import Task, VideoFile
from store.schema import FailedFile, Known, Recipe
from tests.support.catalogs import RECIPE, failure, no_row, row, video

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

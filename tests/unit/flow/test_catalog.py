"""What a catalog knows of each file, and what a file that comes by needs."""

from __future__ import annotations

from itertools import product

import pytest

from pipeline.flow.catalog import Catalog
from pipeline.flow.claims import Claims
from pipeline.outcomes import Reused
from pipeline.records import Needs, Task
from store.schema import Recipe
from tests.support.catalogs import NOTHING, RECIPE, failure, no_row, row, video


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

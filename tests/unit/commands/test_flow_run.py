"""The summary of a run: what happened, what to look at, what to type next."""

from __future__ import annotations

from typing import Any

from pipeline.commands.flow_run import NAMED_FAILURES, summary_lines


def run(**facts: Any) -> dict[str, Any]:
    counts = ("embedded", "moved", "copied", "removed", "unchanged", "failed", "left")
    return {
        **dict.fromkeys(counts, 0),
        "failures": [], "interrupted": False, "seconds": 12.0,
        "loading_seconds": 0.0, "videos_per_second": 0.0,
        **facts,
    }  # fmt: skip


def test_zeros_are_left_out() -> None:
    assert [*summary_lines(run(unchanged=3), "scan")] == ["3 unchanged in 12.0 s"]
    assert [*summary_lines(run(), "scan")] == ["nothing to do in 12.0 s"]


def test_a_scan_that_embedded_something_says_how_fast_and_what_next() -> None:
    counts, rate, following = summary_lines(
        run(embedded=2, videos_per_second=0.5, loading_seconds=8.0), "scan"
    )
    assert counts == "2 embedded in 12.0 s"
    assert rate == "0.50 videos/s, without the 8.0 s that loading the models took"
    assert following.startswith("next: `query")


def test_failures_are_named_up_to_a_few_and_escaped() -> None:
    failures = [{"path": f"videos/{n}\x1b.mp4", "reason": "broken"} for n in range(9)]
    counts, *named = summary_lines(run(failed=9, failures=failures), "scan")
    assert counts == "9 failed (see `failures`) in 12.0 s"
    assert len(named) == NAMED_FAILURES
    assert named[0] == r"failed: videos/0\x1b.mp4: broken"


def test_an_interrupted_scan_says_so_and_what_is_left() -> None:
    first, *rest = summary_lines(run(embedded=1, left=1, interrupted=True), "scan")
    assert first == "interrupted: left for the next scan: 1 video"
    assert not any(line.startswith("next") for line in rest)


def test_the_usual_end_of_a_watch_is_no_interruption_and_has_no_rate() -> None:
    lines = [*summary_lines(run(moved=1, interrupted=True, videos_per_second=0.1), "watch")]
    assert lines == ["1 moved in 12.0 s"]

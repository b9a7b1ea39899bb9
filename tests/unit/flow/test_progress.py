"""What a person reads of a run: true, plain, and never what a file name makes of the terminal."""

from __future__ import annotations

import errno
import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.flow.progress import KEPT_FAILURES, LINE_SECONDS, LogLines, Report, dataset_summary
from pipeline.models.loaded import quiet_libraries
from pipeline.outcomes import Outcome
from pipeline.terminal import clock, printable
from tests.support.projects import keys

NASTY = "a\nerror: forged\x1b[31m\x9b2J\x07\r\u202e\udcff.mp4"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@given(st.text(st.characters(codec=None)))
def test_printable_text_steers_no_terminal_and_encodes(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


def test_what_is_not_printable_is_shown_as_python_writes_it() -> None:
    assert printable("北京/vidéo 🎬.mp4") == "北京/vidéo 🎬.mp4"
    assert printable("a\nb\tc\x1b[2J") == r"a\nb\tc\x1b[2J"
    assert printable("\udcff\u202e\x9b") == r"\udcff\u202e\x9b"


@given(st.integers(0, 10**7), st.floats(-0.49, 0.49))
def test_a_clock_can_be_read_back(seconds: int, fraction: float) -> None:
    *hours, minutes, rest = clock(max(seconds + fraction, 0)).split(":")
    assert int(hours[0] if hours else 0) * 3600 + int(minutes) * 60 + int(rest) == seconds
    assert len(minutes) == len(rest) == 2


def test_clock() -> None:
    assert [clock(s) for s in (0, 59.6, 123, 3723)] == ["00:00", "01:00", "02:03", "1:02:03"]


def test_the_dataset_summary_is_the_seed_documents() -> None:
    labels = ["soccer"] * 45 + ["cooking"] * 12 + [None] * 42
    assert dataset_summary(labels) == (
        "\n"
        "Dataset summary:\n"
        "  Labeled videos: 57\n"
        "  Unlabeled videos: 42\n"
        "  Categories: ['cooking', 'soccer']\n"
    )
    assert "Labeled videos: 0\n" in dataset_summary([])
    assert "Categories: []\n" in dataset_summary([None])
    assert dataset_summary([NASTY]).count("\n") == 5
    assert "\x1b" not in dataset_summary([NASTY])


def test_a_skipped_video_is_one_line_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    report.expect(1)
    report.record(Outcome.FAILED, NASTY, "decode", f"no video stream in {NASTY}")
    captured = capsys.readouterr()
    assert captured.out == ""
    name = printable(NASTY)
    assert captured.err == f"Skipping {name} (decode: no video stream in {name})\n"


def test_text_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[bold]x[/bold] [red] :smile: " + "long " * 100 + "and no longer"
    Report().say(text)
    assert capsys.readouterr().err == f"{text}\n"


def test_log_records_are_lines_that_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.Logger("pipeline.part")
    log.addHandler(LogLines(Report()))
    log.warning("%s is odd", NASTY)
    assert capsys.readouterr().err == f"warning: {printable(NASTY)} is odd\n"


def test_what_the_hub_warns_of_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    quiet_libraries()
    log, ours = logging.getLogger("huggingface_hub.utils"), LogLines(Report(as_json=True))
    logging.getLogger().addHandler(ours)
    log.warning("Retrying")
    logging.getLogger().removeHandler(ours)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "Retrying"


def test_json_lines_are_json_whatever_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(as_json=True)
    report.say("\nDataset summary:\n")
    report.record(Outcome.FAILED, NASTY, "decode", "broken")
    log = logging.Logger("pipeline.part")
    log.addHandler(LogLines(report))
    log.error("oh")
    said, skipped, logged = map(json.loads, capsys.readouterr().err.splitlines())
    assert (said["level"], said["message"]) == ("info", "Dataset summary:")
    assert (skipped["path"], skipped["stage"]) == (NASTY, "decode")
    assert skipped["message"] == "skipped: broken"
    assert (logged["level"], logged["stage"]) == ("error", "pipeline.part")


def test_without_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = Clock()
    report = Report(now=now)
    report.expect(40)
    for _ in range(20):
        now.seconds += 1
        report.record(Outcome.EMBEDDED, "a.mp4", "", "")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"{done} of 40 videos, 1.00 videos/s, 00:{40 - done} left" for done in (5, 10, 15, 20)
    ]
    now.seconds += LINE_SECONDS
    for _ in range(20):
        report.record(Outcome.EMBEDDED, "a.mp4", "", "")
    assert len(capsys.readouterr().err.splitlines()) == 1  # the end is told by the summary


def test_in_a_log_of_json_progress_is_fields(capsys: pytest.CaptureFixture[str]) -> None:
    now = Clock()
    report = Report(as_json=True, now=now)
    report.expect(40)
    now.seconds += LINE_SECONDS
    report.record(Outcome.EMBEDDED, "a.mp4")
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert keys(line, "done total rate left") == {
        "done": 1, "total": 40, "rate": 0.2, "left": 195.0,
    }  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True])
def test_a_quiet_report_has_only_what_is_wrong(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    report = Report(as_json=as_json, is_quiet=True, tells_each=True)
    report.say("Loading")
    report.log("info", "3 on disk")
    report.expect(2)
    report.record(Outcome.EMBEDDED, "a.mp4")
    assert capsys.readouterr().err == ""
    report.record(Outcome.FAILED, "b.mp4", "decode", "broken")
    report.log("warning", "odd")
    skipped, odd = capsys.readouterr().err.splitlines()
    assert "broken" in skipped
    assert "odd" in odd


def test_each_video_has_a_line_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(tells_each=True)
    for outcome in (Outcome.EMBEDDED, Outcome.MOVED, Outcome.REMOVED, Outcome.UNCHANGED):
        report.record(outcome, f"{outcome}\n.mp4")
    assert capsys.readouterr().err.splitlines() == [
        r"embedded embedded\n.mp4",
        r"moved    moved\n.mp4",
        r"removed  removed\n.mp4",
    ]
    report = Report(tells_each=True, as_json=True)
    report.record(Outcome.MOVED, "a.mp4")
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["message"], line["path"]) == ("moved", "a.mp4")


def test_a_report_knows_what_is_left_and_what_failed() -> None:
    report = Report(is_quiet=True, console=Console(file=io.StringIO()))
    report.expect(KEPT_FAILURES + 5)
    for number in range(KEPT_FAILURES + 2):
        report.record(Outcome.FAILED, f"{number}.mp4", "decode", "broken")
    assert report.left == 3
    assert len(report.failures) == KEPT_FAILURES
    assert report.failures[0] == ("0.mp4", "broken")


def test_a_new_batch_counts_from_its_own_start(capsys: pytest.CaptureFixture[str]) -> None:
    now = Clock()
    report = Report(now=now)
    report.expect(1)
    report.record(Outcome.EMBEDDED, "a.mp4", "", "")
    now.seconds += 3600  # a watch that had nothing to do
    report.expect(10)
    report.record(Outcome.REMOVED, "gone.mp4", "", "")  # was never expected
    now.seconds += LINE_SECONDS
    report.record(Outcome.EMBEDDED, "b.mp4", "", "")
    assert capsys.readouterr().err == "1 of 10 videos, 0.20 videos/s, 00:45 left\n"


def test_on_a_terminal_there_is_a_bar_that_goes_away() -> None:
    screen = io.StringIO()
    report = Report(console=Console(file=screen, force_terminal=True, no_color=True, width=100))
    report.expect(2)
    report.record(Outcome.EMBEDDED, "a.mp4", "", "")
    report.expect(1)
    report.record(Outcome.FAILED, "b.mp4", "read", "zero bytes")
    report.record(Outcome.EMBEDDED, "c.mp4", "", "")
    report.close()
    report.close()
    shown = screen.getvalue()
    assert "Videos:" in shown
    assert "3/3" in shown
    assert "Skipping b.mp4 (read: zero bytes)" in shown
    assert "videos/s" in shown


class Hangup(io.StringIO):
    """A stderr whose terminal was closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("as_json", [False, True])
def test_nobody_who_listens_is_no_reason_to_end(
    monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Hangup())
    report = Report(as_json=as_json)
    report.expect(1)
    report.say("Loading")
    report.record(Outcome.FAILED, "a.mp4", "decode", "broken")
    assert report.counts[Outcome.FAILED] == 1


def test_every_outcome_is_counted() -> None:
    report = Report(console=Console(file=io.StringIO()))
    for outcome in (Outcome.EMBEDDED, Outcome.EMBEDDED, Outcome.MOVED, Outcome.REMOVED):
        report.record(outcome, "a.mp4", "", "")
    assert report.counts[Outcome.EMBEDDED] == 2
    assert report.counts[Outcome.MOVED] == report.counts[Outcome.REMOVED] == 1
    assert report.counts[Outcome.FAILED] == 0

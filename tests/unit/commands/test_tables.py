"""What a person reads on a terminal of 80 columns, and what another program does."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.commands.tables import print_hits, print_table
from pipeline.terminal import styled

COLUMNS = 80
LONG = f"videos/{'many words/' * 9}one.mp4"


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return screen


def hit(path: str, **facts: Any) -> dict[str, Any]:
    why = {"kind": "speech", "time": 2.0, "end": 4.0, "sentence": "Ask not what your country"}
    known = {"match": 97.0, "good": True, "score": 0.5, "transcript": "Ask not what your country"}
    return {"path": path, "label": None, "why": why, **known, **facts}


def test_a_hit_is_a_line_with_its_path_whole_and_no_sentence_twice(screen: Screen) -> None:
    silent = {"kind": "picture", "time": 61.0, "end": None, "sentence": None}
    hits = [hit("a.mp4"), hit(LONG, good=False), hit("b.mp4", why=silent, transcript="So it is")]
    with redirect_stdout(screen):
        print_hits(hits, empty="")
    header, first, second, third = screen.getvalue().splitlines()
    assert header.split() == ["match", "path", "why", "said"]
    assert first.count("Ask not") == 1
    assert "\x1b" in first
    assert LONG in second
    assert "\x1b" not in second
    assert third.endswith("picture 01:01  So it is")
    assert max(map(cell_len, (header, third))) <= COLUMNS


def test_only_what_may_be_cut_is_cut_at_the_edge(screen: Screen) -> None:
    words = "word " * 40
    with redirect_stdout(screen):
        print_table(("path", "said"), [("a.mp4", words)], empty="", cut=True)
        print_table(("said", "path"), [(words, LONG)], empty="", cut=False)
    _, cut, _, whole = screen.getvalue().splitlines()
    assert len(cut) <= COLUMNS
    assert cut.endswith("…")
    assert words in whole
    assert whole.endswith(LONG)


def test_another_program_reads_everything(capsys: pytest.CaptureFixture[str]) -> None:
    words = "word " * 40 + "end"
    print_table(("path", "said"), [("a\n.mp4", words)], empty="", marks=["match"], cut=True)
    assert capsys.readouterr().out.splitlines()[1] == rf"a\n.mp4  {words}"


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=3, max_size=3), max_size=5)
)
def test_every_row_is_a_line(rows: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        output = io.StringIO()
        patch.setattr("sys.stdout", output)
        print_table(("a", "b", "c"), rows, empty="empty")
    assert output.getvalue().count("\n") == 1 + len(rows)


@pytest.mark.parametrize(
    ("word", "code"), [("error", 31), ("warning", 33), ("ok", 32), ("match", 32)]
)
def test_colours_are_for_terminals_that_want_them(
    word: str, code: int, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert styled("text", word, screen) == f"\x1b[{code}mtext\x1b[0m"
    assert styled("text", "other", screen) == "text"
    assert styled("text", word, io.StringIO()) == "text"
    monkeypatch.setenv("NO_COLOR", "1")
    assert styled("text", word, screen) == "text"

"""Flags stand before or after the command; wrong words bring the right ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.commands import GROUPS, NAMES
from pipeline.commands.parser import make_parser, parse
from pipeline.config import OWN_CONFIG, find


def test_flags_of_the_program_stand_before_or_after_the_command() -> None:
    before = parse(["--config", "a.toml", "--set", "x.y=1", "--log-format", "json", "status"])
    after = parse(["status", "--config", "a.toml", "--set", "x.y=1", "--log-format", "json"])
    for options in (before, after):
        assert options.config == Path("a.toml")
        assert options.set == ["x.y=1"]
        assert options.log_format == "json"


@pytest.mark.parametrize(("flag", "verbosity"), [("-v", 1), ("--quiet", -1), ("-q", -1)])
def test_more_or_fewer_words_are_asked_for_anywhere(flag: str, verbosity: int) -> None:
    assert parse([flag, "scan"]).verbosity == parse(["scan", flag]).verbosity == verbosity
    assert parse(["-q", "scan", "-v"]).verbosity == 1  # the last one counts
    assert parse(["scan"]).verbosity == 0


def test_the_usage_of_a_command_has_its_own_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["status", "--help"])
    assert re.search(r"^usage: \S+ status \[-h\] \[--json\]\n", capsys.readouterr().out)


def test_settings_before_and_after_add_up_and_the_last_counts() -> None:
    options = parse(["--set", "a=1", "--config", "a", "scan", "--set", "a=2", "--config", "b"])
    assert options.set == ["a=1", "a=2"]
    assert options.config == Path("b")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["scna"], "there is no command scna; did you mean scan?"),
        (["status", "--jsn"], "there is no flag --jsn; did you mean --json?"),
        (["query", "--splti"], "there is no flag --splti\n"),  # --split is a flag of export
        (["qqq"], "there is no command qqq\n"),
    ],
)
def test_a_wrong_word_brings_the_nearest_right_one(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


def test_help_fits_80_columns_and_shows_each_command_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = make_parser().format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert re.findall(r"^    (\w+) ", text, re.MULTILINE) == list(NAMES)
    assert all(f"{title}:" in text for title in GROUPS)


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_an_example_that_parses(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([name, "--help"])
    (example,) = re.findall(r"example: \S+ (.*)", " ".join(capsys.readouterr().out.split()))
    import shlex

    assert parse(shlex.split(example)).command == name


def test_a_configuration_is_looked_for_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDEO_VECTORS_CONFIG", raising=False)
    assert find(None) == OWN_CONFIG
    Path("config.toml").write_text("")
    assert find(None) == Path("config.toml")
    monkeypatch.setenv("VIDEO_VECTORS_CONFIG", "/elsewhere.toml")
    assert find(None) == Path("/elsewhere.toml")
    assert find(Path("named.toml")) == Path("named.toml")

"""One JSON document comes out of stdout whole, whatever names are in it."""

from __future__ import annotations

import io
import json
import sys

import pytest

from pipeline.commands.output import print_json


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", ["plain", "ü…", "\udcff.mp4"])
def test_a_document_is_read_as_it_was_written(
    monkeypatch: pytest.MonkeyPatch, encoding: str, name: str
) -> None:
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding, errors="backslashreplace")  # as the program's
    monkeypatch.setattr(sys, "stdout", stdout)
    document = {"name": name, "number": 1e-7, "none": None, "each": [{"a": (1, 2)}]}
    print_json(document)
    read = written.getvalue().decode(encoding)
    assert json.loads(read) == {**document, "each": [{"a": [1, 2]}]}
    assert read.startswith('{\n  "name": ')

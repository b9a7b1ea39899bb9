"""What a search without models costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.table.store import Store
from tests.benchmarks.measure import run
from tests.support.rows import make_row


@pytest.mark.process
def test_a_search_imports_no_torch(tmp_path: Path) -> None:
    with Store.open(str(tmp_path), writer=True) as writer:
        writer.upsert([make_row("x/1")])
    code = (
        "import sys; from store import Store, Words, export, search;"
        f" hits = search(Store.open({str(tmp_path)!r}), Words('words'));"
        " print(len(hits), 'torch' in sys.modules)"
    )
    assert run(["-c", code]).stdout == "1 False\n"

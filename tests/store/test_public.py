"""What `import store` gives, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

import store
from store.table.store import Store
from tests.benchmarks.measure import run
from tests.support.rows import make_row


def test_every_public_name_is_there() -> None:
    assert store.__dir__() == store.__all__ == sorted(store.__all__)
    for name in store.__all__:
        assert getattr(store, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = store.nothing


def test_the_package_alone_imports_nothing_heavy() -> None:
    code = "import store, sys; print({'lancedb', 'numpy'} & {*sys.modules})"
    assert run(["-c", code]).stdout == "set()\n"


def test_a_search_imports_no_torch(tmp_path: Path) -> None:
    with Store.open(str(tmp_path), writer=True) as writer:
        writer.upsert([make_row("x/1")])
    code = (
        "import sys; from store import Store, Words, export, search;"
        f" hits = search(Store.open({str(tmp_path)!r}), Words('words'));"
        " print(len(hits), 'torch' in sys.modules)"
    )
    assert run(["-c", code]).stdout == "1 False\n"

"""What was learned is read as it was kept, or not at all."""

from __future__ import annotations

import logging
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from store.analysis.kept import FOLDER, Kept
from store.schema import Recipe
from store.table.store import Store
from tests.support.rows import make_row

RECIPE = Recipe("clip A", "whisper A", "clip A, whisper A")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store"), writer=True) as store:
        store.upsert([make_row("a.mp4")])
        yield store


def test_what_is_kept_is_read_again_and_only_of_its_recipe(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = Kept(store, RECIPE)
    assert kept.load("facts") is None
    assert kept.stamp("facts") is None
    kept.save("facts", {"few": np.arange(3), "names": np.array(["ü", ""])})
    found = kept.load("facts")
    assert found is not None
    assert {name: each.tolist() for name, each in found.items()} == {
        "few": [0, 1, 2], "names": ["ü", ""],
    }  # fmt: skip
    assert list(kept.load("facts", ["few"]) or {}) == ["few"]
    before = kept.stamp("facts")
    kept.save("facts", {"few": np.arange(4)})
    assert kept.stamp("facts") != before
    assert caplog.text == ""
    assert Kept(store, RECIPE._replace(visual="clip B")).load("facts") is None
    assert "another recipe" in caplog.text
    assert [file.name for file in (tmp_path / "store" / FOLDER).iterdir()] == ["facts.npz"]


@pytest.mark.parametrize("harm", ["cut", "flipped", "foreign", "empty"])
def test_damage_is_noticed_and_logged(
    store: Store, tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(store, RECIPE)
    kept.save("facts", {"few": np.arange(3), "many": np.random.default_rng(0).random(1_000)})
    _harm(tmp_path / "store" / FOLDER / "facts.npz", harm)
    assert kept.load("facts") is None
    assert "facts.npz is damaged and is made again" in caplog.text


def test_a_damaged_matrix_is_noticed(store: Store, tmp_path: Path) -> None:
    kept, matrix = Kept(store, RECIPE), np.arange(60, dtype=np.float32).reshape(20, 3)
    checksum = kept.save_matrix("vectors", matrix)
    found = kept.map_matrix("vectors", checksum)
    assert found is not None
    assert kept.is_whole(found, checksum)
    np.testing.assert_array_equal(found, matrix)
    (file,) = (tmp_path / "store" / FOLDER).glob("vectors-*.npy")
    content = bytearray(file.read_bytes())
    content[-3] ^= 64
    file.write_bytes(content)
    damaged = kept.map_matrix("vectors", checksum)
    assert damaged is not None
    assert not kept.is_whole(damaged, checksum)
    file.write_bytes(content[:50])
    assert kept.map_matrix("vectors", checksum) is None


def _harm(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "flipped":
        content[_last_byte_of_an_array(file)] ^= 1
    elif how == "empty":
        content = bytearray()
    else:
        np.savez(file, names=np.arange(3))
        return
    file.write_bytes(content)


def _last_byte_of_an_array(file: Path) -> int:
    """Where it is, of the largest in the file: not each byte between arrays means something."""
    with zipfile.ZipFile(file) as arrays:
        largest = max(arrays.infolist(), key=lambda each: each.file_size)
    name, extra = struct.unpack_from("<2H", file.read_bytes(), largest.header_offset + 26)
    return int(largest.header_offset + 30 + name + extra + largest.compress_size - 1)

"""LanceDB and a database of it; `keyed` has a table with a text key.

No other module opens LanceDB. Its errors leave here as `StoreError`.
"""

# ruff: noqa: E402 - some settings have to be made before LanceDB is imported

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from store.errors import StoreError
from store.lazy_import import initialise_late

os.environ.setdefault("LANCEDB_LOG", "error")  # else warnings flood stderr

# LanceDB needs the models of this generated REST client, whose `__init__` also makes one of each of
# its APIs: half of what `import lancedb` takes, and nothing that a local table needs.
initialise_late("lance_namespace_urllib3_client")

import lancedb
from lancedb import tokenize
from lancedb.expr import Expr, col, lit
from lancedb.index import FTS, Bitmap, BTree, IvfRq
from lancedb.query import BooleanQuery, FullTextOperator, MatchQuery, Occur, PhraseQuery
from lancedb.table import Table

__all__ = [
    "FTS",
    "BTree",
    "Bitmap",
    "BooleanQuery",
    "Database",
    "Expr",
    "FullTextOperator",
    "IvfRq",
    "MatchQuery",
    "Occur",
    "PhraseQuery",
    "Table",
    "col",
    "lit",
    "tokenize",
    "translated",
]

# Small, so that a writer that lives for days does not grow with the versions it has written.
_INDEX_CACHE_BYTES = 32 << 20
_METADATA_CACHE_BYTES = 8 << 20

_ROWS_IN_HAND = 1024
"""Rows of 20 kB that a compaction handles as one. With LanceDB's 8,192 a writer of 10,000 rows
peaks at 850 MB, of which allocators keep 600; with 1,024 at 500, of which 400, in the same time."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn LanceDB's, Arrow's and the system's errors into a `StoreError` beginning with `what`."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Give an error's text without places in LanceDB's source, and with advice where known."""
    text = re.sub(r", \S+\.rs:\d+(:\d+)?", "", str(error)).strip() or type(error).__name__
    full = "No space left on device" in text or "File too large" in text
    return f"{text}; make room and try again" if full else text


class Database:
    """A LanceDB database. Nothing is opened, or made on disk, before it is needed.

    Args:
        uri: a folder, or any URI that LanceDB opens.
        writer: whether it may be changed.
        options: of the object storage that the URI names, as LanceDB's `storage_options` has them.

    Attributes:
        may_write: raises `StoreError` where it may not be changed any more.
        when_opened: is given each table that was there, by its name.
    """

    def __init__(self, uri: str, *, writer: bool, options: Mapping[str, str] | None = None) -> None:
        self.uri = uri
        self.writer = writer
        self.folder = _local_folder(uri)
        self.may_write: Callable[[], None] = lambda: None
        self.when_opened: Callable[[str, Table], None] = lambda _name, _table: None
        self._options = dict(options or {})
        self._connection: Any = None
        self._lock = threading.Lock()

    def open(self, name: str) -> Table | None:
        """Open the table of that name; None where there is none."""
        with translated(f"the store {self.uri} cannot be read"):
            if self.folder is not None and not _exists(self.folder):
                return None  # connecting would make the folder
            try:
                table: Table = self._connect().open_table(name)
            except ValueError as error:
                if "was not found" in str(error):
                    return None
                raise
            self.when_opened(name, table)
        return table

    def create(self, name: str, schema: pa.Schema) -> Table:
        """Open the table of that name, which is made with `schema` if need be."""
        with translated(f"the store {self.uri} cannot be written"):
            table: Table = self._connect().create_table(name, schema=schema, exist_ok=True)
        return table

    def create_once(self, name: str, rows: pa.Table) -> Table:
        """Open the table of that name; where there is none, it is made with these rows."""
        with translated(f"the store {self.uri} cannot be written"):
            try:
                made: Table = self._connect().create_table(name, data=rows)
            except (ValueError, RuntimeError) as error:
                if "already exists" not in str(error):
                    raise
                made = self._connect().open_table(name)
        return made

    def require_writer(self) -> None:
        """Check that the database was opened for writing, and may still be written.

        Raises:
            StoreError: it was opened for reading, or is another's to write by now.
        """
        if not self.writer:
            raise StoreError(f"the store {self.uri} was opened for reading only")
        self.may_write()

    def _connect(self) -> Any:
        with self._lock:
            if self._connection is None:
                if self.writer:
                    os.environ.setdefault("LANCE_DEFAULT_BATCH_SIZE", str(_ROWS_IN_HAND))
                else:
                    # By itself LanceDB leaves two cores free, so that a reader with two has one
                    # for both of its searches. A writer shares the cores with the models.
                    os.environ.setdefault("LANCE_CPU_THREADS", str(os.cpu_count() or 1))
                session = lancedb.Session(
                    index_cache_size_bytes=_INDEX_CACHE_BYTES,
                    metadata_cache_size_bytes=_METADATA_CACHE_BYTES,
                )
                # With zero every read sees the newest version. A reader that stays on an older
                # version fails when the writer removes its files.
                self._connection = lancedb.connect(
                    self.uri,
                    read_consistency_interval=timedelta(0),
                    storage_options=self._options or None,
                    session=session if self.writer else None,
                )
            return self._connection


def _exists(folder: Path) -> bool:
    """Whether something is there; an error of the system is not taken for nothing."""
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _local_folder(uri: str) -> Path | None:
    if "://" not in uri:
        return Path(uri)
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None

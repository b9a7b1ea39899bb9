"""What a person has decided, kept by content beside the store: it outlives moves and restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.errors import PipelineError
from store.files import atomic_write

FILE = "judgements.json"
_LOCK = "judgements.lock"


@dataclass(frozen=True)
class Decided:
    """All judgements at a time.

    Args:
        rejected: folders that are no longer suggested, by content.
        decisions: what became of a case of the review, by its id.
    """

    rejected: dict[str, list[str]] = field(default_factory=dict)
    decisions: dict[str, str] = field(default_factory=dict)


class Judgements:
    """Reads and changes the judgements; several processes may do so.

    Args:
        file: where they are kept; None where the store is not a local folder.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._read: tuple[tuple[int, int, int], Decided] | None = None

    def now(self) -> Decided:
        """Give all of them; do not change what is in it.

        Raises:
            PipelineError: the file cannot be read.
        """
        if self._file is None:
            return Decided()
        try:
            facts = self._file.stat()
            stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if self._read is None or self._read[0] != stamp:
                content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
                self._read = (stamp, Decided(**content))
        except FileNotFoundError:
            return Decided()
        except OSError as error:
            raise PipelineError(f"{self._file}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise PipelineError(
                f"{self._file}: is damaged ({error}): repair it, or delete it, which forgets what"
                " was rejected and decided"
            ) from error
        return self._read[1]

    def reject(self, content: str, folder: str, *, is_rejected: bool = True) -> None:
        """Note that a folder is not for a content, or that it may be after all.

        Raises:
            PipelineError: the file cannot be written.
        """

        def change(decided: Decided) -> None:
            folders = set(decided.rejected.pop(content, ())) - {folder}
            folders |= {folder} if is_rejected else set()
            if folders:
                decided.rejected[content] = sorted(folders)

        self._change(change)

    def decide(self, case: str, decision: str | None) -> None:
        """Note what became of a case; None takes that back.

        Raises:
            PipelineError: the file cannot be written.
        """

        def change(decided: Decided) -> None:
            decided.decisions.pop(case, None)
            if decision is not None:
                decided.decisions[case] = decision

        self._change(change)

    def _change(self, change: Callable[[Decided], None]) -> None:
        if self._file is None:
            raise PipelineError(
                "judgements are kept beside the store, which has to be a local folder for that"
            )
        try:
            with FileLock(self._file.with_name(_LOCK)):
                before = self.now()
                after = Decided(
                    {content: list(folders) for content, folders in before.rejected.items()},
                    dict(before.decisions),
                )
                change(after)
                atomic_write(self._file, json.dumps(vars(after), ensure_ascii=False))
        except OSError as error:
            raise PipelineError(f"{self._file}: cannot be written: {error.strerror}") from error

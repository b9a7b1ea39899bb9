"""What `doctor` reports of each thing that it looks at."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self


class State(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        part: what was looked at.
        state: whether that is as it should be.
        text: what was seen.
        advice: what to do about it; empty where nothing is to be done.
    """

    part: str
    state: State
    text: str
    advice: str = ""

    def to_json(self) -> str:
        """The finding as one line of JSON, without the line break."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read what `to_json` wrote."""
        fields = json.loads(line)
        return cls(**{**fields, "state": State(fields["state"])})

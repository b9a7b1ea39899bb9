"""What `doctor` tells: one line for each thing that it looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """Args:
    part: what was looked at.
    state: OK, WARNING or PROBLEM.
    text: what was seen.
    advice: what to do about it.
    """

    part: str
    state: str
    text: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

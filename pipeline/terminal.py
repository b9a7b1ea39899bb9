"""A line of the log as JSON, for programs that collect logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def json_line(level: str, text: str, **facts: str) -> str:
    """One JSON object, without the line break: `time` (ISO 8601, UTC), `level`, `message`, and
    `facts` as fields of their own."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, **facts, "message": text})

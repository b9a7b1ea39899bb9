"""Which moments of a video to look at: pure arithmetic on frame indices and timestamps.

keyframes   K           K           K           K
timestamps  0  1  2  3  4  5  6  7  8  9 10 11 12 13
n = 3       ^                 ^                    ^
            seek 0            seek 4, go on to 6   seek 12, go on to 13
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def frame_indices(total: int, n: int) -> list[int]:
    """The indices of `n` frames, uniformly spaced from the first of `total` to the last.

    `linspace(0, total - 1, n)` cut to whole numbers, which is the recipe of the seed document; a
    video of fewer than `n` frames gives some of them more than once.
    """
    if total < 1 or n < 1:
        raise ValueError(f"cannot choose {n} of {total} frames")
    return [int(index) for index in np.linspace(0, total - 1, n, dtype=np.int64)]


def nearest_places(moments: Sequence[int], places: Sequence[int]) -> list[int]:
    """For each moment the nearest place, the earlier one of two that are equally near.

    Args:
        moments: in any order, with repeats.
        places: ascending, at least one.
    """
    found = []
    for moment in moments:
        after = bisect_left(places, moment)
        around = places[max(after - 1, 0) : after + 1]
        found.append(min(around, key=lambda place: abs(place - moment)))
    return found


@dataclass(frozen=True)
class Visit:
    """One stop on the way through a file: seek to the keyframe, decode on to the targets.

    Both in the stream's timestamps; `targets` ascend.
    """

    keyframe: int
    targets: tuple[int, ...]


def plan_visits(targets: Sequence[int], keyframes: Sequence[int]) -> list[Visit]:
    """Group targets by the keyframe that each has to be decoded from.

    Targets of one group of pictures share a visit: going on is cheaper than going back. A target
    before the first keyframe belongs to that keyframe; whoever decodes must expect not to see it.

    Args:
        targets: timestamps of the wanted frames, in any order, with repeats.
        keyframes: ascending timestamps of the keyframes, at least one.
    """
    visits: dict[int, list[int]] = {}
    for target in sorted(set(targets)):
        place = max(bisect_right(keyframes, target) - 1, 0)
        visits.setdefault(keyframes[place], []).append(target)
    return [Visit(keyframe, tuple(group)) for keyframe, group in visits.items()]

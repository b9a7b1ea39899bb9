"""The split of labeled videos into those that train and those that validate.

It depends on their content alone, so that the same collection always gives the same split, and a
copy never sits on both sides.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from store.analysis.duplicates import duplicate_groups
from store.analysis.vectors import Vectors


def split(
    labels: Sequence[str], hashes: Sequence[str], groups: np.ndarray, train_share: float
) -> np.ndarray:
    """Choose the rows that train.

    Each label keeps `train_share` of its videos for training as nearly as whole groups allow, and
    at least one group; a label of two groups or more has at least one to validate.

    Args:
        labels: label of each row.
        hashes: content hash of each row.
        groups: int64 `[n]`; rows of one number stay together.
        train_share: between 0 and 1.

    Returns:
        bool `[n]`: whether each row trains.
    """
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups.tolist()):
        members[group].append(row)
    by_label: defaultdict[str, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        by_label[_main_label([labels[row] for row in rows])].append(rows)
    trains = np.ones(len(labels), bool)
    for same in by_label.values():
        same.sort(key=lambda rows: _order(hashes[row] for row in rows))
        for rows in _validating(same, train_share):
            trains[rows] = False
    return trains


def training_rows(labeled: Vectors, train_share: float) -> np.ndarray:
    """Choose the labeled videos that train; copies and near copies stay on one side.

    Args:
        labeled: videos that have labels.
        train_share: between 0 and 1.

    Returns:
        bool `[n]`: whether each trains.
    """
    labels = [label or "" for label in labeled.labels]
    return split(labels, labeled.hashes, duplicate_groups(labeled), train_share)


def _validating(groups: list[list[int]], train_share: float) -> list[list[int]]:
    total = sum(map(len, groups))
    wanted = max(round(total * (1 - train_share)), 1)
    chosen: list[list[int]] = []
    for rows in groups:
        if len(chosen) < len(groups) - 1 and len(rows) <= wanted:
            chosen.append(rows)
            wanted -= len(rows)
    if not chosen and len(groups) > 1:
        chosen.append(min(groups, key=len))
    return chosen


def _main_label(labels: Sequence[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _order(hashes: object) -> bytes:
    """Give a group its place in a fixed but arbitrary order.

    Content hashes are hashed once more, with a salt, so that the order has nothing to do with any
    other use of them.
    """
    return hashlib.blake2b(min(hashes).encode(), digest_size=16, person=b"split").digest()  # type: ignore[call-overload]

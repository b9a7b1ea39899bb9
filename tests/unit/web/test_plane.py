"""The map stays as it is while files move."""

from __future__ import annotations

from tests.support.api import Client
from tests.support.pages import MARKUP


def test_moves_keep_the_map(own_page: Client) -> None:
    before = own_page.get("/api/map")
    place = before["keys"].index(own_page.key(MARKUP))
    moved = own_page.post("/api/moves", keys=[before["keys"][place]], folder="rockets")
    after = own_page.get("/api/map")
    now = after["keys"].index(moved["moved"][0]["new_key"])
    assert (after["x"][now], after["y"][now]) == (before["x"][place], before["y"][place])
    assert before["folders"][before["folder"][place]] is None
    assert after["folders"][after["folder"][now]] == "rockets"
    assert len({len(after[name]) for name in ("keys", "contents", "x", "y", "folder")}) == 1

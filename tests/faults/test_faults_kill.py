"""``kill -9`` of app, worker and trainer while people use the app: nothing that was acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright")

from kill_story import run  # noqa: E402


@pytest.mark.slow
def test_kills_at_random_moments_of_the_whole_story_lose_nothing(tmp_path: Path) -> None:
    told = run(tmp_path, kills=6, seed=20261128)
    assert told["acknowledged"] > 20
    assert (told["missing"], told["selections_missing"], told["findings"], told["images_twice"]) == (0, 0, [], 0), told
    assert len(told["kills"]) > 1, "only one process was ever killed"
    assert not {"failed", "crashed"} & set(told["states"].values()), told

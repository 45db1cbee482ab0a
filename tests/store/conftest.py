"""The tests of the store do not wait for the disk: that a rename follows its fsync is tested on its own."""

from __future__ import annotations

import pytest

from synthvlm_ui.store.files import atomic


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.os, "fsync", lambda descriptor: None)

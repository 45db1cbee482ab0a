"""A small workspace, its candidates, and the app's routes over it."""

from __future__ import annotations

import pytest
from small_workspace import CAPTIONS, REPEATS, client_of, fill
from starlette.testclient import TestClient

from synthvlm_ui.records import Candidate
from synthvlm_ui.service import Studio


@pytest.fixture
def candidates(studio: Studio) -> list[Candidate]:
    return fill(studio, "small", CAPTIONS, REPEATS)


@pytest.fixture
def client(studio: Studio, candidates: list[Candidate]) -> TestClient:
    return client_of(studio)

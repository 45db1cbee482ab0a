"""Trying a model on a picture: in the process that answers questions, and what is refused before it is asked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import ModelUnavailable, UnreadableFile
from synthvlm_ui.miniature.corpora import CORPORA
from synthvlm_ui.service import Studio


def test_the_shipped_vlm_says_what_a_scene_shows(studio: Studio) -> None:
    row = next(one for one in CORPORA if one.name == "world-heldout").row(5)
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(row.pixels())).save(buffer, "PNG")
    found = studio.trials.caption(str(MINIATURE / "vlm"), buffer.getvalue())
    assert (found["width"], found["height"]) == (64, 64) and list(found["captions"]) == ["trained"]
    words = set(row.caption.split()) - {"a", "of", "the", "to", "with", "on", "and"}
    assert words & set(found["captions"]["trained"].split()), (row.caption, found)


def test_no_picture_and_no_model_are_said_at_once(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="not an image of a known format"):
        studio.trials.caption(str(MINIATURE / "vlm"), b"GIF89a nothing", "mine.gif")
    with pytest.raises(ModelUnavailable, match="no captioner"):
        studio.trials.caption(str(tmp_path), b"")

"""Fills a workspace with real shards, scores and captions, among them captions that try to be markup."""

from __future__ import annotations

import numpy as np
from starlette.applications import Starlette
from starlette.testclient import TestClient

from synthvlm_ui.generation import encode_image, encode_thumbnail
from synthvlm_ui.records import Candidate, ScorerInfo, caption_id_of, seed_of
from synthvlm_ui.service import Studio
from synthvlm_ui.store import ShardMember
from synthvlm_ui.ui.access.guards import middleware
from synthvlm_ui.ui.routes.api import Api
from synthvlm_ui.ui.routes.build import build_routes

MARKUP = "<img src=x onerror=alert(1)> ${alert(2)} {{constructor}}"
CAPTIONS = ["a red cat on a blue background", "two yellow stars above a green boat", MARKUP, "a dog & a <b>house</b>"]
REPEATS = 5
SIDE_PX = 64
BASE = "http://127.0.0.1:7860"
ROUTES = BASE + "/gradio_api/synthvlm"


def candidate_of(dataset: str, caption: str, repeat: int) -> Candidate:
    """A candidate as a plan would make it."""
    caption_id = caption_id_of(caption)
    facts = {
        "dataset": dataset, "caption_id": caption_id, "caption": caption, "prompt_template": "{caption}",
        "prompt": caption, "negative_prompt": None, "generator": "miniature", "model": "miniature",
        "revision": "0" * 16,
        "sampler": "masked", "num_inference_steps": 8, "guidance_scale": 3.0, "width": SIDE_PX, "height": SIDE_PX,
        "run_seed": 0, "repeat": repeat, "seed": seed_of(0, caption_id, repeat), "created": "2026-01-01T00:00:00+00:00",
    }
    return Candidate(id=Candidate.id_of(facts), **facts)


def fill(studio: Studio, dataset: str, captions: list[str], repeats: int) -> list[Candidate]:
    """Captions, one shard of images and the scores of two scorers."""
    studio.captions.import_texts("\n".join(captions), dataset)
    candidates = [candidate_of(dataset, caption, repeat) for caption in captions for repeat in range(repeats)]
    random = np.random.default_rng(0)
    members = []
    for candidate in candidates:
        pixels = random.integers(0, 255, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
        members.append(ShardMember(candidate, encode_image(pixels, candidate), "webp", encode_thumbnail(pixels)))
    ids = [candidate.id for candidate in candidates]
    spread = np.linspace(0.1, 0.4, len(ids), dtype=np.float32)
    store = studio.workspace
    store.scores.write(dataset, "shard-1", ScorerInfo("clip", ("clip_cosine",), {"model": "test"}), ids,
                       {"clip_cosine": spread})
    store.scores.write(dataset, "shard-1", ScorerInfo("ssim", ("ssim",), {"route": "64-21-64"}), ids,
                       {"ssim": spread[::-1] * 2})
    store.shards.write(dataset, "shard-1", members)
    studio.refresh()
    return candidates


def client_of(studio: Studio, *, read_only: bool = False) -> TestClient:
    """The app's own routes behind the app's own guards."""
    app = Starlette(routes=build_routes(Api(studio, read_only=read_only)), middleware=middleware((), "127.0.0.1"))
    return TestClient(app, base_url=BASE)

"""Measures scoring beside its references in the same run; prints one JSON line. CPU seconds per image, and ratios.

    python tests/benchmarks/scoring.py [--images 8] [--candidates-per-caption 4] [--side 1024] [--clip DIR]

SSIM: the round trip of decoded images, ours beside Pillow + scikit-image, and the comparison alone. CLIPScore: ours
beside a plain loop over open_clip's own transform, tokenizer and encoders, one pair at a time, on the same weights in
float32. ``wall`` ratios use what the machine has; ``cpu`` ratios are what a loaded machine still tells.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

from synthvlm_ui.backends import create_round_trip_engine
from synthvlm_ui.backends.open_clip_embedder import OpenClipEmbedder
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.models.torchvision_ops import ensure_importable
from synthvlm_ui.scoring import PREFIX, ROUTES, ClipScorer, GuardScorer, SsimScorer, round_trip
from synthvlm_ui.scoring.ssim_kernels import KERNELS, best_kernel, reference_ssim

REPEATS = 3


def seconds(call: Callable[[], object]) -> dict[str, float]:
    """Least wall and median CPU seconds of a few calls, after one that warms up."""
    call()
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {"wall": min(walls), "cpu": statistics.median(cpus)}


def compared(ours: Callable[[], object], theirs: Callable[[], object], images: int) -> dict[str, float]:
    """Milliseconds per image of both, and how many times faster ours is."""
    mine, reference = seconds(ours), seconds(theirs)
    return {
        "ours_ms": round(1000 * mine["wall"] / images, 2),
        "ours_cpu_ms": round(1000 * mine["cpu"] / images, 2),
        "reference_ms": round(1000 * reference["wall"] / images, 2),
        "ratio_wall": round(reference["wall"] / mine["wall"], 2),
        "ratio_cpu": round(reference["cpu"] / mine["cpu"], 2),
    }


def photographs(count: int, side: int) -> list[np.ndarray]:
    """Crops of scikit-image's photographs, brought to one size."""
    from skimage import data

    sources = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in ("astronaut", "coffee", "chelsea")]
    return [np.asarray(sources[index % 3].rotate(index).resize((side, side))) for index in range(count)]


def measure_ssim(images: list[np.ndarray]) -> dict[str, Any]:
    route, engine = ROUTES["paper"], create_round_trip_engine("cpu")
    scorer, kernel = SsimScorer(engine=engine), best_kernel(images[0].size)
    pairs = [round_trip(image, route, engine) for image in images]
    apart = [abs(KERNELS[kernel](*pair) - reference_ssim(*pair)) for pair in pairs]
    return {
        "kernel": kernel, "resampling": engine.resampling,
        "max_difference": max(apart),
        "round_trip": compared(lambda: scorer.score(images, [""] * len(images)),
                               lambda: [reference_ssim(*round_trip(image, route)) for image in images], len(images)),
        "comparison_alone": compared(lambda: [KERNELS[kernel](*pair) for pair in pairs],
                                     lambda: [reference_ssim(*pair) for pair in pairs], len(images)),
    }


def measure_torchmetrics(images: list[np.ndarray]) -> dict[str, Any]:
    """The comparison alone beside torchmetrics' SSIM with the same window, where that package is installed."""
    if importlib.util.find_spec("torchmetrics") is None:
        return {"not_measured": "torchmetrics is not installed"}
    ensure_importable()
    import torch

    theirs: Any = importlib.import_module("torchmetrics.functional.image").structural_similarity_index_measure
    route, engine = ROUTES["paper"], create_round_trip_engine("cpu")
    pairs = [round_trip(image, route, engine) for image in images]
    kernel = KERNELS[best_kernel(images[0].size)]

    def reference() -> list[float]:
        planes = [[torch.from_numpy(np.asarray(each, np.float32)).permute(2, 0, 1)[None] for each in pair]
                  for pair in pairs]
        return [float(theirs(*pair, gaussian_kernel=False, kernel_size=7, data_range=255.0)) for pair in planes]

    apart = [abs(kernel(*pair) - value) for pair, value in zip(pairs, reference(), strict=True)]
    return {"max_difference": max(apart), **compared(lambda: [kernel(*pair) for pair in pairs], reference, len(images))}


def measure_clip(images: list[np.ndarray], captions: list[str], directory: Path) -> dict[str, Any]:
    ensure_importable()
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{directory}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{directory}")
    model.eval()

    def plain_loop() -> list[float]:
        cosines = []
        for image, caption in zip(images, captions, strict=True):
            with torch.no_grad():
                picture = model.encode_image(transform(Image.fromarray(image))[None], normalize=True)
                text = model.encode_text(tokenizer([PREFIX + caption]), normalize=True)
            cosines.append(float((picture * text).sum()))
        return cosines

    embedder = OpenClipEmbedder("benchmark", directory=directory)
    # A scorer per call: nothing is remembered from the call before, only within one.
    ours = ClipScorer(embedder).score(images, captions).columns["clip_cosine"]
    measured = compared(lambda: ClipScorer(embedder).score(images, captions), plain_loop, len(images))
    return {"precision": embedder.info.settings["precision"],
            "max_difference": float(np.abs(ours - plain_loop()).max()), **measured}


def circumstances() -> dict[str, Any]:
    """Machine, date, commit and load."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            cwd=Path(__file__).parent).stdout.strip()
    return {"processor": processor, "cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d"), "commit": commit,
            "load": round(os.getloadavg()[0], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--candidates-per-caption", type=int, default=4)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--clip", type=Path, default=MINIATURE / "clip", help="an open_clip directory")
    options = parser.parse_args()
    images = photographs(options.images, options.side)
    words = ["a red apple", "two blue fish", "a castle left of a tree", "a yellow duck"]
    captions = [f"{words[index % 4]} {index // 4}" for index in range(options.images)]
    captions = [captions[index // options.candidates_per_caption] for index in range(options.images)]
    guards = seconds(lambda: GuardScorer().score(images, captions))
    print(json.dumps({
        "benchmark": "scoring", **circumstances(), "side_px": options.side, "images": options.images,
        "ssim": measure_ssim(images),
        "ssim_beside_torchmetrics": measure_torchmetrics(images),
        "guards_ms": round(1000 * guards["wall"] / options.images, 2),
        "clip": measure_clip(images, captions, options.clip),
    }))


if __name__ == "__main__":
    main()

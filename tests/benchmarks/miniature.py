"""Measures the shipped small world on held-out compositions; prints one JSON line.

    python tests/benchmarks/miniature.py [--assets DIR] [--judge shipped|second] [--count 512]

`--judge second` trains a CLIP of its own from another seed (once; kept in the user's cache
folder, never in the repository), so that the generator is not judged by the CLIP it ships with.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from synthvlm_ui.backends.vq_token_generator import VqTokenGenerator
from synthvlm_ui.config import MINIATURE
from synthvlm_ui.miniature import loop, measure
from synthvlm_ui.miniature.clip_recipe import ClipRecipe
from synthvlm_ui.models.language import load_language_model
from synthvlm_ui.models.storage import load_tokenizer
from synthvlm_ui.models.vlm import load_vlm

JUDGE_SEED = 77


def second_judge(steps: int) -> Path:
    """Directory of the benchmark's own CLIP, trained when it is not cached."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "synthvlm-ui" / f"judge-{steps}"
    if not (cache / "done").exists():
        loop.train(ClipRecipe(seed=JUDGE_SEED, steps=steps), cache / "run", cache / "clip", resume=True)
        (cache / "done").touch()
    return cache / "clip"


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Every number of the model cards."""
    assets, rows = arguments.assets, measure.distinct_rows(arguments.count)
    captions = [row.caption for row in rows]
    shipped = measure.Judge(assets / "clip")
    judge = shipped if arguments.judge == "shipped" else measure.Judge(second_judge(arguments.judge_steps))
    generator, tokenizer = VqTokenGenerator(assets), load_tokenizer(assets / "vq")
    language, vlm = load_language_model(assets / "lm"), assets / "vlm"
    pictures = measure.generate(generator, captions, steps=arguments.steps)
    return {
        "schema_version": 1,
        "n": len(rows),
        "judge": arguments.judge,
        "clip": measure.recall_at_1(shipped, measure.pixels_of(rows), captions),
        "clip_hard_negatives": measure.hard_negatives(shipped, rows),
        "judge_on_real": measure.recall_at_1(judge, measure.pixels_of(rows), captions)["i2t"],
        "vq": measure.reconstruction(tokenizer, rows, judge),
        "generator": measure.recall_at_1(judge, pictures, captions),
        "generator_s_per_image": measure.seconds_per_image(generator, steps=arguments.steps),
        "vlm": measure.captioning(load_vlm(vlm, language), tokenizer, rows) if vlm.exists() else None,
        "lm_grammar_share": measure.grammar_share(language, arguments.captions),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, default=MINIATURE)
    parser.add_argument("--judge", choices=("shipped", "second"), default="shipped")
    parser.add_argument("--judge-steps", type=int, default=320)
    parser.add_argument("--count", type=int, default=512, help="held-out scenes")
    parser.add_argument("--steps", type=int, default=8, help="sampler steps")
    parser.add_argument("--captions", type=int, default=500, help="captions sampled from the language model")
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()

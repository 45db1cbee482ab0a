"""`python -m synthvlm_ui.miniature`: train every shipped part of the small world from nothing.

The order is language model, tokenizer, generator, VLM, because the frozen language model
encodes the generator's text; CLIP stands alone. Knows the parts only by name.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARTS: tuple[str, ...] = ("lm", "vq", "decoder", "generator", "vlm", "clip")
FOLDERS = {"decoder": "vq"}  # the decoder is trained again, larger, for the finished codes
GO_ON = ("generator", "clip")  # their shipped weights say how many steps they have seen
ASSETS = Path(__file__).resolve().parents[2] / "assets" / "miniature"


def build_recipe(part: str, assets: Path, options: dict[str, Any]) -> Any:
    """The recipe of one part; later parts read earlier ones from `assets`.

    Raises:
        FileNotFoundError: an earlier part has not been trained yet.
    """
    builders: dict[str, Callable[[], Any]] = {
        "lm": lambda: _load("lm_recipe", "LanguageRecipe")(**options),
        "vq": lambda: _load("vq_recipe", "TokenizerRecipe")(**options),
        "decoder": lambda: _load("vq_recipe", "DecoderRecipe")(assets, **options),
        "generator": lambda: _load("generator_recipe", "GeneratorRecipe")(assets, **options),
        "vlm": lambda: _load("vlm_recipe", "VlmRecipe")(assets, **options),
        "clip": lambda: _load("clip_recipe", "ClipRecipe")(**options),
    }
    return builders[part]()


def _load(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(f"synthvlm_ui.miniature.{module}"), name)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line of the recipes."""
    parser = argparse.ArgumentParser(prog="python -m synthvlm_ui.miniature", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="train one part")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ...")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ASSETS, help="where the weights go")
    parser.add_argument("--runs", type=Path, default=Path("miniature-runs"), help="checkpoints")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoints")
    parser.add_argument("--go-on", action="store_true", help="continue the shipped generator or CLIP")
    parser.add_argument("--minutes", type=float, help="stop each part after this wall time")
    parser.add_argument("--steps", type=int, help="updates of each part instead of its default")
    parser.add_argument("--threads", type=int, help="torch threads")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train the asked-for parts in order."""
    arguments = parse_arguments(argv)
    from synthvlm_ui.miniature import corpora, loop, tokens

    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    options: dict[str, Any] = {"seed": arguments.seed, "device": arguments.device}
    if arguments.steps:
        options["steps"] = arguments.steps
    arguments.out.mkdir(parents=True, exist_ok=True)
    tokens.write_vocabulary(arguments.out / "vocabulary.json")
    if not (arguments.out / "corpora.json").exists():
        corpora.write_digests(arguments.out / "corpora.json")
    for part in (arguments.only,) if arguments.only else PARTS:
        recipe = build_recipe(part, arguments.out, options)
        shipped = arguments.out / part
        start = recipe.go_on_from(shipped) if part in GO_ON and arguments.go_on and shipped.exists() else 0
        loop.train(
            recipe, arguments.runs / part, arguments.out / FOLDERS.get(part, part),
            resume=arguments.resume or arguments.go_on, start=start, minutes=arguments.minutes,
        )  # fmt: skip


if __name__ == "__main__":
    main()

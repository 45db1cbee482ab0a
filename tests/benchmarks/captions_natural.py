"""2,000 captions written over balanced classes beside 2,000 drawn by natural frequency, as Synth2's Table 3 sets
generated captions beside collected ones: ``python tests/benchmarks/captions_natural.py [COUNT]``.

Written by the small world's own language model through the real job; the natural ones are the first of world-skewed,
whose objects follow Zipf's law. Both are clustered together (k = 20, five seeds).
For the shipped list of 1,271 names only the drawn classes are compared: no instruct model ships with this program.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from synthvlm_ui.backends.text_embedders import create_text_embedder
from synthvlm_ui.captions import draw_classes, entropy_bits, read_classes
from synthvlm_ui.diversity import measure
from synthvlm_ui.miniature.corpora import WORLD_SKEWED
from synthvlm_ui.miniature.grammar import parse
from synthvlm_ui.service import Studio, WritingSettings

EMBEDDERS = ("lm", "clip-text")  # of the small world; the paper clusters on embeddings of its language model


def written(count: int) -> list[str]:
    """Captions of a write job over balanced classes."""
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio.open(Path(folder) / "workspace")
        start = time.perf_counter()
        job = studio.writing.start(WritingSettings("written", count, sampling="balanced", device="cpu"))
        result = studio.jobs.follow(job, lambda _now: None)["result"]
        print(f"written {result['written']}, rejected {result['rejected']} {result['reasons']} "
              f"in {time.perf_counter() - start:.0f} s; asked again: {result['asked_again']}")
        texts = [caption.caption for caption in studio.workspace.captions.load("written")]
        studio.close()
    return texts


def objects(texts: list[str]) -> Counter[str]:
    scenes = [scene for text in texts if (scene := parse(text)) is not None]
    return Counter(thing.noun for scene in scenes for thing in (scene.first, scene.second) if thing is not None)


def show(title: str, counts: Mapping[str, int]) -> None:
    ordered = sorted(counts.values(), reverse=True)
    total = sum(ordered)
    print(f"  {title:<28} {len(ordered):>5} kinds, entropy {entropy_bits(counts):.2f} bits, "
          f"top 5 {sum(ordered[:5]) / total:.1%}, top 3 {sum(ordered[:3]) / total:.1%}")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    texts = {"written, balanced classes": written(count),
             "natural frequency": [WORLD_SKEWED.row(index).caption for index in range(count)]}
    print("objects named in the captions:")
    for title, each in texts.items():
        show(title, objects(each))
    print("classes drawn from the shipped list of visible nouns:")
    shipped = read_classes()
    for sampling in ("balanced", "uniform", "natural"):
        show(sampling, Counter(draw_classes(shipped, count, 0, sampling)))  # type: ignore[arg-type]
    for name in EMBEDDERS:
        embedder = create_text_embedder(name, device="cpu")
        rows = {title: np.asarray(embedder.embed_texts(each), np.float32) for title, each in texts.items()}
        print(f"clusters of both together, embedder {name}, k = 20:")
        for title, found in measure(rows).sets().items():
            print(f"  {title:<28} entropy {found['entropy_bits']:.2f} bits, top 5 {found['top5']:.1%}, "
                  f"top 3 {found['top3']:.1%}")


if __name__ == "__main__":
    main()

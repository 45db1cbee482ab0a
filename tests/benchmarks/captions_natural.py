"""2,000 captions written over balanced classes beside 2,000 drawn by natural frequency, as Synth2's Table 3 sets
generated captions beside collected ones: ``python tests/benchmarks/captions_natural.py [COUNT]``.

Written by the small world's own language model through the real job; the natural ones are the first of world-skewed,
whose objects follow Zipf's law. Both are clustered together (k = 20 and 48, five seeds) by several embedders, down to
the objects alone, and for each is said what its clusters follow.
For the shipped list of 1,271 names only the drawn classes are compared: no instruct model ships with this program.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_mutual_info_score

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from synthvlm_ui.backends.text_embedders import create_text_embedder
from synthvlm_ui.captions import draw_classes, entropy_bits, read_classes
from synthvlm_ui.diversity import cluster, measure, nearest, usable
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
    said = [facts(text) for each in texts.values() for text in each]
    for name, vectors in embedded([text for each in texts.values() for text in each]).items():
        for k in (20, 48):
            compare(name, k, dict(zip(texts, np.split(vectors, len(texts)), strict=True)), said)


def embedded(texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Every caption by each embedder, shape (captions, D) of unit rows: models, words, and the objects alone."""
    found = {}
    for name in EMBEDDERS:
        rows = np.asarray(create_text_embedder(name, device="cpu").embed_texts(texts), np.float32)
        found |= {name: rows, f"{name}, centred": unit(rows - rows.mean(0))}
    found["words, TF-IDF"] = unit(TfidfVectorizer(stop_words="english").fit_transform(texts).toarray())
    found["objects alone"] = unit(DictVectorizer(sparse=False).fit_transform([objects([text]) for text in texts]))
    return found


def facts(text: str) -> dict[str, str]:
    """What a cluster might follow."""
    scene = parse(text)
    assert scene is not None
    return {"opening words": " ".join(text.split()[:2]), "object": scene.first.noun, "paint": str(scene.first.colour),
            "ground": str(scene.ground and scene.ground.name), "count or relation": f"{scene.count} {scene.relation}"}


def compare(name: str, k: int, sets: Mapping[str, NDArray[np.float32]], said: Sequence[Mapping[str, str]]) -> None:
    """Both sets clustered together, and how much of each fact the clusters tell (adjusted mutual information)."""
    print(f"clusters of both together, embedder {name}, k = {k}:")
    for title, found in measure(sets, k=k).sets().items():
        print(f"  {title:<28} entropy {found['entropy_bits']:.2f} bits, top 5 {found['top5']:.1%}, "
              f"top 3 {found['top3']:.1%}")
    masks = {title: usable(rows, title) for title, rows in sets.items()}
    fits = cluster(sets, masks, k=k).fits
    codes = np.concatenate([nearest(rows, masks[title], fits)[0][0] for title, rows in sets.items()])
    told = {fact: adjusted_mutual_info_score([each[fact] for each in said], codes) for fact in said[0]}
    print("  clusters tell: " + ", ".join(f"{fact} {share:.2f}" for fact, share in told.items()))


def unit(rows: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float32]:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


if __name__ == "__main__":
    main()

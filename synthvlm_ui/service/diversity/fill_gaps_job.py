"""The job that fills gaps: captions are written for the clusters a dataset has least of, and looked at where they fall.

Runs in a worker process. A text is only kept when its embedding lies in a cluster that still lacks some, so the entropy
it promises is the entropy it reaches. Captions are stored after every round; a stopped job keeps what it has.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.diversity import Fit, counts_of, entropy_bits, fill_up, nearest
from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.protocols import CaptionWriter, WriteRequest
from synthvlm_ui.records import Caption, caption_id_of, seed_of
from synthvlm_ui.service.captions.write_job import profile_of
from synthvlm_ui.store import Workspace

ROUNDS = 24
MOST_IN_ROUND = 512
_OPENING_SHARE = (0.35, 0.7)


def gaps_of(workspace: Workspace, run: str, set_name: str, count: int) -> dict[str, Any]:
    """{"sizes", "wanted", "entropy_before", "entropy_after"} for ``count`` more captions in a measured dataset.

    Raises: UnknownName, BadSetting when the set is no dataset measured by its captions.
    """
    if not 1 <= count <= 100_000:
        raise BadSetting(f"{count} captions are not from 1 to 100,000", where="--fill-gaps", fix="Give another number.")
    report = workspace.clusterings.report(run)
    each = next((each for each in report["sets"] if each["name"] == set_name), None)
    if each is None:
        raise UnknownName.of("set", set_name, [known["name"] for known in report["sets"]])
    if each["kind"] != "dataset" or report["rows_are"] != "captions":
        raise BadSetting(f"{set_name!r} is no dataset measured by its captions", where="--fill-gaps",
                         fix="Measure a dataset with a caption embedder, such as lm.")
    sizes = np.array(report["datasets"][set_name]["cluster_sizes"], np.int64)
    wanted = fill_up(sizes, count)
    return {"dataset": each["dataset"], "sizes": sizes.tolist(), "wanted": wanted.tolist(),
            "names": report["names"], "entropy_before": entropy_bits(sizes),
            "entropy_after": entropy_bits(sizes + wanted)}


def run_fill_gaps(context: JobContext, workspace: Workspace, writer_of: Callable[[str], CaptionWriter],
                  embedder_of: Callable[[str], Any]) -> Mapping[str, Any]:
    """Carries the job to its end. Returns {written, tried, entropy_before, entropy_after, by_cluster}."""
    config = context.config
    plan = gaps_of(workspace, config["run"], config["set"], config["count"])
    report = workspace.clusterings.report(config["run"])
    context.progress.update(0, config["count"], message="loading the writer")
    filling = _Filling(workspace, report, plan, writer_of(config["writer"]), embedder_of(report["embedder"]),
                       config["seed"])
    for number in range(ROUNDS):
        if context.progress.should_stop() or not filling.wanted.any():
            break
        context.check_disk(workspace.root, 0)
        filling.round(number)
        context.progress.update(filling.written, config["count"],
                                message=f"{filling.tried} texts tried, {filling.written} kept")
        context.metrics({"kind": "filled", "written": filling.written, "tried": filling.tried,
                         "entropy_bits": entropy_bits(filling.sizes)})
    return {"written": filling.written, "tried": filling.tried, "entropy_before": plan["entropy_before"],
            "entropy_after": entropy_bits(filling.sizes), "sizes": filling.sizes.tolist(),
            "by_cluster": {report["names"][code]: count for code, count in sorted(filling.kept.items())}}


class _Filling:
    """What is still wanted and what has been written, round after round."""

    def __init__(self, workspace: Workspace, report: Mapping[str, Any], plan: Mapping[str, Any],
                 writer: CaptionWriter, embedder: Any, seed: int) -> None:
        self._workspace, self._report, self._writer, self._embedder = workspace, report, writer, embedder
        self._dataset, self._seed = plan["dataset"], seed
        self._profile = profile_of(writer.info, None, None)
        self._classes = set(self._profile.classes().names)
        centroids = np.array(workspace.clusterings.array(report["run"], "centroids"), np.float32)
        self._fit = Fit(centroids, 0.0, centroids, 0)
        self._seen = {caption.caption for caption in workspace.captions.load(self._dataset)}
        self.wanted = np.array(plan["wanted"], np.int64)
        self.sizes = np.array(plan["sizes"], np.int64)
        self.kept: Counter[int] = Counter()
        self.tried = 0

    @property
    def written(self) -> int:
        return sum(self.kept.values())

    def round(self, number: int) -> None:
        """Asks for twice what is wanted, keeps what falls where something is wanted, and stores it."""
        clusters = np.repeat(np.arange(len(self.wanted)), self.wanted * 2)
        chance = random.Random(f"{self._seed} {number}")
        chosen = clusters.tolist()
        chance.shuffle(chosen)
        asked = [self._request(cluster, number, place) for place, cluster in enumerate(chosen[:MOST_IN_ROUND])]
        answers = self._writer.write([request for request, _ in asked])
        self.tried += len(answers)
        texts = list(dict.fromkeys(
            answer for answer, (_, subject) in zip(answers, asked, strict=True)
            if isinstance(answer, str) and answer not in self._seen and self._is_sound(answer, subject)))
        if texts:
            self._keep(texts)

    def _keep(self, texts: Sequence[str]) -> None:
        vectors: NDArray[np.float32] = self._embedder.embed_texts(texts)
        codes = nearest(vectors, np.ones(len(texts), bool), [self._fit])[0][0]
        captions, kept = [], []
        for place, (text, code) in enumerate(zip(texts, codes.tolist(), strict=True)):
            if self.wanted[code] > 0:
                self.wanted[code] -= 1
                self.kept[code] += 1
                kept.append(place)
                captions.append(Caption(caption_id_of(text), text, source=f"written by {self._writer.info.name}",
                                        meta={"fills_cluster": self._report["names"][code]}))
        self._seen.update(texts)
        if captions:
            self._workspace.captions.add(self._dataset, captions, on_duplicate="skip", source="fill the gaps")
            self._workspace.caption_embeddings.add(self._embedder.info.key, [texts[place] for place in kept],
                                                   vectors[kept])
            self.sizes += counts_of(codes[kept], len(self.sizes))

    def _request(self, cluster: int, number: int, place: int) -> tuple[WriteRequest, str]:
        """What to ask for a caption like those of a cluster, and what it must name ("" for anything of this world)."""
        described = self._report["clusters"][cluster]
        chance = random.Random(f"{self._seed} {number} {place}")
        seed = seed_of(self._seed, f"gap {number} {place}", 0)
        if self._writer.info.profile == "small-world":
            # Its writer follows no instruction: it continues how captions of this cluster begin.
            examples = described["captions"] or ["there is"]
            words = chance.choice(examples).split()
            prompt = " ".join(words[: max(2, round(len(words) * chance.uniform(*_OPENING_SHARE)))])
            return WriteRequest(prompt, seed, 1.0, self._profile.max_new_tokens), ""
        subject = chance.choice(described["words"][:4] or ["scene"])
        return WriteRequest(self._profile.prompt(subject, seed), seed, 1.0, self._profile.max_new_tokens), subject

    def _is_sound(self, text: str, subject: str) -> bool:
        if subject:
            return self._profile.problem(text, subject) is None
        return any(self._profile.problem(text, name) is None for name in self._classes)

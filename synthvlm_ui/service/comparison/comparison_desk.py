"""Comparison: pairs of one caption, sets against sets, and the pictures of a difference.

Joins the store's columns and images to the comparison room's arithmetic. Reads only; what takes long (maps by t-SNE,
FID) is a job.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison import (
    CMMD_MAX_ROWS,
    ORDERS,
    SCORES,
    Pairs,
    cmmd,
    combined,
    gaps,
    nearest_neighbour_share,
    order_of_captions,
    pair_up,
)
from synthvlm_ui.comparison.figures import Style
from synthvlm_ui.diversity import check_method
from synthvlm_ui.errors import BadSetting, EmptyInput, UnreadableFile
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.comparison.compared_sets import (
    ComparedSet,
    embeddings_of,
    find_set,
    find_sets,
    other_scores,
    shared_key,
    spec_of_real,
    spec_of_synthetic,
)
from synthvlm_ui.service.comparison.comparison_figures import MEDIA_TYPES, file_of, files_of, histogram_of
from synthvlm_ui.service.comparison.comparison_pictures import KINDS, picture
from synthvlm_ui.service.dataset_rows import number, rows_of
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files.atomic import write_bytes

_TABLE = ("clip_cosine", "ssim", "combined")
_MAX_PAGE = 200
_MAX_JOBS = 50
_REMEMBERED = 8
Columns = dict[str, NDArray[np.float32]]


class ComparisonDesk:
    """``studio.comparison``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs
        self._lock = threading.Lock()
        self._remembered: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def choices(self) -> dict[str, Any]:
        """Every set that can be compared, with how many images it has; and what pairs can be ordered by."""
        workspace = self._workspace
        reals: list[dict[str, Any]] = []
        candidates: list[dict[str, Any]] = []
        for name in workspace.captions.datasets():
            for found, spec, real in ((reals, f"real:{name}", True), (candidates, name, False)):
                count = len(rows_of(workspace.columns, name, real=real))
                if count:
                    found.append({"spec": spec, "dataset": name, "images": count})
        selections = [{"spec": f"selection:{name}", "dataset": workspace.selections.load(name).rule.dataset,
                       "images": workspace.selections.load(name).kept} for name in workspace.selections.names()]
        return {"real": reals, "synthetic": [*candidates, *selections], "orders": list(ORDERS), "scores": list(SCORES)}

    def specs(self, real: str, synthetic: Sequence[str]) -> tuple[str, list[str], list[str]]:
        """What the user's names mean: (real spec, synthetic specs, notes). Raises: UnknownName, EmptyInput."""
        self._workspace.columns.refresh()
        spec, note = spec_of_real(self._workspace, real)
        return spec, [spec_of_synthetic(self._workspace, name) for name in synthetic], [note] if note else []

    # -- sets

    def sets(self, specs: Sequence[str], *, ssim_weight: float = 0.5, seed: int = 0) -> dict[str, Any]:
        """The table of SynthVLM's data quality comparison for any sets, their histograms, and their distances.

        The first set is the one the others are measured against. Beside the three known scores stands every further one
        that all sets have (``columns`` lists them). ``distances`` holds CMMD of the stored CLIP embeddings
        and how often a nearest neighbour is of the same set; None, with a note, where a set was not scored.
        Raises: UnknownName, EmptyInput, BadSetting.
        """
        self._workspace.columns.refresh()
        key = ("sets", self._workspace.columns.version, tuple(specs), ssim_weight, seed)
        return dict(self._once(key, lambda: self._sets(specs, ssim_weight, seed)))

    def _sets(self, specs: Sequence[str], ssim_weight: float, seed: int) -> dict[str, Any]:
        columns = self._workspace.columns
        sets = find_sets(self._workspace, specs)
        clip_key = shared_key(columns, "clip", "clip_cosine", sets)
        ssim_key = shared_key(columns, "ssim", "ssim", sets)
        notes = [f"not every set has {title} of the same settings: score them first"
                 for title, found in (("CLIPScores", clip_key), ("SSIM", ssim_key)) if found is None]
        others = other_scores(columns, sets)
        values = [{**self._scores(one.rows, clip_key, ssim_key, ssim_weight),
                   **{name: columns.score_by(key, name)[one.rows] for name, key in others.items()}} for one in sets]
        shown = (*_TABLE, *others)
        table = {one.name: {"n": len(one.rows), "spec": one.spec, "real": one.is_real,
                            **{name: _spread(scores[name]) for name in shown}}
                 for one, scores in zip(sets, values, strict=True)}
        distances = [self._distance(sets[0], other, clip_key, seed) for other in sets[1:]] if clip_key else []
        return {"sets": table, "cmmd": distances[0]["cmmd"] if distances else None, "distances": distances,
                "columns": list(shown),
                "histograms": {name: histogram_of({one.name: scores[name] for one, scores in
                                                   zip(sets, values, strict=True)}) for name in shown},
                "scorers": {"clip": clip_key, "ssim": ssim_key, **others}, "ssim_weight": ssim_weight, "notes": notes}

    def _scores(self, rows: NDArray[np.int64], clip_key: str | None, ssim_key: str | None,
                ssim_weight: float) -> Columns:
        columns, missing = self._workspace.columns, np.full(len(rows), np.nan, np.float32)
        scores: Columns = {
            "clip_cosine": columns.score_by(clip_key, "clip_cosine")[rows] if clip_key else missing,
            "ssim": columns.score_by(ssim_key, "ssim")[rows] if ssim_key else missing}
        return scores | {"combined": combined(scores, ssim_weight).astype(np.float32)}

    def _distance(self, first: ComparedSet, other: ComparedSet, key: str, seed: int) -> dict[str, Any]:
        vectors = [embeddings_of(self._workspace, key, one.rows, CMMD_MAX_ROWS, seed) for one in (first, other)]
        measured = cmmd(vectors[0], vectors[1], seed=seed)
        share = nearest_neighbour_share(vectors[0], vectors[1], seed=seed) if min(map(len, vectors)) >= 2 else None
        return {"first": first.name, "second": other.name, "cmmd": measured.value, "n": list(measured.n),
                "cmmd_chance": measured.chance, "own_neighbour_share": share, "clip": key}

    # -- pairs

    def pairs(self, real: str, synthetic: str, *, order: str = "largest-gap", score: str = "combined", offset: int = 0,
              limit: int = 24, ssim_weight: float = 0.5) -> dict[str, Any]:
        """Captions with a real image and candidates, each with all scores and what changed, in the order asked for.

        Raises: UnknownName, EmptyInput, BadSetting.
        """
        if not 1 <= limit <= _MAX_PAGE or offset < 0:
            raise BadSetting(f"{limit} pairs from {offset}", fix=f"Ask for 1 to {_MAX_PAGE} from 0 on.")
        if score not in SCORES:
            raise BadSetting(f"cannot order by {score!r}", fix=f"Choose one of {', '.join(SCORES)}.")
        self._workspace.columns.refresh()
        version = self._workspace.columns.version
        paired = self._once(("pairs", version, real, synthetic, ssim_weight),
                            lambda: self._pair(real, synthetic, ssim_weight))
        sets, pairs, scores = paired
        change = {name: gaps(pairs, scores[0][name], scores[1][name]) for name in SCORES}
        codes = self._once(("order", version, real, synthetic, ssim_weight, order, score),
                           lambda: order_of_captions(pairs, change[score], order))
        shown = [self._entry(int(code), sets, pairs, scores, change) for code in codes[offset:offset + limit]]
        return {"total": len(codes), "offset": offset, "pairs": shown, "order": order, "score": score,
                "mean_change": {name: number(np.nanmean(values)) if np.isfinite(values).any() else None
                                for name, values in change.items()}}

    def random_pairs(self, real: str, synthetic: str, count: int, seed: int) -> list[dict[str, str]]:
        """Up to ``count`` captions at random, each with its real image and one of its candidates at random.

        Raises: UnknownName, EmptyInput, BadSetting.
        """
        self._workspace.columns.refresh()
        sets, pairs, _ = self._once(("pairs", self._workspace.columns.version, real, synthetic, 0.5),
                                    lambda: self._pair(real, synthetic, 0.5))
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(pairs))
        _, first = np.unique(pairs.caption_code[order], return_index=True)
        chosen = rng.permutation(order[first])[:count]
        columns = self._workspace.columns
        rows = [(int(sets[0].rows[pairs.real[at]]), int(sets[1].rows[pairs.candidate[at]])) for at in chosen]
        return [{"real": columns.ids_of(np.array([one]))[0], "candidate": columns.ids_of(np.array([other]))[0],
                 "caption": columns.candidate(other).caption} for one, other in rows]

    def _pair(self, real: str, synthetic: str,
              ssim_weight: float) -> tuple[tuple[ComparedSet, ComparedSet], Pairs, tuple[Columns, Columns]]:
        columns = self._workspace.columns
        sets = find_set(self._workspace, real), find_set(self._workspace, synthetic)
        clip_key = shared_key(columns, "clip", "clip_cosine", sets)
        ssim_key = shared_key(columns, "ssim", "ssim", sets)
        pairs = pair_up(self._codes(sets[0], sets[1].dataset), columns.caption_code[sets[1].rows])
        if not len(pairs):
            raise EmptyInput(f"no caption has an image in both {real!r} and {synthetic!r}",
                             fix="Generate for the captions of the real images: both then share caption ids.")
        scores = tuple(self._scores(one.rows, clip_key, ssim_key, ssim_weight) for one in sets)
        return sets, pairs, (scores[0], scores[1])

    def _codes(self, one: ComparedSet, dataset: str) -> NDArray[np.int64]:
        """The caption codes of a set's rows as another dataset numbers the same caption ids; -1 where it has none."""
        columns = self._workspace.columns
        codes = columns.caption_code[one.rows].astype(np.int64)
        if one.dataset == dataset:
            return codes
        return np.array([columns.caption_code_of(dataset, columns.caption_id(int(code))) for code in codes], np.int64)

    def _entry(self, code: int, sets: tuple[ComparedSet, ComparedSet], pairs: Pairs, scores: tuple[Columns, Columns],
               change: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
        at = np.flatnonzero(pairs.caption_code == code)
        at = at[np.argsort(-np.nan_to_num(scores[1]["combined"][pairs.candidate[at]], nan=-np.inf), kind="stable")]
        real = self._image(sets[0], int(pairs.real[at[0]]), scores[0])
        candidates = [{**self._image(sets[1], int(pairs.candidate[one]), scores[1]),
                       "change": {name: number(values[one]) for name, values in change.items()}} for one in at]
        return {"caption_id": self._workspace.columns.caption_id(code), "caption": real.pop("caption"), "real": real,
                "candidates": [{key: value for key, value in one.items() if key != "caption"} for one in candidates]}

    def _image(self, one: ComparedSet, place: int, scores: Columns) -> dict[str, Any]:
        facts = self._workspace.columns.candidate(int(one.rows[place]))
        return {"id": facts.id, "caption": facts.caption, "w": facts.width, "h": facts.height, "seed": facts.seed,
                "generator": facts.generator, **{name: number(values[place]) for name, values in scores.items()}}

    def picture(self, kind: str, first: str, second: str) -> tuple[bytes, str]:
        """What two images differ in, as an image. Raises: BadSetting, UnknownName, CorruptData."""
        if kind not in KINDS:
            raise BadSetting(f"there is no picture {kind!r}", fix=f"Choose one of {', '.join(KINDS)}.")
        columns = self._workspace.columns
        contents = [columns.image(int(row))[0] for row in columns.ordinals_of([first, second])]
        return picture(kind, contents[0], contents[1])

    # -- maps and FID

    def start(self, specs: Sequence[str], *, method: str | None = "tsne", embeddings: str = "image",
              fid_weights: str | None = None, seed: int = 0, device: str = "auto") -> str:
        """Queues the map of these sets, and FID against the first when Inception weights are given; returns the job id.

        ``device`` is where Inception runs; a map alone needs no more than the processor.
        Raises: BadSetting, UnknownName, EmptyInput, ModelUnavailable, UnreadableFile.
        """
        if method is not None:
            check_method(method)
        if embeddings not in ("image", "text"):
            raise BadSetting(f"embeddings {embeddings!r}", fix="Choose image or text.")
        if fid_weights is not None:
            fid_weights = str(Path(fid_weights).expanduser().absolute())
            if not Path(fid_weights).is_file() or not fid_weights.endswith(".safetensors"):
                raise UnreadableFile("no safetensors file of Inception weights", where=fid_weights,
                                     fix="See docs/scorers.md for how to make one.")
            if len(specs) < 2:
                raise BadSetting("FID of one set", fix="Give two sets or more.")
        self._workspace.columns.refresh()
        sets = find_sets(self._workspace, specs)
        key = shared_key(self._workspace.columns, "clip", "clip_cosine", sets)
        if key is None and method is not None:
            raise EmptyInput("not every set has stored CLIP embeddings", fix="Score all sets with one CLIP model.")
        config = {"specs": list(specs), "method": method, "embeddings": embeddings, "fid_weights": fid_weights,
                  "seed": seed, "clip_key": key}
        return self._jobs.submit("compare", config, resolve_device(device) if fid_weights else "cpu")

    def latest(self, specs: Sequence[str]) -> dict[str, str | None]:
        """{map, fid}: the newest job that made each for exactly these sets, or makes it now; None without."""
        found: dict[str, str | None] = {"map": None, "fid": None}
        jobs = [job for job in self._jobs.list()["jobs"] if job["kind"] == "compare"
                and job["state"] in ("queued", "running", "paused", "done")]
        for job in sorted(jobs, key=lambda one: str(one["id"]), reverse=True)[:_MAX_JOBS]:
            config = self._jobs.show(job["id"])["config"]
            if config["specs"] == list(specs):
                for name, asked in (("map", config["method"]), ("fid", config["fid_weights"])):
                    found[name] = found[name] or (job["id"] if asked else None)
        return found

    def job_result(self, job_id: str) -> dict[str, Any]:
        """The map and the FID that a job has made, empty while it has none. Raises: UnknownName, BadSetting."""
        job = self._jobs.show(job_id)
        if job["kind"] != "compare":
            raise BadSetting(f"job {job_id} compares nothing", fix="Give the id of a compare job.")
        return {"state": job["state"], "specs": job["config"]["specs"], **job["result"]}

    def figure(self, specs: Sequence[str], name: str, image_format: str, *, ssim_weight: float = 0.5,
               job: str | None = None, theme: str = "light", width: int = 720) -> tuple[bytes, str]:
        """One figure or table of these sets as a file: ``name`` is a score, "map" (of a job) or "sets".

        Raises: BadSetting for what is not there.
        """
        result = self.sets(specs, ssim_weight=ssim_weight)
        if job is not None:
            result |= self.job_result(job)
        height = round(width * 0.8) if name == "map" else max(220, round(width * 0.42))
        return file_of(result, name, image_format, Style(width, height, theme)), MEDIA_TYPES[image_format]

    def write_figures(self, result: Mapping[str, Any], directory: Path) -> list[str]:
        """Writes the tables as CSV and the figures as SVG and PNG; returns the paths. Raises: DiskFull, BadSetting."""
        if directory.exists() and not directory.is_dir():
            raise BadSetting("the output is a file", where=str(directory), fix="Give a directory.")
        written = []
        for name, content in files_of(result).items():
            write_bytes(directory / name, content)
            written.append(str(directory / name))
        return written

    def command(self, real: str, synthetic: Sequence[str], ssim_weight: float = 0.5,
                options: Mapping[str, str] | None = None) -> str:
        """The line that does the same; ``options`` are further ones by their names, such as fid_weights: FILE."""
        words = ["compare", "--real", real.removeprefix("real:"), "--synthetic", ",".join(synthetic) or "NAME"]
        if ssim_weight != 0.5:
            words += ["--lambda", f"{ssim_weight:g}"]
        for name, value in (options or {}).items():
            words += [f"--{name.replace('_', '-')}", value]
        return command_line(self._workspace.root, words)

    def _once(self, key: tuple[Any, ...], make: Any) -> Any:
        """The result of ``make``, remembered for the last few keys: stepping through pairs asks for it each time."""
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        value = make()
        with self._lock:
            self._remembered[key] = value
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return value


def _spread(values: NDArray[np.floating]) -> dict[str, Any]:
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return {"n": 0, "mean": None, "std": None, "min": None, "max": None}
    return {"n": len(finite), "mean": float(finite.mean()), "std": float(finite.std()), "min": float(finite.min()),
            "max": float(finite.max())}

"""Heads on stored CLIP embeddings: learning one from keep and reject verdicts, finding one by name, applying it.

Joins verdicts and embeddings to scikit-learn and to the scoring room. Learning takes seconds and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.scoring.embedding_head import EmbeddingHead, head_bytes, load_head
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files.atomic import write_bytes
from synthvlm_ui.store.files.names import checked_name, is_name

PREFIX = "head:"
LEAST_OF_EACH = 10
FOLDS = 5


class HeadDesk:
    """``studio.heads``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk | None = None) -> None:
        self._workspace, self._jobs = workspace, jobs or JobDesk(workspace)

    @property
    def folder(self) -> Path:
        return self._workspace.root / "heads"

    def learn(self, dataset: str, name: str, *, seed: int = 0) -> dict[str, Any]:
        """A logistic regression that tells kept from rejected candidates, kept under a name for ``score``.

        Its accuracy is cross-validated with all candidates of a caption in the same fold, since seeds of one caption
        are alike. Returns {name, kept, rejected, accuracy, accuracy_sd, majority, column, file}.
        Raises: UnknownName, EmptyInput with too few verdicts, BadSetting, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        checked_name("head", name)
        vectors, wanted, captions, key = self._examples(dataset)
        counts = int(wanted.sum()), int((~wanted).sum())
        self._check_enough(dataset, *counts)
        scores = _cross_validated(vectors, wanted, captions, seed)
        model = _fitted(vectors, wanted)
        facts = {"final": "sigmoid", "clip_key": key, "learnt_from": dataset, "kept": counts[0], "rejected": counts[1],
                 "accuracy": f"{scores.mean():.4f}", "accuracy_sd": f"{scores.std():.4f}",
                 "majority": f"{max(counts) / sum(counts):.4f}", "folds": len(scores), "seed": seed}
        path = self.folder / f"{name}.safetensors"
        write_bytes(path, head_bytes([(model.coef_.astype(np.float32), model.intercept_.astype(np.float32))], facts))
        return {"name": name, "kept": counts[0], "rejected": counts[1], "accuracy": float(scores.mean()),
                "accuracy_sd": float(scores.std()), "majority": max(counts) / sum(counts), "folds": len(scores),
                "column": load_head(path, name).info.columns[0], "file": str(path)}

    def start(self, dataset: str, name: str, *, seed: int = 0) -> str:
        """Queues learning and then scoring the dataset with what was learnt; returns the job id.

        Raises: as ``learn`` where that is known at once.
        """
        checked_name("head", name)
        verdicts = self.verdicts(dataset)
        self._check_enough(dataset, verdicts["kept"], verdicts["rejected"])
        return self._jobs.submit("head", {"dataset": dataset, "name": name, "seed": seed}, "cpu")

    def verdicts(self, dataset: str) -> dict[str, int]:
        """{kept, rejected, least}: a dataset's verdicts on scored candidates, and how many of each are needed.

        Raises: UnknownName.
        """
        columns = self._workspace.columns
        columns.refresh()
        if dataset not in self._workspace.captions.datasets():
            raise UnknownName.of("dataset", dataset, self._workspace.captions.datasets())
        rows = rows_of(columns, dataset)
        known = np.isfinite(columns.score("clip_cosine")[rows]) if "clip_cosine" in columns.score_columns() else False
        verdict = np.where(columns.ok[rows] & known, columns.verdict[rows], 0)
        return {"kept": int((verdict > 0).sum()), "rejected": int((verdict < 0).sum()), "least": LEAST_OF_EACH}

    def command(self, dataset: str, name: str) -> str:
        return command_line(self._workspace.root, ["head", "learn", "--dataset", dataset or "NAME", "--name",
                                                   name or "HEAD", "--score"])

    @staticmethod
    def _check_enough(dataset: str, kept: int, rejected: int) -> None:
        if min(kept, rejected) < LEAST_OF_EACH:
            raise EmptyInput(f"{kept} kept and {rejected} rejected candidates with embeddings", where=dataset,
                             fix=f"Decide on at least {LEAST_OF_EACH} of each by hand, and score them with clip.")

    def list(self) -> dict[str, Any]:
        """Every head of the workspace with what its file says of it."""
        paths = sorted(self.folder.glob("*.safetensors")) if self.folder.is_dir() else []
        return {"heads": [{"name": path.stem, "column": head.info.columns[0], "dimension": head.dimension,
                           **head.metadata} for path in paths for head in [load_head(path)]]}

    def find(self, name: str) -> EmbeddingHead:
        """A head by the name it was learnt under, or by its file. Raises: UnknownName, UnreadableFile, BadSetting."""
        learnt = self.folder / f"{name}.safetensors"
        if is_name(name) and learnt.is_file():
            return load_head(learnt, name)
        if name.endswith(".safetensors") and Path(name).expanduser().is_file():
            return load_head(Path(name).expanduser())
        raise UnknownName.of("head", name, [row["name"] for row in self.list()["heads"]])

    def score_shard(self, dataset: str, shard: str, heads: Sequence[EmbeddingHead], *, rescore: bool) -> int:
        """Writes the heads' numbers of one shard from its stored embeddings; returns how many images were scored."""
        store, scored = self._workspace.scores, 0
        present = store.keys(dataset, shard)
        for head in heads:
            if head.info.key in present and not rescore:
                continue
            source = self._embeddings(dataset, shard, present, head)
            if source is not None:
                ids, vectors = source
                store.write(dataset, shard, head.info, ids, {head.info.columns[0]: head.score(vectors)})
                scored = max(scored, len(ids))
        return scored

    def _embeddings(self, dataset: str, shard: str, keys: Sequence[str],
                    head: EmbeddingHead) -> tuple[Sequence[str], NDArray[np.float16]] | None:
        """The embeddings a head was made for: those of its own CLIP key, or else of any with its dimension."""
        wanted = head.metadata.get("clip_key")
        for key in [key for key in keys if key == wanted or (wanted is None and key.startswith("clip-"))]:
            vectors = self._workspace.scores.read_embeddings(dataset, shard, key)
            if vectors is not None and vectors.shape[1] == head.dimension:
                found = self._workspace.scores.read(dataset, shard, key).candidate_ids
                return [name.decode("ascii") for name in found], vectors
        return None

    def _examples(self, dataset: str) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64], str]:
        columns = self._workspace.columns
        columns.refresh()
        if dataset not in self._workspace.captions.datasets():
            raise UnknownName.of("dataset", dataset, self._workspace.captions.datasets())
        rows = rows_of(columns, dataset)
        rows = rows[(columns.verdict[rows] != 0) & columns.ok[rows]]
        if "clip" not in [scorer.name for scorer in columns.scorers()] or not len(rows):
            raise EmptyInput(f"{dataset!r} has no scored candidates with a verdict", fix="Keep and reject some first.")
        key = columns.active_key("clip")
        place = {int(row): at for at, row in enumerate(rows)}
        found: NDArray[np.float32] | None = None
        for name, shard in dict.fromkeys(columns.shard_of(int(row)) for row in rows):
            vectors = self._workspace.scores.read_embeddings(name, shard, key)
            if vectors is None:
                continue
            if found is None:
                found = np.full((len(rows), vectors.shape[1]), np.nan, np.float32)
            ids = [one.decode("ascii") for one in self._workspace.scores.read(name, shard, key).candidate_ids]
            for at, row in enumerate(columns.ordinals_of(ids)):
                if int(row) in place:
                    found[place[int(row)]] = vectors[at]
        if found is None:
            raise EmptyInput(f"{dataset!r} has no stored CLIP embeddings", fix="Score it with the clip scorer.")
        whole = np.isfinite(found).all(axis=1)
        rows = rows[whole]
        return found[whole], columns.verdict[rows] > 0, columns.caption_code[rows].astype(np.int64), key


def _fitted(vectors: NDArray[np.float32], wanted: NDArray[np.bool_]) -> Any:
    from sklearn.linear_model import LogisticRegression

    normal = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return LogisticRegression(C=10.0, class_weight="balanced", max_iter=2000).fit(normal, wanted)


def _cross_validated(vectors: NDArray[np.float32], wanted: NDArray[np.bool_], captions: NDArray[np.int64],
                     seed: int) -> NDArray[np.float64]:
    """Accuracy on each held-out fold. Raises: BadSetting when the captions cannot be divided."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(FOLDS, len(np.unique(captions)))
    if folds < 2:
        raise BadSetting("all verdicts are on one caption", fix="Decide on candidates of several captions.")
    normal = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = []
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(normal, wanted, captions):
        if 0 < wanted[train].sum() < len(train):
            scores.append(float((_fitted(normal[train], wanted[train]).predict(normal[test]) == wanted[test]).mean()))
    if not scores:
        raise BadSetting("the verdicts cannot be divided into folds", fix="Decide on more captions.")
    return np.array(scores)

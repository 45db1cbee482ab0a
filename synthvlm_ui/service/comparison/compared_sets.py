"""The sets that are compared: which rows a name stands for, which scorer they share, and their stored embeddings.

Knows columns and score files; measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.comparison import sample_rows
from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.store import CandidateColumns, Workspace

REAL_PREFIX, SELECTION_PREFIX = "real:", "selection:"
# Those whose columns have a place of their own in a comparison, and the guards, which give reasons and no marks.
_KNOWN_SCORERS = frozenset({"clip", "ssim", "guards"})
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ComparedSet:
    """``name`` as results call it, ``spec`` as every command takes it, the dataset, and the rows with an image."""

    name: str
    spec: str
    dataset: str
    is_real: bool
    rows: Rows


def find_set(workspace: Workspace, spec: str) -> ComparedSet:
    """The set that a spec names: ``real:DATASET``, ``selection:NAME``, or ``DATASET`` for all its candidates.

    Raises: UnknownName, EmptyInput when it has no image.
    """
    columns = workspace.columns
    if spec.startswith(SELECTION_PREFIX):
        chosen = workspace.selections.load(spec.removeprefix(SELECTION_PREFIX))
        rows = columns.ordinals_of(chosen.candidate_ids).astype(np.int64)
        found = ComparedSet(chosen.name, spec, chosen.rule.dataset, False, rows[columns.ok[rows]])
    else:
        is_real = spec.startswith(REAL_PREFIX)
        dataset = spec.removeprefix(REAL_PREFIX)
        known = workspace.captions.datasets()
        if dataset not in known:
            raise UnknownName.of("dataset", dataset, known)
        rows = rows_of(columns, dataset, real=is_real)
        found = ComparedSet(dataset, spec, dataset, is_real, rows[columns.ok[rows]])
    if not len(found.rows):
        fix = "Import them with captions import FILE --images DIR." if found.is_real else "Generate some first."
        raise EmptyInput(f"{spec!r} has no images", fix=fix)
    return found


def find_sets(workspace: Workspace, specs: Sequence[str]) -> list[ComparedSet]:
    """The sets of these specs, named so that no two are called alike. Raises: as find_set, BadSetting for one twice."""
    if not 1 <= len(set(specs)) == len(specs):
        raise BadSetting("no set, or one set twice", fix="Name different sets.")
    sets = [find_set(workspace, spec) for spec in specs]
    names = [one.name for one in sets]
    return [replace(one, name=one.spec) if names.count(one.name) > 1 else one for one in sets]


def spec_of_synthetic(workspace: Workspace, name: str) -> str:
    """What a user's word for a synthetic set means: a spec as it stands, a dataset, or else a selection."""
    if name.startswith((REAL_PREFIX, SELECTION_PREFIX)) or name in workspace.captions.datasets():
        return name
    if name in workspace.selections.names():
        return SELECTION_PREFIX + name
    raise UnknownName.of("dataset or selection", name,
                         [*workspace.captions.datasets(), *workspace.selections.names()])


def spec_of_real(workspace: Workspace, name: str) -> tuple[str, str]:
    """The spec of a real set by its dataset, and a note when that has no real images and its candidates stand in."""
    if name.startswith((REAL_PREFIX, SELECTION_PREFIX)):
        return name, ""
    spec = REAL_PREFIX + name
    try:
        find_set(workspace, spec)
    except EmptyInput:
        if len(rows_of(workspace.columns, name)):
            return name, f"{name} has no real images; its candidates stand for them"
        raise
    return spec, ""


def shared_key(columns: CandidateColumns, scorer: str, column: str, sets: Sequence[ComparedSet]) -> str | None:
    """The key of a scorer with numbers in every set, the one that covers most where there are several; None when a set
    has none at all. Raises: BadSetting when all sets are scored, and no two by the same settings.
    """
    if not any(info.name == scorer for info in columns.scorers()):
        return None
    scored = {key: [int(np.isfinite(columns.score_by(key, column)[one.rows]).sum()) for one in sets]
              for key in columns.scorer_keys(scorer)}
    common = {key: min(counts) for key, counts in scored.items() if min(counts) > 0}
    if common:
        return max(common, key=lambda key: (common[key], key))
    if all(any(counts[place] for counts in scored.values()) for place in range(len(sets))):
        raise BadSetting(f"the sets are scored with different settings of {scorer}: {', '.join(sorted(scored))}",
                         fix=f"Score them alike: score --dataset NAME --scorers {scorer}.")
    return None


def other_scores(columns: CandidateColumns, sets: Sequence[ComparedSet]) -> dict[str, str]:
    """{column: key} of every further score that each of these sets has by one scorer: heads, VQAScore, one's own.

    A score that some set lacks, or has by other settings, is left out.
    """
    found: dict[str, str] = {}
    for scorer in columns.scorers():
        for column in scorer.columns if scorer.name not in _KNOWN_SCORERS else ():
            try:
                key = shared_key(columns, scorer.name, column, sets)
            except BadSetting:
                continue
            if key is not None:
                found[column] = key
    return found


def embeddings_of(workspace: Workspace, key: str, rows: Rows, limit: int, seed: int) -> NDArray[np.float32]:
    """The stored image embeddings of these rows, or of a seeded sample of ``limit`` of those that have one.

    Shapes: (N, D), in the order of the sampled rows. Raises: EmptyInput without any, CorruptData.
    """
    columns = workspace.columns
    scored = rows[np.isfinite(columns.score_by(key, "clip_cosine")[rows])]
    chosen = scored[sample_rows(len(scored), limit, seed)]
    place = {int(row): at for at, row in enumerate(chosen)}
    shards: dict[tuple[str, str], None] = dict.fromkeys(columns.shard_of(int(row)) for row in chosen)
    found: NDArray[np.float32] | None = None
    for dataset, shard in shards:
        vectors = workspace.scores.read_embeddings(dataset, shard, key)
        if vectors is None:
            continue
        ids = [name.decode("ascii") for name in workspace.scores.read(dataset, shard, key).candidate_ids]
        wanted = [(at, place[int(row)]) for at, row in enumerate(columns.ordinals_of(ids)) if int(row) in place]
        if found is None:
            found = np.full((len(chosen), vectors.shape[1]), np.nan, np.float32)
        found[[to for _, to in wanted]] = vectors[[at for at, _ in wanted]]
    whole = np.isfinite(found).all(axis=1) if found is not None else None
    if found is None or whole is None or not whole.any():
        raise EmptyInput("no stored CLIP embeddings", fix="Score the set with the clip scorer.")
    return found[whole]

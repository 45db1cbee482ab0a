"""Near duplicates by embedding, agreement with people, percentiles, correlations and joint histograms: each against a
slow, plain reading of what it means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import (
    Binning,
    Coded,
    JointBinning,
    LazyColumns,
    correlations,
    judge,
    near_vector_pairs,
    percentile_of,
    resolve,
    value_at,
    wilson,
)
from synthvlm_ui.selection import near_vectors as room

SEEDS = st.integers(0, 10_000)


def vectors(seed: int, size: int, dimension: int = 6) -> np.ndarray:
    """Some directions, each with a few close followers, and rows that are no embedding."""
    chance = np.random.default_rng(seed)
    made = chance.normal(size=(max(size // 3, 1), dimension))[chance.integers(0, max(size // 3, 1), size)]
    made = made + chance.normal(0, 0.15, made.shape)
    made[chance.random(size) < 0.1] = 0
    return made.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_pairs_of_embeddings_are_those_with_the_cosine(seed, size, cosine):
    given_vectors = vectors(seed, size)
    found = set(zip(*(side.tolist() for side in near_vector_pairs(given_vectors, cosine)), strict=True))
    length = np.linalg.norm(given_vectors, axis=1)
    for one in range(size):
        for other in range(one + 1, size):
            if length[one] == 0 or length[other] == 0:
                assert (one, other) not in found
                continue
            likeness = float(given_vectors[one] @ given_vectors[other] / length[one] / length[other])
            if abs(likeness - cosine) > 1e-4:
                assert ((one, other) in found) == (likeness > cosine)


def test_cells_lose_hardly_any_pair(monkeypatch):
    given_vectors = np.random.default_rng(3).normal(size=(1000, 64)).astype(np.float32)
    copies = given_vectors[:300] + np.random.default_rng(4).normal(0, 0.15, (300, 64)).astype(np.float32)
    everything = np.concatenate((given_vectors, copies))
    exact = set(zip(*(side.tolist() for side in near_vector_pairs(everything, 0.95)), strict=True))
    monkeypatch.setattr(room, "EXACT_ROWS", 100)
    monkeypatch.setattr(room, "CELL_ROWS", 50)
    in_cells = set(zip(*(side.tolist() for side in near_vector_pairs(everything, 0.95)), strict=True))
    assert in_cells <= exact
    assert len(in_cells) >= 0.98 * len(exact) > 250


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(0, 12), st.booleans())
def test_skip_top_and_likeness_mean_what_their_plain_reading_means(seed, size, skip, similar):
    chance = np.random.default_rng(seed)
    columns = {"candidate_id": np.array([f"{n:016x}" for n in chance.permutation(size)], "S16"),
               "clip_cosine": chance.random(size).astype("f4"), "ssim": chance.random(size).astype("f4"),
               "verdict": chance.choice(np.array([0, 0, 0, 1, -1], "i1"), size), "embedding": vectors(seed, size)}
    some = SelectionRule("set", skip_top=skip, near_duplicates="embedding" if similar else None, duplicate_cosine=0.9)
    score = columns["clip_cosine"] + np.float32(0.5) * columns["ssim"]
    order = sorted((row for row in range(size) if columns["verdict"][row] >= 0),
                   key=lambda row: (columns["verdict"][row] <= 0, -score[row], columns["candidate_id"][row]))
    chosen: list[int] = []
    for row in order:
        if similar and columns["verdict"][row] <= 0 and any(_alike(columns["embedding"], row, old) for old in chosen):
            continue
        chosen.append(row)
    free = [row for row in chosen if columns["verdict"][row] <= 0][skip:]
    expected = set(free) | {row for row in chosen if columns["verdict"][row] > 0}
    assert set(resolve(some, columns).ordinals.tolist()) == expected


def _alike(table, one, other):
    lengths = np.linalg.norm(table[[one, other]], axis=1)
    return bool(lengths.all()) and float(table[one] @ table[other] / lengths[0] / lengths[1]) >= 0.9


@pytest.mark.parametrize("fields", [{"skip_top": -1}, {"near_duplicates": "sight"}, {"duplicate_bits": 11},
                                    {"duplicate_cosine": 1.5}, {"near_duplicates": "embedding"}])
def test_what_cannot_be_is_refused(fields):
    columns = {"candidate_id": np.array([b"a"]), "clip_cosine": np.ones(1, "f4"), "ssim": np.ones(1, "f4")}
    with pytest.raises(BadSetting) as refused:
        resolve(SelectionRule("set", **fields), columns)
    assert refused.value.fix


def test_the_interval_is_wilsons():
    value, low, high = wilson(8, 10)
    assert (value, low, high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 7)[1] == pytest.approx(0, abs=1e-12) and wilson(7, 7)[2] == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 60))
def test_agreement_counts_and_the_cut_has_the_best_f1(seed, size):
    chance = np.random.default_rng(seed)
    verdict = chance.choice(np.array([-1, 0, 1], "i1"), size)
    passed, score = chance.random(size) < 0.5, chance.integers(0, 9, size).astype("f4")
    found = judge(verdict, passed, score)
    hits = int(((verdict > 0) & passed).sum())
    if found.precision:
        assert found.precision[0] == pytest.approx(hits / ((verdict != 0) & passed).sum())
    if found.recall:
        assert found.recall[0] == pytest.approx(hits / (verdict > 0).sum())
    if found.cut:
        keeps = verdict > 0
        every = [2 * (keeps & (score >= cut)).sum() / (((verdict != 0) & (score >= cut)).sum() + keeps.sum())
                 for cut in np.unique(score[verdict != 0])]
        assert found.cut[3] == pytest.approx(max(every))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 200), st.floats(0, 100))
def test_a_percentile_and_its_value_go_both_ways(seed, size, percentile):
    ordered = np.sort(np.random.default_rng(seed).integers(0, 50, size).astype("f4"))
    value = value_at(ordered, percentile)
    assert value is not None
    assert percentile_of(ordered, value) <= percentile + 1e-6
    assert (ordered >= value).sum() >= size - int(percentile / 100 * size + 1e-9)
    assert value_at(ordered, percentile_of(ordered, value)) == value
    assert value_at(ordered[:0], 50) is None


def test_correlations_are_numpys():
    chance = np.random.default_rng(0)
    one = chance.normal(size=500).astype("f4")
    other = (one**3 + chance.normal(0, 0.1, 500)).astype("f4")
    holed = other.copy()
    holed[:20] = np.nan
    found = correlations({"one": one, "other": holed})
    assert found["pearson"][0][1] == pytest.approx(np.corrcoef(one[20:], other[20:])[0, 1], abs=1e-5)
    ranks = [np.argsort(np.argsort(column[20:])) for column in (one, other)]
    assert found["spearman"][0][1] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 300), st.integers(1, 9), st.floats(0, 1))
def test_columns_counted_together_are_counted_as_each_alone(seed, size, bins, share):
    chance = np.random.default_rng(seed)
    columns = [chance.normal(size=size).astype("f4") for _ in range(3)]
    columns[1][chance.random(size) < 0.2] = np.nan
    binnings = [Binning(column, bins, (-1.0, 1.5)) for column in columns]
    mask = chance.random(size) < share
    for together, alone in zip(JointBinning(binnings).kept(mask), binnings, strict=True):
        assert together.tolist() == alone.kept(mask).tolist()


def test_names_kept_as_codes_are_filtered_by_name_and_unknown_names_are_told():
    columns = LazyColumns(4, {
        "candidate_id": lambda: np.array([b"a", b"b", b"c", b"d"]), "clip_cosine": lambda: np.ones(4, "f4"),
        "ssim": lambda: np.arange(4, dtype="f4"),
        "dataset": lambda: Coded(np.array([0, 1, 1, 0]), ["x", "y"], "dataset")})
    where = 'dataset == "y" and not combined > 2.4 or "x" != dataset and ssim < 2'
    kept = resolve(SelectionRule("x", where=where), columns)
    assert sorted(kept.ordinals.tolist()) == [1, 2]
    for where in ('dataset == "z"', "dataset > 1", "dataset", 'dataset contains "x"', 'ssim contains "x"',
                  "dataset == ssim"):
        with pytest.raises(BadSetting) as refused:
            resolve(SelectionRule("x", where=where), columns)
        assert refused.value.fix

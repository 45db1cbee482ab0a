"""Rules against a slow, plain reading of what they mean, and the laws every rule obeys."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthvlm_ui.errors import BadSetting, CorruptData, UnknownName
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import (
    DUPLICATE_RADIUS_BITS,
    combined_score,
    id_rank,
    preset,
    resolve,
    variance_share,
    yield_of,
)


def make_columns(size: int, seed: int, *, nan: float = 0.1) -> dict[str, np.ndarray]:
    """Columns with many ties (two decimals), NaNs, verdicts and few captions."""
    rng = np.random.default_rng(seed)
    cos = rng.integers(20, 40, size).astype("f4") / 100
    ssim = rng.integers(60, 70, size).astype("f4") / 100
    cos[rng.random(size) < nan] = np.nan
    ids = np.array([f"{number:016x}" for number in rng.permutation(size * 3)[:size]], "S16")
    return {"candidate_id": ids, "clip_cosine": cos, "ssim": ssim,
            "guard": (rng.random(size) < 0.2).astype("u1"), "ok": rng.random(size) < 0.9,
            "verdict": rng.choice(np.array([-1, 0, 0, 0, 1], "i1"), size),
            "caption_code": rng.integers(0, max(size // 3, 1), size).astype("i4"),
            "cluster": rng.integers(-1, 4, size).astype("i4"),
            "phash": rng.choice(rng.integers(0, 2**64, max(size // 4, 1), dtype=np.uint64), size)
            ^ (np.uint64(1) << rng.integers(0, 64, size).astype(np.uint64))}


def rule(**fields) -> SelectionRule:
    return SelectionRule("set", **fields)


def ids_of(some_rule, columns):
    return [identity.decode() for identity in columns["candidate_id"][resolve(some_rule, columns).ordinals]]


RULES = st.builds(
    lambda **fields: rule(**fields),
    clip_min=st.none() | st.floats(0.2, 0.4), ssim_min=st.none() | st.floats(0.6, 0.7),
    combined_min=st.none() | st.floats(0.5, 0.7), top_k=st.none() | st.integers(1, 40),
    best_per_caption=st.booleans(), drop_duplicates=st.booleans(), per_cluster=st.none() | st.integers(1, 5),
    guards=st.booleans(), random=st.booleans(), verdicts=st.booleans(), seed=st.integers(0, 5),
    where=st.none() | st.sampled_from(["ssim < 0.69", "not verdict == reject", "clip_cosine != 0.3 or ok"]),
) | st.builds(lambda ratio: rule(keep_ratio=ratio), st.floats(0.01, 1))
SIZES = st.integers(0, 60)
SEEDS = st.integers(0, 10_000)


def plainly(some_rule, columns):
    """The same meaning, row by row, without numpy's help."""
    rows = []
    for at in range(len(columns["candidate_id"])):
        cos, ssim = columns["clip_cosine"][at], columns["ssim"][at]
        score = cos * np.float32(some_rule.clip_scale) + ssim * np.float32(some_rule.ssim_weight)
        passes = bool(columns["ok"][at]) and not np.isnan(score)
        passes &= not (some_rule.guards and columns["guard"][at])
        passes &= some_rule.clip_min is None or cos >= np.float32(some_rule.clip_min)
        passes &= some_rule.ssim_min is None or ssim >= np.float32(some_rule.ssim_min)
        passes &= some_rule.combined_min is None or score >= np.float32(some_rule.combined_min)
        verdict = int(columns["verdict"][at]) if some_rule.verdicts else 0
        forced = verdict > 0 and bool(columns["ok"][at])
        if forced or (passes and verdict >= 0):
            order = (-score if not np.isnan(score) else np.inf, columns["candidate_id"][at])
            rows.append((not forced, order, at))
    rows.sort()
    if some_rule.best_per_caption:
        seen, chosen = set(), []
        for unforced, order, at in rows:
            if not unforced or columns["caption_code"][at] not in seen:
                chosen.append((unforced, order, at))
            seen.add(columns["caption_code"][at])
        rows = chosen
    if some_rule.drop_duplicates:
        chosen = []
        for unforced, order, at in rows:
            far = all((int(columns["phash"][at]) ^ int(columns["phash"][other])).bit_count() > DUPLICATE_RADIUS_BITS
                      for _, _, other in chosen)
            if far or not unforced:
                chosen.append((unforced, order, at))
        rows = chosen
    if some_rule.top_k is not None:
        rows = [row for place, row in enumerate(rows) if place < some_rule.top_k or not row[0]]
    return [columns["candidate_id"][at].decode() for _, at in sorted((order, at) for _, order, at in rows)]


@settings(max_examples=150, deadline=None)
@given(SIZES, SEEDS, st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(1, 30),
       st.none() | st.sampled_from([0.25, 0.3]), st.none() | st.sampled_from([0.63, 0.65]),
       st.none() | st.floats(0.5, 0.7), st.booleans())
def test_a_rule_means_what_its_plain_reading_means(size, seed, guards, best, duplicates, top_k, clip, ssim, both,
                                                   judged):
    columns = make_columns(size, seed)
    some = rule(guards=guards, best_per_caption=best, drop_duplicates=duplicates, top_k=top_k, clip_min=clip,
                ssim_min=ssim, combined_min=both, verdicts=judged)
    assert ids_of(some, columns) == plainly(some, columns)


@settings(max_examples=150, deadline=None)
@given(RULES, SIZES, SEEDS)
def test_the_order_of_rows_never_matters(some, size, seed):
    columns = make_columns(size, seed)
    shuffle = np.random.default_rng(seed + 1).permutation(size)
    moved = {name: column[shuffle] for name, column in columns.items()}
    for variant in (some, dataclasses.replace(some, **preset("normalised"))):
        assert ids_of(variant, columns) == ids_of(variant, moved)


@settings(max_examples=100, deadline=None)
@given(RULES, SIZES, SEEDS)
def test_the_yield_counts_what_resolving_keeps(some, size, seed):
    columns = make_columns(size, seed)
    resolved, counted = resolve(some, columns), yield_of(some, columns)
    assert (counted.kept, counted.captions_kept, counted.total) == (resolved.kept, resolved.captions_kept, size)
    assert sorted(resolved.ordinals) == list(np.flatnonzero(counted.mask))
    assert resolved.captions_kept == len(set(columns["caption_code"][resolved.ordinals]))


@settings(max_examples=100, deadline=None)
@given(RULES, SIZES, SEEDS)
def test_resolving_again_within_what_is_kept_changes_nothing(some, size, seed):
    if some.keep_ratio is not None or some.random:
        some = dataclasses.replace(some, keep_ratio=None, random=False)
    columns = make_columns(size, seed)
    kept = resolve(some, columns).ordinals
    assert ids_of(some, {name: column[kept] for name, column in columns.items()}) == ids_of(some, columns)


@settings(max_examples=100, deadline=None)
@given(SIZES, SEEDS, st.sampled_from(["clip_min", "ssim_min", "combined_min"]), st.floats(0.2, 0.7), st.floats(0, 0.2))
def test_a_higher_threshold_keeps_a_part_of_what_a_lower_one_keeps(size, seed, name, low, step):
    columns = make_columns(size, seed)
    wide, narrow = (set(ids_of(rule(**{name: least}), columns)) for least in (low, low + step))
    assert narrow <= wide


@given(SIZES, SEEDS, st.integers(1, 30))
def test_top_k_is_the_start_of_the_whole_order(size, seed, top_k):
    columns = make_columns(size, seed)
    whole = ids_of(rule(verdicts=False), columns)
    assert ids_of(rule(verdicts=False, top_k=top_k), columns) == whole[:top_k]


def test_thresholds_are_inclusive_and_nan_never_passes():
    columns = {"candidate_id": np.array([b"a", b"b", b"c"], "S16"), "clip_cosine": np.array([0.3, np.nan, 0.29], "f4"),
               "ssim": np.array([0.7, 0.9, 0.9], "f4")}
    assert ids_of(rule(clip_min=0.3, ssim_min=0.7), columns) == ["a"]
    assert ids_of(rule(), columns) == ["c", "a"]
    assert np.isnan(combined_score(rule(), columns)[1])


def test_verdicts_override_the_cut_and_are_counted():
    columns = {"candidate_id": np.array([b"a", b"b", b"c", b"d"], "S16"),
               "clip_cosine": np.array([0.4, 0.3, 0.2, np.nan], "f4"), "ssim": np.array([0.8] * 4, "f4"),
               "verdict": np.array([-1, 0, 1, 1], "i1"), "guard": np.array([0, 0, 9, 0], "u1"),
               "caption_code": np.array([0, 0, 1, 1], "i4")}
    resolved = resolve(rule(clip_min=0.25), columns)
    assert list(resolved.ordinals) == [1, 2, 3]
    assert (resolved.overridden_keep, resolved.overridden_reject) == (2, 1)
    assert (resolved.captions_kept, resolved.captions_total) == (2, 2)
    assert list(resolved.passed) == [True, True, False, False]
    assert list(resolve(rule(clip_min=0.25, top_k=2), columns).ordinals) == [2, 3]
    assert list(resolve(rule(clip_min=0.25, top_k=1), columns).ordinals) == [2, 3]
    assert list(resolve(rule(clip_min=0.25, verdicts=False), columns).ordinals) == [0, 1]
    failed = columns | {"ok": np.array([True, True, False, True])}
    assert list(resolve(rule(clip_min=0.25), failed).ordinals) == [1, 3]


def test_keep_ratio_rounds_down_and_does_not_lose_a_row_to_floating_point():
    columns = make_columns(100, 0, nan=0) | {"ok": np.ones(100, bool)}
    for ratio, count in ((0.29, 29), (0.295, 29), (1.0, 100), (0.001, 0)):
        assert resolve(rule(keep_ratio=ratio, guards=False, verdicts=False), columns).kept == count


def test_the_random_baseline_needs_no_scores_and_is_repeatable():
    columns = make_columns(50, 3)
    bare = {name: columns[name] for name in ("candidate_id", "caption_code")}
    one, two, other = (ids_of(rule(random=True, top_k=20, seed=seed), bare) for seed in (1, 1, 2))
    assert one == two and set(one) != set(other) and len(one) == 20


def test_presets_follow_their_papers():
    columns = {"candidate_id": np.array([b"a", b"b"], "S16"), "clip_cosine": np.array([0.36, 0.30], "f4"),
               "ssim": np.array([0.86, 0.9], "f4"), "ssim_tiled": np.array([1.6, 1.8], "f4")}
    assert combined_score(rule(**preset("paper")), columns)[0] == pytest.approx(0.79)
    assert combined_score(rule(**preset("bettersynth")), columns)[0] == pytest.approx(2.5 * 0.36 + 0.43)
    assert combined_score(rule(**preset("flare")), columns)[0] == pytest.approx(0.36 + 0.8)
    assert list(combined_score(rule(**preset("normalised")), columns)) == pytest.approx([0.5, -0.5], abs=1e-5)
    assert sum(variance_share(rule(), columns).values()) == pytest.approx(1)
    assert variance_share(rule(), columns)["clip_cosine"] == pytest.approx(0.03**2 / (0.03**2 + 0.01**2), rel=1e-4)
    with pytest.raises(UnknownName, match="paper"):
        preset("papre")


@pytest.mark.parametrize(("fields", "says"), [
    ({"top_k": 5, "keep_ratio": 0.5}, "top_k and keep_ratio"), ({"top_k": 0}, "below 1"),
    ({"keep_ratio": 1.5}, "outside"), ({"keep_ratio": float("nan")}, "outside"), ({"clip_min": float("nan")}, "finite"),
    ({"per_cluster": 0}, "below 1"), ({"preset": "flare"}, "ssim-tiled"), ({"seed": -1}, "below 0"),
    ({"where": "clip_cosine >"}, "position 14"), ({"where": "nope > 1"}, "nope"),
])
def test_a_rule_that_cannot_be_resolved_says_why(fields, says):
    for function in (resolve, yield_of):
        with pytest.raises(BadSetting, match=says):
            function(rule(**fields), make_columns(5, 0))


@pytest.mark.parametrize(("fields", "missing"), [
    ({}, "clip_cosine"), ({"clip_scale": 0.0}, "ssim"), ({"drop_duplicates": True, "random": True}, "phash"),
    ({"per_cluster": 2, "random": True}, "cluster"), ({"random": True, "clip_min": 0.1}, "clip_cosine")])
def test_a_missing_column_is_named(fields, missing):
    with pytest.raises(BadSetting, match=f"'{missing}'"):
        resolve(rule(**fields), {"candidate_id": np.array([b"a"], "S16")})


def test_a_hash_that_lost_its_bits_is_refused():
    columns = make_columns(5, 0)
    with pytest.raises(BadSetting, match="float32"):
        resolve(rule(drop_duplicates=True), columns | {"phash": columns["phash"].astype("f4")})


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(CorruptData, match="candidate_id 1, clip_cosine 2"):
        resolve(rule(ssim_weight=0.0), {"candidate_id": np.array([b"a"], "S16"), "clip_cosine": np.zeros(2, "f4")})


def test_a_term_of_weight_zero_needs_no_column():
    columns = {"candidate_id": np.array([b"a", b"b"], "S16"), "ssim": np.array([0.1, 0.2], "f4")}
    assert ids_of(rule(clip_scale=0.0), columns) == ["b", "a"]


@given(st.lists(st.text("0123456789abcdef", min_size=1, max_size=16), unique=True, max_size=40))
def test_the_rank_of_an_id_is_its_place_in_sorted_order(names):
    for width in ("S16", "S24"):
        assert list(id_rank(np.array(names, width))) == [sorted(names).index(name) for name in names]

"""The candidates of one or more datasets as columns, with everything that depends on no rule and no verdict kept.

A scope belongs to one state of the facts (``CandidateColumns.facts_version``); a verdict does not make a new one.
Knows no journal, no page and no rule beyond how it ranks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.records import SelectionRule
from synthvlm_ui.selection import (
    Binning,
    Coded,
    JointBinning,
    LazyColumns,
    Scored,
    captions_of,
    id_rank,
    keys_of,
    random_keys,
    scored,
    scoring_of,
    ssim_column,
    variance_share,
)
from synthvlm_ui.service.curation.ordering import Order
from synthvlm_ui.store import CandidateColumns

ALL_DATASETS = "*"
BINS = 64
HASHES = ("phash",)
_FACTS = ("candidate_id", "caption_code", "ok", "seed", "repeat")
_REMEMBERED_SCORINGS = 2
_REMEMBERED_ORDERS = 2
_REMEMBERED_BINNINGS = 5
Makers = dict[str, Callable[[], Any]]


def dataset_names(spec: str, drawn: Iterable[str], listed: Callable[[], list[str]]) -> tuple[str, ...]:
    """The datasets a rule is about: one, several with commas, or all for "*".

    ``drawn`` are those that have candidates; only for others or all are those with captions ``listed``, which looks
    into the workspace's folders. Raises: UnknownName, BadSetting.
    """
    names = tuple(dict.fromkeys(name.strip() for name in spec.split(",") if name.strip()))
    if names and set(names) <= set(drawn):
        return names
    every = listed()
    if spec.strip() == ALL_DATASETS:
        return tuple(every)
    if not names:
        raise BadSetting("no dataset is named", where="dataset", fix=f"Name one of: {', '.join(every) or 'none yet'}.")
    for name in names:
        if name not in every:
            raise UnknownName.of("dataset", name, every)
    return names


class Scope:
    """Shapes: ``rows`` (N,) and ``real_rows`` (R,) ordinals in the workspace; every column of ``columns`` (N,).

    ``more`` makes further columns from the rows, such as clusters; real images are only compared with and have scores.
    """

    def __init__(self, columns: CandidateColumns, datasets: tuple[str, ...],
                 more: Callable[[NDArray[np.int64]], Makers]) -> None:
        self.version, self.datasets = columns.facts_version, datasets
        self._lock = threading.RLock()
        self._store = columns
        codes, is_real = columns.dataset_code, columns.is_real
        codes, is_real = codes[:len(is_real)], is_real[:len(codes)]
        wanted = [columns.datasets.index(name) for name in datasets if name in columns.datasets]
        inside = np.isin(codes, wanted) if len(wanted) != len(columns.datasets) else np.ones(len(codes), bool)
        self.rows, self.real_rows = np.flatnonzero(inside & ~is_real), np.flatnonzero(inside & is_real)
        self._cut, self._cut_real = _cutter(self.rows), _cutter(self.real_rows)
        self.score_names = [name for name in columns.score_columns() if name not in HASHES]
        self.columns = LazyColumns(len(self.rows), {**self._own(columns), **more(self.rows)})
        self._scorings: OrderedDict[tuple[object, ...], Scored] = OrderedDict()
        self._orders: OrderedDict[tuple[object, ...], Order] = OrderedDict()
        self._binnings: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._sorted: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._facts: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        # The runs that clusters come from, and the names of the clusters where all come from one run.
        self.runs: list[str | None] = []
        self.cluster_names: list[str] = []

    def _own(self, columns: CandidateColumns) -> Makers:
        makers: Makers = {name: partial(self._fact, name) for name in _FACTS}
        # What is not scored yet can be looked at all the same: its scores are missing, not its columns.
        makers |= dict.fromkeys(("clip_cosine", "ssim"), lambda: np.full(len(self.rows), np.nan, np.float32))
        makers |= {name: partial(self._score, name) for name in columns.score_columns()}
        makers["dataset"] = lambda: Coded(self._cut(columns.dataset_code), columns.datasets, "dataset")
        makers["generator"] = lambda: Coded(self._cut(columns.generator_code), columns.generators, "generator")
        makers["id_rank"] = lambda: id_rank(self.columns["candidate_id"])
        return makers

    def _fact(self, name: str) -> NDArray[Any]:
        return self._cut(getattr(self._store, name))

    def _score(self, name: str) -> NDArray[np.float32]:
        return self._cut(self._store.score(name))

    def verdict(self) -> NDArray[np.int8]:
        """The verdicts of this moment, (N,)."""
        return np.array(self._cut(self._store.verdict))

    def real(self, name: str) -> NDArray[np.float32] | None:
        """One score column of the real images, (R,); None when there are none."""
        if not len(self.real_rows) or name not in self._store.score_columns():
            return None
        return self._cut_real(self._store.score(name))

    def verdict_event(self) -> NDArray[np.int32]:
        """The id of the event whose verdict is in force, 0 for none, (N,)."""
        return self._cut(self._store.verdict_event)

    def variance_share(self, rule: SelectionRule) -> Mapping[str, float]:
        """Each term's share of the ranking's variance."""
        def make() -> dict[str, float]:
            spreads = {} if rule.normalise else {
                name: self.spread(name, rule)["std"] for name in ("clip_cosine", ssim_column(rule.preset))}
            return variance_share(rule, self.columns, spreads)

        found: Mapping[str, float] = self._once(("share", *scoring_of(rule)), self._facts, make)
        return found

    def spread(self, name: str, rule: SelectionRule) -> Mapping[str, float]:
        """count, min, max, mean and std of a score over the candidates that have an image and the score."""
        found: Mapping[str, float] = self._once(("spread", *self._key(name, rule)), self._facts,
                                                lambda: _spread(self.values(name, rule), self.columns["ok"]))
        return found

    @property
    def total(self) -> int:
        """The candidates with an image."""
        return int(self._once(("total",), self._facts, lambda: np.count_nonzero(self.columns["ok"])))

    @property
    def captions_total(self) -> int:
        return int(self._once(("captions",), self._facts, lambda: self.captions_of(np.arange(len(self.rows)))))

    def captions_of(self, rows: NDArray[np.int64]) -> int:
        """How many captions these ascending rows are of. Shapes: (M,)."""
        codes = self.columns["caption_code"]
        ascending = self._once(("ascending",), self._facts, lambda: bool((codes[1:] >= codes[:-1]).all()))
        return captions_of(codes, rows, ascending)

    # -- what rules share

    def scored(self, rule: SelectionRule) -> Scored:
        """The combined score and its order, for every rule that ranks alike."""
        return self._once(scoring_of(rule), self._scorings, lambda: scored(rule, self.columns), _REMEMBERED_SCORINGS)

    def values(self, name: str, rule: SelectionRule) -> NDArray[np.float32]:
        """A score column or ``combined``, (N,). Raises: BadSetting for an unknown one."""
        if name == "combined":
            return self.scored(rule).combined
        if name not in (*self.score_names, "clip_cosine", "ssim"):
            raise BadSetting(f"there is no score {name!r}", where="column",
                             fix=f"Choose one of combined, {', '.join(self.score_names) or 'clip_cosine, ssim'}.")
        found: NDArray[np.float32] = self.columns[name]
        return found

    def order(self, name: str, rule: SelectionRule) -> Order:
        """Candidates by a score or a fact, the best first; ``-name`` is the other way round. Raises: BadSetting."""
        key = (name, *(scoring_of(rule) if name.endswith("combined") else (rule.seed,) if name == "random" else ()))
        return self._once(key, self._orders, lambda: Order(self._order_keys(name, rule)), _REMEMBERED_ORDERS)

    def _order_keys(self, name: str, rule: SelectionRule) -> NDArray[np.uint64]:
        if name == "combined":
            return self.scored(rule).keys
        if name == "newest":
            return np.arange(len(self.rows), dtype=np.uint64)
        if name == "random":
            return random_keys(rule.seed, self.columns)
        if name == "caption":
            order = np.lexsort((self.columns["id_rank"], self.columns["repeat"], self.columns["caption_code"]))
            keys = np.empty(len(order), np.uint64)
            keys[order] = np.arange(len(order), 0, -1, dtype=np.uint64)
            return keys
        values = self.values(name.removeprefix("-"), rule).astype(np.float32, copy=False)
        return keys_of(-values if name.startswith("-") else values, self.columns)

    def sorted_values(self, name: str, rule: SelectionRule) -> NDArray[np.float32]:
        """The finite values of a score, ascending, of the candidates that have an image."""
        def make() -> NDArray[np.float32]:
            values = self.values(name, rule)
            return np.sort(values[np.isfinite(values) & self.columns["ok"]])

        return self._once(self._key(name, rule), self._sorted, make, _REMEMBERED_BINNINGS)

    def binning(self, name: str, rule: SelectionRule, bins: int = BINS) -> Binning:
        """The bins of a score over its whole range. Raises: BadSetting."""
        def make() -> Binning:
            values = self.values(name, rule)
            return Binning(np.where(self.columns["ok"], values, np.float32(np.nan)), bins,
                           _limits(self.spread(name, rule)))

        return self._once((*self._key(name, rule), bins), self._binnings, make, _REMEMBERED_BINNINGS)

    def joint(self, names: tuple[str, ...], rule: SelectionRule, bins: int = BINS) -> JointBinning:
        """Several scores binned together, for a moving threshold. Raises: BadSetting."""
        key = (*(part for name in names for part in self._key(name, rule)), bins, "joint")
        return self._once(key, self._binnings, lambda: JointBinning(
            [self.binning(name, rule, bins) for name in names]), _REMEMBERED_BINNINGS)

    def of_real(self, name: str, rule: SelectionRule, bins: int, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is said of the real images beside a score's bins, made once."""
        found: dict[str, Any] = self._once(("real", *self._key(name, rule), bins), self._facts, make)
        return found

    def _key(self, name: str, rule: SelectionRule) -> tuple[object, ...]:
        return (name, *scoring_of(rule)) if name == "combined" else (name,)

    def _once(self, key: tuple[object, ...], kept: OrderedDict[tuple[object, ...], Any], make: Callable[[], Any],
              most: int = 64) -> Any:
        """What was made for this key, or makes it; one thread makes, the others wait for it."""
        with self._lock:
            if key not in kept:
                kept[key] = make()
            kept.move_to_end(key)
            while len(kept) > most:
                _, dropped = kept.popitem(last=False)
                if isinstance(dropped, Order):
                    dropped.give_up()
            return kept[key]


def _spread(values: NDArray[np.float32], ok: NDArray[np.bool_]) -> dict[str, float]:
    finite = values[np.isfinite(values) & ok]
    if not len(finite):
        return {"count": 0, "min": 0.0, "max": 1.0, "mean": float("nan"), "std": float("nan")}
    mean = float(finite.mean(dtype=np.float64))
    around = finite - np.float32(mean)
    return {"count": len(finite), "min": float(finite.min()), "max": float(finite.max()), "mean": mean,
            "std": float(np.dot(around, around) / len(around)) ** 0.5}


def _limits(spread: Mapping[str, float]) -> tuple[float, float]:
    """The range of a histogram, never empty."""
    low, high = spread["min"], spread["max"]
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _cutter(rows: NDArray[np.int64]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """How to take these rows of a column: as a slice without copying where they lie together."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        whole = slice(int(rows[0]), int(rows[-1]) + 1)
        return lambda column: column[whole]
    return lambda column: column[rows]

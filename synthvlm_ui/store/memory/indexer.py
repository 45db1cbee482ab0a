"""Brings an index up to date with the shards, score files and events of its workspace.

It does the same from empty as from a snapshot, so that a rebuilt index equals one that grew. Knows no thread and no
user: whoever calls it holds the lock.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import CorruptData, DiskFull, UnknownName
from synthvlm_ui.store.decisions.journal import Journal
from synthvlm_ui.store.decisions.registry import CandidateIds, Registration
from synthvlm_ui.store.files.discovery import FolderWatch, folder_times, is_settled, stamps_of
from synthvlm_ui.store.files.news import NewsReader
from synthvlm_ui.store.files.paths import WorkspacePaths
from synthvlm_ui.store.files.scores import ScoreStore
from synthvlm_ui.store.files.shards import ShardContents, ShardStore
from synthvlm_ui.store.memory.catalogue import ABSENT, BROKEN, PRESENT
from synthvlm_ui.store.memory.index import Index, Problem
from synthvlm_ui.store.memory.placing import keep_elsewhere, mark_absent, place
from synthvlm_ui.store.memory.rows import DAMAGED, MISSING
from synthvlm_ui.store.memory.score_table import HASH_TYPE, KeyScores

BATCH_SHARDS = 128
BATCH_EVENTS = 512
FEW_SHARDS = 2000
LOOK_EVERY_S = 30.0
VERDICT_KINDS = ("verdict", "undo", "redo")


class Indexer:
    """Reads what is new in a workspace into an index."""

    def __init__(self, index: Index, paths: WorkspacePaths, journal: Journal) -> None:
        self.index, self._paths, self._journal = index, paths, journal
        self._shards, self._scores = ShardStore(paths), ScoreStore(paths)
        self._watch, self._news = FolderWatch(index.seen), NewsReader(paths.news)
        self._looked_at_s: float | None = None
        self._changed = self._lost = False
        self.facts_changed = False

    def refresh(self, *, events_only: bool = False) -> bool:
        """Reads what is new and says whether anything was; ``facts_changed`` says whether that was more than verdicts.

        Raises: CorruptData when the journal does not read back.
        """
        self._changed = self.facts_changed = False
        try:
            if not events_only:
                self._adopt()
                self._follow_news()
                if self._is_look_due():
                    self._find_shards()
                    self._find_scores()
                    self._looked_at_s = time.monotonic()
            self.facts_changed = self._changed
            self._follow_events()
        except BaseException:
            # What was remembered as looked at may not have been read to the end.
            self.index.seen.clear()
            self._looked_at_s = None
            raise
        return self._changed

    def outgrown(self) -> bool:
        """Whether the index holds rows that the registry has since given other ordinals (read-only workspaces)."""
        return self.index.registered < self.index.rows.n and self._journal.registry.total() > self.index.registered

    def _adopt(self) -> None:
        registrations = self._journal.registry.since(self.index.registered)
        if registrations:
            self.index.adopt(registrations)
            self.index.registered = self.index.rows.n
            self._changed = self.facts_changed = True

    def _is_look_due(self) -> bool:
        """Looking through many folders takes a fraction of a second, so that is not done each time."""
        if self._looked_at_s is None or len(self.index.shards.names) < FEW_SHARDS:
            return True
        return time.monotonic() - self._looked_at_s > LOOK_EVERY_S

    def _follow_news(self) -> None:
        shards: dict[str, set[str]] = {}
        scores: list[tuple[str, str]] = []
        for kind, dataset, name in self._news.news():
            if kind == "shards":
                shards.setdefault(dataset, set()).add(name)
            elif kind == "scores":
                scores.append((dataset, name))
        for dataset, names in shards.items():
            self._read_shards(dataset, sorted(names))
        self._look_elsewhere()
        for dataset, name in scores:
            code = self.index.shards.of(dataset).get(name)
            if code is not None:
                self._read_scores(dataset, name, code)

    # -- shards

    def _find_shards(self) -> None:
        for dataset in sorted({*self._shards.datasets(), *self.index.shards.datasets()}):
            folder = self._paths.shards / dataset
            if not self._watch.needs_look(f"shards/{dataset}", folder):
                continue
            stamps = stamps_of(folder, ".tar")
            known = self.index.shards.of(dataset)
            stamp_of, state_of = (self.index.shards[column].tolist() for column in ("stamp", "state"))
            changed = [name for name, stamp in stamps.items() if name not in known or stamp_of[known[name]] != stamp]
            gone = [code for name, code in known.items() if name not in stamps and state_of[code] != ABSENT]
            self._read_shards(dataset, sorted(changed))
            self._drop_shards(dataset, gone)
        self._look_elsewhere()

    def _look_elsewhere(self) -> None:
        """Reads the shards again that have candidates whose first choice has changed or gone."""
        if self._lost:
            for dataset, name in keep_elsewhere(self.index):
                self._read_shards(dataset, [name])
            self._lost = False

    def _read_shards(self, dataset: str, names: list[str]) -> None:
        for start in range(0, len(names), BATCH_SHARDS):
            batch = []
            for name in names[start : start + BATCH_SHARDS]:
                contents = self._contents(dataset, name)
                if contents is not None:
                    batch.append((name, contents, np.array(contents.candidate_ids, dtype="S16")))
            try:
                self._register(dataset, [(name, ids) for name, _, ids in batch])
            except DiskFull as error:
                # What is known goes on being served; these shards are tried again at the next refresh.
                self._report("journal", error)
                self.index.seen.clear()
                self._looked_at_s = None
                return
            for name, contents, ids in batch:
                self._place(dataset, name, contents, ids)

    def read_again(self, dataset: str, shard: str) -> None:
        """Reads one shard whose files turned out not to be those that are indexed."""
        if self._shards.exists(dataset, shard):
            self._read_shards(dataset, [shard])
        else:
            self._drop_shards(dataset, [self.index.shards.code(dataset, shard)])
        self._look_elsewhere()

    def _contents(self, dataset: str, name: str) -> ShardContents | None:
        where = f"shards/{dataset}/{name}"
        try:
            contents = self._shards.contents(dataset, name)
            self.index.problems.pop(where, None)
            return contents
        except UnknownName:
            return None
        except (CorruptData, OSError) as error:
            self._report(where, error)
        code = self.index.shards.code(dataset, name)
        self.index.scores.resize(self.index.rows.n, len(self.index.shards.names))
        # Remembered with its stamp, so that a damaged shard is read once and again only when it is replaced.
        self.index.shards["stamp"][code] = stamps_of(self._paths.shards / dataset, f"{name}.tar").get("", 0)
        self.index.shards["state"][code] = BROKEN
        mark_absent(self.index, code, DAMAGED)
        self._changed = self._lost = True
        return None

    def _register(self, dataset: str, shards: list[tuple[str, CandidateIds]]) -> None:
        index = self.index
        fresh = [(dataset, name, ids) for name, ids in shards if (index.rows.find(ids) < 0).any()]
        if not fresh:
            return
        if self._paths.read_only:
            self._adopt_unregistered(fresh)
            return

        def unknown_of(news: list[Registration], ids: CandidateIds) -> NDArray[np.bool_]:
            unknown = index.rows.find(ids) < 0
            for registration in news:
                unknown &= ~np.isin(ids, registration.candidate_ids)
            return unknown

        self._journal.registry.register(fresh, index.registered, unknown_of)
        index.problems.pop("journal", None)
        self._adopt()

    def _adopt_unregistered(self, shards: list[tuple[str, str, CandidateIds]]) -> None:
        # Nothing may be written here, so these rows have their ordinals only until somebody registers them.
        for dataset, name, ids in shards:
            fresh = ids[self.index.rows.find(ids) < 0]
            if fresh.size:
                self.index.adopt([Registration(self.index.rows.n, dataset, name, fresh)])
        self._changed = True

    def _place(self, dataset: str, name: str, contents: ShardContents, ids: CandidateIds) -> None:
        index = self.index
        code = index.shards.code(dataset, name)
        index.scores.resize(index.rows.n, len(index.shards.names))
        where = f"shards/{dataset}/{name}"
        self._lost = self._lost or bool(index.shards["stamp"][code])
        try:
            place(index, dataset, code, contents, ids)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            self._report(where, CorruptData(f"the shard has candidates without their facts: {error!r}",
                                            where=str(self._paths.shard(dataset, name))))
            index.shards["state"][code] = BROKEN
            mark_absent(index, code, DAMAGED)
        else:
            index.shards["state"][code] = PRESENT
            index.shards["thumbnail_stamp"][code] = contents.thumbnail_stamp
        index.shards["stamp"][code] = contents.stamp
        thumbnails = f"thumbnails/{dataset}/{name}"
        index.problems.pop(thumbnails, None)
        if contents.missing_thumbnails:
            index.problems[thumbnails] = Problem(thumbnails, contents.missing_thumbnails)
        self._forget_score_files(code)
        self._read_scores(dataset, name, code)
        index.unsaved += 1
        self._changed = True

    def _drop_shards(self, dataset: str, codes: list[int]) -> None:
        if not codes:
            return
        table = self.index.shards
        for code in codes:
            table["state"][code], table["stamp"][code] = ABSENT, 0
            where = f"shards/{dataset}/{table.names[code][1]}"
            self.index.problems[where] = Problem(where, "the shard is missing")
            mark_absent(self.index, code, MISSING)
            self.index.unsaved += 1
        self._changed = self._lost = True

    # -- scores

    def _find_scores(self) -> None:
        table = self.index.shards
        for dataset in table.datasets():
            folder = self._paths.scores / dataset
            if not self._watch.needs_look(f"scores/{dataset}", folder):
                continue
            known = table.of(dataset)
            times = folder_times(folder)
            read_at = table["score_stamp"].tolist()
            for name, changed_ns in times.items():
                code = known.get(name)
                if code is not None and read_at[code] != changed_ns:
                    self._read_scores(dataset, name, code)
                    table["score_stamp"][code] = changed_ns if is_settled(changed_ns) else 0
            for name in known.keys() - times.keys():
                self._drop_scores(known[name], keep=set())

    def _read_scores(self, dataset: str, name: str, code: int) -> None:
        stamps = stamps_of(self._paths.scores / dataset / name, ".parquet")
        for key, stamp in sorted(stamps.items()):
            known = self.index.scores.keys.get(key)
            if known is None or known.stamps.size <= code or known.stamps.view[code] != stamp:
                self._read_score_file(dataset, name, code, key, stamp)
        self._drop_scores(code, keep=set(stamps))

    def _read_score_file(self, dataset: str, name: str, code: int, key: str, stamp: int) -> None:
        where = f"scores/{dataset}/{name}/{key}"
        problems, rows = self.index.problems, self.index.rows
        try:
            found = self._scores.read(dataset, name, key)
            if found.scorer.key != key:
                raise CorruptData("the scores are of another scorer than their name says", where=where)
            values = {column: _in_memory(found.columns[column]) for column in found.scorer.columns}
        except (FileNotFoundError, UnknownName):
            return
        except (CorruptData, OSError, ValueError, TypeError) as error:
            self._report(where, error)
            return
        problems.pop(where, None)
        hashes = [column for column, numbers in values.items() if numbers.dtype == HASH_TYPE]
        scores = self.index.scores.ensure(found.scorer, rows.n, hashes)
        self.index.scores.resize(rows.n, len(self.index.shards.names))
        if scores.stamps.view[code]:
            self._clear_scores(scores, code)
        ordinals = rows.find(found.candidate_ids)
        # A candidate that lies in two shards has the scores of the shard it is shown from.
        ours = (ordinals >= 0) & (rows["shard_code"][ordinals] == code)
        for column, numbers in values.items():
            scores.columns[column].view[ordinals[ours]] = numbers[ours]
        scores.place.view[ordinals[ours]] = np.flatnonzero(ours)
        scores.stamps.view[code], scores.covered.view[code] = stamp, int(ours.sum())
        scores.newest_ns = max(scores.newest_ns, _time_ns(self._paths.score_folder(dataset, name) / f"{key}.parquet"))
        self.index.unsaved += 1
        self._changed = True

    def _drop_scores(self, code: int, keep: set[str]) -> None:
        for key, scores in self.index.scores.keys.items():
            if key not in keep and scores.stamps.size > code and scores.stamps.view[code]:
                self._clear_scores(scores, code)
                self._changed = True

    def _clear_scores(self, scores: KeyScores, code: int) -> None:
        scores.stamps.view[code] = scores.covered.view[code] = 0
        ordinals = np.flatnonzero(self.index.rows["shard_code"] == code)
        for column in (*scores.columns.values(), scores.place):
            column.view[ordinals] = column.fill

    def _forget_score_files(self, code: int) -> None:
        self.index.shards["score_stamp"][code] = 0
        for scores in self.index.scores.keys.values():
            scores.stamps.view[code] = scores.covered.view[code] = 0

    # -- events

    def _follow_events(self) -> None:
        index = self.index
        newest = self._journal.last_id()
        if newest == index.last_event:
            return
        while True:
            events = self._journal.events(index.last_event, BATCH_EVENTS, VERDICT_KINDS)
            # The rows an event is about were registered before it was written, so now they can all be adopted.
            if index.registered == index.rows.n:
                self._adopt()
            elif self.outgrown():
                return
            for event in events:
                index.ledger.apply(event, index.rows)
                index.last_event = event.id
                self._changed = True
            index.unsaved += len(events) // 64
            if len(events) < BATCH_EVENTS:
                break
        index.last_event = max(index.last_event, newest)

    def _report(self, where: str, error: Exception) -> None:
        problem = Problem(where, str(error))
        self._changed = self._changed or self.index.problems.get(where) != problem
        self.index.problems[where] = problem


def _in_memory(values: NDArray[Any]) -> NDArray[Any]:
    """Floats as RAM holds them; 64-bit whole numbers, which float32 would round, as they are."""
    return values if values.dtype == HASH_TYPE else values.astype(np.float32)


def _time_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0

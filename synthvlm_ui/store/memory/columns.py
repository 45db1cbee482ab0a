"""The candidates as numpy columns in RAM over ordinals: what the grid, the histograms and the rules read.

Ordinals are for ever; codes of datasets, captions and generators belong to one process. Knows no rule and no screen.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.errors import BadSetting, CorruptData, DiskFull, UnknownName, WorkspaceError
from synthvlm_ui.records import REAL, Candidate, ScorerInfo
from synthvlm_ui.store.decisions.journal import Journal
from synthvlm_ui.store.decisions.registry import ID_BYTES
from synthvlm_ui.store.files.paths import WorkspacePaths
from synthvlm_ui.store.files.shards import MEDIA_TYPES, ShardStore, StaleShard
from synthvlm_ui.store.memory.embedding_table import Embeddings, EmbeddingTable
from synthvlm_ui.store.memory.index import Index, Problem
from synthvlm_ui.store.memory.indexer import Indexer
from synthvlm_ui.store.memory.reading import Part, read_part
from synthvlm_ui.store.memory.rows import REASONS
from synthvlm_ui.store.memory.verdicts import VerdictLedger

SAVE_AFTER = 256
WORTH_SAVING = 16
READ_ATTEMPTS = 4


class CandidateColumns:
    """Every candidate of a workspace as one row of numpy columns, all of length ``n`` and indexed by ordinal.

    Columns are live views: take them anew after ``version`` has changed, and never write to them. ``facts_version``
    changes only when something else than verdicts has. Threads may read while another refreshes: a column taken later
    is never shorter than one taken before.
    """

    def __init__(self, paths: WorkspacePaths, journal: Journal) -> None:
        self._paths, self._journal = paths, journal
        self._shards = ShardStore(paths)
        self._lock, self._embedding_lock = threading.RLock(), threading.Lock()
        self._embedding_table = EmbeddingTable(paths)
        self.version = self.facts_version = 0
        # (version, newest event that it takes into account), replaced as one: whoever reads both apart may take the
        # event of a refresh under way for shown.
        self.moment = (0, 0)
        index = Index.load(paths.snapshot, journal.id, self._bitmap)
        if index is not None and (index.registered > journal.registry.total() or index.last_event > journal.last_id()):
            index = None  # The journal is an older copy of the one that the snapshot was made with.
        self._use(index or Index(VerdictLedger(self._bitmap)))
        self.refresh()

    def _use(self, index: Index) -> None:
        self._index, self._indexer = index, Indexer(index, self._paths, self._journal)

    def _bitmap(self, event_id: int) -> bytes:
        event = self._journal.event(event_id)
        if event is None or event.bitmap is None:
            raise CorruptData(f"event {event_id} is not in the journal", where=str(self._paths.journal))
        return event.bitmap

    # -- following the workspace

    def refresh(self, *, events_only: bool = False) -> bool:
        """Takes in new shards, scores and events, of this process or others, and says whether there were any.

        Cheap enough to call twice a second; ``events_only`` looks at the journal alone. Raises: CorruptData.
        """
        with self._lock:
            changed = facts = False
            if self._index.registered < self._index.rows.n and self._indexer.outgrown():
                self._use(Index(VerdictLedger(self._bitmap)))
                changed = facts = True
            changed = self._indexer.refresh(events_only=events_only) or changed
            if facts or self._indexer.facts_changed:
                self.facts_version += 1
            if changed:
                self.version += 1
            self.moment = (self.version, self._index.last_event)
            if self._index.unsaved > max(SAVE_AFTER, len(self._index.shards.names) // 20):
                self._save_if_possible()
            return changed

    def rebuild(self) -> None:
        """Makes the columns anew from shards, scores and journal, as if there had never been a snapshot."""
        with self._lock:
            self._use(Index(VerdictLedger(self._bitmap)))
            self._indexer.refresh()
            self.version += 1
            self.facts_version += 1
            self.moment = (self.version, self._index.last_event)
            self._save_if_possible()

    def save_snapshot(self) -> None:
        """Writes what is in RAM under snapshot/, so that the next opening reads no shard; nothing when read-only.

        Raises: DiskFull, WorkspaceError.
        """
        with self._lock:
            if not self._paths.read_only:
                self._index.save(self._paths.snapshot, self._journal.id)

    def close(self) -> None:
        """Saves a snapshot when that spares the next opening some work."""
        if self._index.unsaved > WORTH_SAVING:
            self._save_if_possible()

    def _save_if_possible(self) -> None:
        try:
            self.save_snapshot()
        except (DiskFull, WorkspaceError):
            # It would only have spared work; trying again at every refresh would cost more than it spares.
            self._index.unsaved = 0

    @property
    def problems(self) -> list[Problem]:
        """The shards, thumbnails and score files that could not be used."""
        return [self._index.problems[key] for key in sorted(self._index.problems)]

    # -- columns

    @property
    def n(self) -> int:
        return self._index.rows.n

    @property
    def datasets(self) -> list[str]:
        """The datasets by ``dataset_code``."""
        return list(self._index.datasets.names)

    @property
    def generators(self) -> list[str]:
        """The generators by ``generator_code``."""
        return list(self._index.generators.names)

    @property
    def dataset_code(self) -> NDArray[np.uint16]:
        return self._index.rows["dataset_code"]

    @property
    def generator_code(self) -> NDArray[np.int16]:
        """-1 where the shard could never be read."""
        return self._index.rows["generator_code"]

    @property
    def is_real(self) -> NDArray[np.bool_]:
        """Whether a row is the real image of its caption: such rows are compared with and never curated or exported."""
        codes, real = self.generator_code, self._index.generators.get(REAL)
        return np.zeros(len(codes), np.bool_) if real is None else codes == real

    @property
    def candidate_id(self) -> NDArray[np.bytes_]:
        return self._index.rows["candidate_id"]

    @property
    def caption_code(self) -> NDArray[np.int32]:
        """Equal for equal (dataset, caption id), dense from 0; -1 where the shard could never be read."""
        return self._index.rows["caption_code"]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Whether there is an image to show: generated, and its shard is there."""
        return self._index.rows["ok"]

    @property
    def seed(self) -> NDArray[np.uint32]:
        return self._index.rows["seed"]

    @property
    def repeat(self) -> NDArray[np.int32]:
        return self._index.rows["repeat"]

    @property
    def width_px(self) -> NDArray[np.uint16]:
        return self._index.rows["width_px"]

    @property
    def height_px(self) -> NDArray[np.uint16]:
        return self._index.rows["height_px"]

    @property
    def last_event(self) -> int:
        """The id of the newest event that the verdicts take into account."""
        return self._index.last_event

    @property
    def verdict(self) -> NDArray[np.int8]:
        """+1 keep, -1 reject, 0 undecided."""
        return self._index.rows["verdict"]

    @property
    def verdict_event(self) -> NDArray[np.int32]:
        """The id of the event whose verdict is in force, 0 for none."""
        return self._index.rows["verdict_event"]

    @property
    def caption_count(self) -> int:
        """How many captions have a candidate."""
        return len(self._index.captions)

    def caption_id(self, caption_code: int) -> str:
        """The caption id behind a code."""
        return self._index.captions.caption_id(int(caption_code)) if caption_code >= 0 else ""

    def caption_code_of(self, dataset: str, caption_id: str) -> int:
        """The code of a caption, -1 when it has no candidate."""
        return self._index.captions.find(dataset, caption_id)

    def caption_codes_of(self, dataset: str, caption_ids: Sequence[str]) -> NDArray[np.int32]:
        """The codes of captions, -1 for one without a candidate. Shapes: (N,)."""
        return self._index.captions.find_all(dataset, caption_ids)

    # -- scores

    def score_columns(self) -> list[str]:
        """The names that ``score`` knows, sorted."""
        return sorted(self._index.scores.active_columns())

    def score(self, name: str) -> NDArray[np.float32]:
        """One score column of the active keys, NaN where there is none; 64-bit hashes as uint64, 0 where there is none.

        Raises: UnknownName.
        """
        columns = self._index.scores.active_columns()
        if name not in columns:
            raise UnknownName.of("score", name, sorted(columns))
        return columns[name].view[: self.n]

    def score_by(self, key: str, name: str) -> NDArray[np.float32]:
        """One column of one scorer key, whichever is active; NaN where it has said nothing. Raises: UnknownName."""
        scores = self._index.scores.keys.get(key)
        if scores is None or name not in scores.columns:
            raise UnknownName(f"no scores {name!r} of {key!r}", fix="Score first.")
        return scores.columns[name].view[: self.n]

    def scorers(self) -> list[ScorerInfo]:
        """The active scorer of every scorer name, sorted by name."""
        table = self._index.scores
        return [table.keys[table.active_key(name)].scorer for name in table.names()]

    def scorer_of(self, key: str) -> ScorerInfo:
        """The scorer behind a key, with its settings. Raises: UnknownName."""
        if key not in self._index.scores.keys:
            raise UnknownName.of("scorer key", key, sorted(self._index.scores.keys))
        return self._index.scores.keys[key].scorer

    def scorer_keys(self, name: str) -> list[str]:
        """The keys of a scorer, the one covering most rows first. Raises: UnknownName."""
        return self._index.scores.keys_of(name)

    def active_key(self, name: str) -> str:
        """The key whose numbers a scorer's columns show. Raises: UnknownName."""
        return self._index.scores.active_key(name)

    def use_scorer(self, name: str, key: str) -> None:
        """Shows the numbers of another key of this scorer, in this process. Raises: UnknownName."""
        with self._lock:
            self._index.scores.use(name, key)
            self.version += 1
            self.moment = (self.version, self._index.last_event)
            self.facts_version += 1

    # -- single rows

    def ordinals_of(self, ids: Sequence[str]) -> NDArray[np.int32]:
        """The ordinals of candidate ids, in their order. Raises: UnknownName for the first that is not there."""
        if not len(ids):
            return np.zeros(0, np.int32)
        # Without the lock, so that images are served while a large refresh runs. An id that does not fit the column is
        # put as an empty one, which no candidate has: cut to length it might be another's.
        fitting = [name if len(name) <= ID_BYTES and name.isascii() else "" for name in ids]
        found = self._index.rows.find(np.array(fitting, dtype=f"S{ID_BYTES}"))
        missing = np.flatnonzero(found < 0)
        if missing.size:
            raise UnknownName(f"unknown candidate {ids[int(missing[0])]!r}", fix="Take ids from this workspace.")
        return found

    def ids_of(self, ordinals: NDArray[np.integer]) -> list[str]:
        """The candidate ids of rows, in their order."""
        return [name.decode("ascii") for name in self.candidate_id[ordinals].tolist()]

    def shard_of(self, ordinal: int) -> tuple[str, str]:
        """The dataset and shard that a row is shown from."""
        return self._index.shards.names[int(self._index.rows["shard_code"][self._checked(ordinal)])]

    def reason(self, ordinal: int) -> str:
        """Why there is no image to show, empty when there is one."""
        return REASONS[int(self._index.rows["reason"][self._checked(ordinal)])]

    def candidate(self, ordinal: int) -> Candidate:
        """Every fact of a candidate, from its shard. Raises: CorruptData when that cannot be read, BadSetting."""
        return Candidate.from_json(self.facts(ordinal))

    def facts(self, ordinal: int) -> dict[str, Any]:
        """The same as parsed JSON. Raises: as ``candidate``."""
        found: dict[str, Any] = json.loads(self._read(ordinal, "json"))
        return found

    def image(self, ordinal: int) -> tuple[bytes, str]:
        """The encoded image and its media type. Raises: CorruptData, UnknownName when it has none, BadSetting."""
        content = self._read(ordinal, "image")
        suffix = self._index.suffixes.names[int(self._index.rows["suffix_code"][ordinal])]
        return content, MEDIA_TYPES.get(suffix, "application/octet-stream")

    def thumbnail(self, ordinal: int) -> bytes:
        """The thumbnail as WebP. Raises: CorruptData, UnknownName when it has none, BadSetting."""
        return self._read(ordinal, "thumbnail")

    def acts_on(self, ordinal: int) -> list[tuple[int, bool]]:
        """The id of every verdict ever given on a row, oldest first, and whether it counts (was not undone)."""
        with self._lock:
            return self._index.ledger.acts_on(self._checked(ordinal))

    def scores_of(self, ordinal: int) -> list[tuple[ScorerInfo, dict[str, float]]]:
        """What each scorer key says of a candidate, with the settings its numbers depend on; NaN for nothing."""
        self._checked(ordinal)
        return [(scores.scorer, {name: float(column.view[ordinal]) for name, column in scores.columns.items()})
                for _, scores in sorted(self._index.scores.keys.items())]

    def embeddings(self, key: str) -> Embeddings:
        """The embeddings of a scorer key over all rows, put together from those of the shards; brings them up to date.

        The first call for many shards takes seconds. Raises: UnknownName when there are none, DiskFull, CorruptData.
        """
        with self._embedding_lock:
            return self._embedding_table.updated(self._index, key)

    def describe(self, ordinals: NDArray[np.integer]) -> list[dict[str, Any]]:
        """A page of rows, JSON-ready: ids, state, verdict and the scores on show (None for NaN)."""
        rows, shown = self._index.rows, self._index.scores.active_columns()
        scores = {name: column.view[ordinals].tolist() for name, column in shown.items()}
        codes = {name: rows[name][ordinals].tolist()
                 for name in ("dataset_code", "caption_code", "seed", "repeat", "ok", "reason", "verdict")}
        return [{"ordinal": int(ordinal), "id": name, "dataset": self._index.datasets.names[codes["dataset_code"][row]],
                 "caption_id": self.caption_id(codes["caption_code"][row]), "seed": codes["seed"][row],
                 "repeat": codes["repeat"][row], "ok": codes["ok"][row], "reason": REASONS[codes["reason"][row]],
                 "verdict": codes["verdict"][row],
                 "scores": {key: values[row] if values[row] == values[row] else None for key, values in scores.items()}}
                for row, (ordinal, name) in enumerate(zip(ordinals, self.ids_of(ordinals), strict=True))]

    def _checked(self, ordinal: int) -> int:
        if not 0 <= ordinal < self.n:
            raise BadSetting(f"there is no row {ordinal}")
        return int(ordinal)

    def _read(self, ordinal: int, part: Part) -> bytes:
        # Without the lock, so that images are served while a large refresh runs.
        for _ in range(READ_ATTEMPTS):
            try:
                return read_part(self._index, self._shards, self._checked(ordinal), part)
            except StaleShard:
                with self._lock:
                    self._indexer.read_again(*self.shard_of(ordinal))
                    self.version += 1
                    self.facts_version += 1
                    self.moment = (self.version, self._index.last_event)
        raise CorruptData(f"the {part} of candidate {self.ids_of(np.array([ordinal]))[0]} keeps changing",
                          where="/".join(self.shard_of(ordinal)),
                          fix="Try again when the shard is no longer being written.")

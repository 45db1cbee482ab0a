"""Blind preference: studies, what a rater sees next, and what all ratings say. Studies and ratings are journal events.

Nothing is overwritten: a second rating of the same pair by the same rater is another event, and the later one counts.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from synthvlm_ui.comparison import CHOICES, Outcome, Ratings, Trial, agreement_with_score, summary, trials_of
from synthvlm_ui.errors import BadSetting, DuplicateId, UnknownName
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.comparison.comparison_desk import ComparisonDesk
from synthvlm_ui.service.printable_name import printable_name
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace
from synthvlm_ui.store.files.names import checked_name

QUESTION = "Which picture fits the caption better?"
MAX_PAIRS = 5000
MAX_RATER_CHARACTERS = 80
_NO_SCORES = frozenset({"truncated", "ssim_status", "phash", "guard"})


@dataclass(frozen=True)
class Study:
    """A fixed list of pairs (real id, synthetic id) with their captions, and the seed of every order and side."""

    name: str
    real: str
    synthetic: str
    seed: int
    created: str
    pairs: tuple[tuple[str, str], ...]
    captions: tuple[str, ...]


class PreferenceDesk:
    """``studio.preference``."""

    def __init__(self, workspace: Workspace, comparison: ComparisonDesk, jobs: JobDesk, actor: str) -> None:
        self._workspace, self._comparison, self._jobs, self._actor = workspace, comparison, jobs, actor
        self._lock = threading.Lock()
        self._seen = 0
        self._studies: dict[str, Study] = {}
        self._ratings: dict[str, Ratings] = {}
        self._trials: dict[tuple[str, str], list[Trial]] = {}

    def start(self, name: str, real: str, synthetic: str, *, pairs: int = 100, seed: int = 0) -> dict[str, Any]:
        """Fixes the pairs of a new study: captions at random, and of each caption's candidates one at random.

        ``real`` and ``synthetic`` are specs of sets (see ComparisonDesk). Raises: DuplicateId for a name that is there,
        BadSetting, UnknownName, EmptyInput.
        """
        self._workspace.paths.check_writable()
        checked_name("study", name)
        if not 1 <= pairs <= MAX_PAIRS:
            raise BadSetting(f"a study of {pairs} pairs", where="--pairs", fix=f"Give 1 to {MAX_PAIRS}.")
        self._follow()
        if name in self._studies:
            raise DuplicateId(f"there is a study {name!r}", fix="Go on with it, or give another name.")
        chosen = self._comparison.random_pairs(real, synthetic, pairs, seed)
        payload = {"name": name, "real": real, "synthetic": synthetic, "seed": seed, "question": QUESTION,
                   "pairs": [[one["real"], one["candidate"]] for one in chosen],
                   "captions": [one["caption"] for one in chosen]}
        self._workspace.journal.append("study", self._actor, payload)
        return {"study": name, "pairs": len(chosen), "seed": seed}

    def studies(self) -> dict[str, Any]:
        """Every study with its sets and how many ratings it has."""
        self._follow()
        return {"studies": [{"name": one.name, "real": one.real, "synthetic": one.synthetic, "pairs": len(one.pairs),
                             "created": one.created, "seed": one.seed,
                             "raters": sorted(self._ratings[one.name].outcomes),
                             "ratings": sum(map(len, self._ratings[one.name].outcomes.values()))}
                            for one in self._studies.values()]}

    def next(self, study: str, rater: str | None = None) -> dict[str, Any]:
        """The first pair that this rater has not answered, or ``pair`` None at the end. Which picture is which, this
        does not say. Raises: UnknownName, BadSetting.
        """
        who, found = self._rater(rater), self._study(study)
        given = self._ratings[study].outcomes.get(who, {})
        left = [trial for trial in self._trials_of(found, who) if trial.pair not in given]
        return self._shown(found, who, left[0] if left else None)

    def back(self, study: str, rater: str | None = None) -> dict[str, Any]:
        """The pair this rater answered last, to be answered again; the next one when there is none."""
        who, found = self._rater(rater), self._study(study)
        given = list(self._ratings[study].outcomes.get(who, {}))
        if not given:
            return self.next(study, who)
        trial = next(one for one in self._trials_of(found, who) if one.pair == given[-1])
        return self._shown(found, who, trial)

    def rate(self, study: str, pair: int, choice: str, rater: str | None = None) -> dict[str, Any]:
        """Records what a rater chose for a pair: "1", "2", "tie" or "skip"; durable when this returns.

        Raises: UnknownName, BadSetting, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        who, found = self._rater(rater), self._study(study)
        if choice not in CHOICES:
            raise BadSetting(f"choice {choice!r}", where="--choice", fix=f"Give one of {', '.join(CHOICES)}.")
        trial = next((one for one in self._trials_of(found, who) if one.pair == pair), None)
        if trial is None:
            raise UnknownName(f"study {study!r} has no pair {pair}", fix=f"It has 0 to {len(found.pairs) - 1}.")
        outcome = trial.outcome(choice)
        return self._append(study, pair, outcome, who, choice=choice, first=trial.first, second=trial.second)

    def record(self, study: str, pair: int, outcome: Outcome, rater: str) -> dict[str, Any]:
        """Records an outcome that was found otherwise than by showing one trial: a model that saw both sides first."""
        self._study(study)
        return self._append(study, pair, outcome, rater)

    def _append(self, study: str, pair: int, outcome: Outcome, rater: str, **facts: str) -> dict[str, Any]:
        payload = {"study": study, "pair": pair, "rater": rater, "outcome": outcome, **facts}
        event_id = self._workspace.journal.append("rating", rater, payload)
        self._follow()
        return {"study": study, "pair": pair, "event_id": event_id}

    def report(self, study: str) -> dict[str, Any]:
        """Win rate with its interval, agreement of raters, and of the ratings with each score. Raises: UnknownName."""
        found = self._study(study)
        ratings = self._ratings[study]
        return {"study": study, "sets": {"real": found.real, "synthetic": found.synthetic},
                **summary(ratings, len(found.pairs)),
                "scores": {name: agreement_with_score(ratings, gap) for name, gap in self._gaps(found).items()}}

    def judge(self, study: str, writer: str, *, limit: int | None = None, device: str = "auto") -> str:
        """Queues the job in which a model that sees images rates the pairs, each with both sides first; returns its id.

        Raises: UnknownName, ModelUnavailable, BadSetting.
        """
        from synthvlm_ui.backends import require_sight, require_writer
        from synthvlm_ui.service.machine.devices import resolve_device

        found = self._study(study)
        writer = require_writer(writer)
        require_sight(writer)
        config = {"study": study, "writer": writer, "limit": min(limit or len(found.pairs), len(found.pairs))}
        return self._jobs.submit("judge", config, resolve_device(device))

    def pairs_of(self, study: str) -> Study:
        """The study itself. Raises: UnknownName."""
        return self._study(study)

    def rated_by(self, study: str, rater: str) -> Mapping[int, str]:
        """What a rater has answered so far, by pair."""
        self._study(study)
        return dict(self._ratings[study].outcomes.get(rater, {}))

    def command(self, study: str, *, writer: str = "", limit: int | None = None) -> str:
        """The line that shows a study, or that has ``writer`` judge it."""
        words = ["rate", "judge" if writer else "show", "--study", study or "STUDY"]
        words += ["--writer", writer] if writer else []
        words += ["--limit", str(limit)] if writer and limit else []
        return command_line(self._workspace.root, words)

    # -- the journal

    def _follow(self) -> None:
        with self._lock:
            newest = self._workspace.journal.last_id()
            if newest == self._seen:
                return
            for event in self._workspace.journal.events(self._seen, kinds=("study", "rating")):
                payload = event.payload
                if event.kind == "study":
                    # Two processes may have started one name at once: the first is the study.
                    self._studies.setdefault(payload["name"], Study(
                        payload["name"], payload["real"], payload["synthetic"], int(payload["seed"]), event.at,
                        tuple((one[0], one[1]) for one in payload["pairs"]), tuple(payload["captions"])))
                    self._ratings.setdefault(payload["name"], Ratings())
                elif payload["study"] in self._ratings:
                    given = self._ratings[payload["study"]].outcomes.setdefault(payload["rater"], {})
                    given.pop(int(payload["pair"]), None)  # so that the latest answer is the last in the dict
                    given[int(payload["pair"])] = payload["outcome"]
            self._seen = newest

    def _study(self, name: str) -> Study:
        self._follow()
        if name not in self._studies:
            raise UnknownName.of("study", name, list(self._studies))
        return self._studies[name]

    def _trials_of(self, study: Study, rater: str) -> list[Trial]:
        key = study.name, rater
        if key not in self._trials:
            self._trials[key] = trials_of(study.pairs, study.seed, rater)
        return self._trials[key]

    def _shown(self, study: Study, rater: str, trial: Trial | None) -> dict[str, Any]:
        done = len(self._ratings[study.name].outcomes.get(rater, {}))
        state = {"study": study.name, "rater": rater, "done": done, "total": len(study.pairs), "question": QUESTION}
        if trial is None:
            return {**state, "pair": None}
        return {**state, "pair": trial.pair, "caption": study.captions[trial.pair], "first": trial.first,
                "second": trial.second}

    def _rater(self, rater: str | None) -> str:
        return printable_name((rater or self._actor).strip(), "rater", where="--rater", most=MAX_RATER_CHARACTERS)

    def _gaps(self, study: Study) -> dict[str, dict[int, float]]:
        columns = self._workspace.columns
        columns.refresh()
        names = [name for name in columns.score_columns() if name not in _NO_SCORES]
        pairs = [(at, *self._ordinals(columns, pair)) for at, pair in enumerate(study.pairs)]
        known = [(at, real, made) for at, real, made in pairs if real >= 0 and made >= 0]
        real, made = (np.array([row[place] for row in known], np.int64) for place in (1, 2))
        found: dict[str, dict[int, float]] = {}
        for name in names:
            values = columns.score(name)
            gap = values[made].astype(np.float64) - values[real].astype(np.float64)
            found[name] = {row[0]: float(value) for row, value in zip(known, gap, strict=True)}
        if "clip_cosine" in found and "ssim" in found:
            ssim = found["ssim"]
            found["combined"] = {at: gap + 0.5 * ssim[at] for at, gap in found["clip_cosine"].items()}
        return {name: gap for name, gap in found.items() if any(map(math.isfinite, gap.values()))}

    @staticmethod
    def _ordinals(columns: Any, ids: Sequence[str]) -> tuple[int, int]:
        try:
            found = columns.ordinals_of(list(ids))
        except UnknownName:  # a shard that is gone takes its scores with it, not the ratings
            return -1, -1
        return int(found[0]), int(found[1])

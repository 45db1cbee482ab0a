"""Curating captions: measuring them, applying rules, looking at what was rejected, and bringing captions back by hand.

Nothing is deleted: a decision stands beside the captions, and what a person says about a caption stands above it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions.rules import (
    BY_NAME,
    RULES,
    SURVIVED,
    CurationSettings,
    changed,
    decide,
    preset_settings,
)
from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName
from synthvlm_ui.records import Verdict
from synthvlm_ui.service.captions.caption_measures import Done, Measured, missing_of, quiet, read_or_measure
from synthvlm_ui.service.captions.caption_report import (
    calibrated,
    describe_rules,
    example,
    preset_comparison,
    reasons_of,
    skill_counts,
    statistic_histogram,
    steps_of,
)
from synthvlm_ui.service.captions.caption_standing import Standing, caption_verdicts, standing_of
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

# Measured at once while a user waits; more is a job.
AT_ONCE_CAPTIONS = 20_000
MODEL_RULES = ("perplexity", "image_text_matching", "llm_gate")
VERDICTS = ("keep", "reject", "clear")
SHOWN = ("rejected", "kept", "by_hand", "all")
_MAX_PAGE = 500
_REMEMBERED = 2
_BINS = 48
VIEW_PARTS = ("steps", "histograms", "rules", "presets")


class NotMeasured(BadSetting):
    """So many captions are unmeasured that looking at them has to wait for a job."""


class CaptionCurationDesk:
    """``studio.caption_curation``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk, actor: str) -> None:
        self._workspace, self._jobs, self._actor = workspace, jobs, actor
        self._lock = threading.Lock()
        self._measured: dict[tuple[Any, ...], Measured] = {}

    def settings(self, preset: str = "synthvlm", changes: Sequence[str] = ()) -> CurationSettings:
        """A preset and what the user changed of it. Raises: UnknownName, BadSetting."""
        return changed(preset_settings(preset), changes)

    def settings_of(self, report: Mapping[str, Any]) -> CurationSettings:
        """The settings that a report was made with."""
        return CurationSettings.from_json(report["settings"])

    def settings_from(self, content: Mapping[str, Any]) -> CurationSettings:
        """Settings as ``view`` gave them and a form changed them. Raises: BadSetting, UnknownName."""
        return CurationSettings.from_json(content)

    def settings_in_force(self, dataset: str) -> CurationSettings:
        """The settings of the curation in force, the first preset's when there is none. Raises: UnknownName."""
        self._check(dataset)
        decision = self._workspace.caption_curation.read_decision(dataset)
        return self.settings_of(decision.facts) if decision else preset_settings("synthvlm")

    def needs_job(self, dataset: str, settings: CurationSettings) -> bool:
        """Whether curating takes long: many captions, or a model to ask."""
        self._check(dataset)
        asks = any(name in settings.rules and self._could_ask(dataset, name, settings) for name in MODEL_RULES)
        return asks or self._workspace.captions.count(dataset) > AT_ONCE_CAPTIONS

    def _could_ask(self, dataset: str, name: str, settings: CurationSettings) -> bool:
        if name == "image_text_matching" and not len(rows_of(self._workspace.columns, dataset, real=True)):
            return False
        return not missing_of(name, settings.options(name))

    def start(self, dataset: str, settings: CurationSettings) -> str:
        """Queues the curation and returns its job id. Raises: UnknownName, EmptyInput."""
        self._check(dataset)
        config = {"dataset": dataset, "settings": settings.to_json(), "actor": self._actor}
        return self._jobs.submit("curate", config, "cpu")

    def curate(self, dataset: str, settings: CurationSettings, done: Done = quiet) -> dict[str, Any]:
        """Measures what is missing, applies the rules and keeps the decision. Returns {kept, rejected, reasons, ...}.

        Raises: UnknownName, EmptyInput, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        self._check(dataset)
        measured = read_or_measure(self._workspace, dataset, settings, done)
        return apply(self._workspace, dataset, settings, measured, self._actor)

    def report(self, dataset: str) -> dict[str, Any]:
        """What the curation in force did: survivors per rule in order, both presets side by side, verdicts.

        Raises: UnknownName, EmptyInput when the dataset was never curated.
        """
        self._check(dataset)
        decision = self._workspace.caption_curation.read_decision(dataset)
        if decision is None:
            raise EmptyInput(f"the captions of {dataset!r} were never curated", fix="Curate them first.")
        return {**decision.facts, **self._counts(dataset)}

    def view(self, dataset: str, settings: CurationSettings, *, parts: Sequence[str] = VIEW_PARTS) -> dict[str, Any]:
        """What these settings would do, without deciding anything: steps, histograms, rules, both presets.

        ``measured`` is False, and nothing else is known, while so many captions are unmeasured that a job has to do it.
        """
        self._check(dataset)
        shown: dict[str, Any] = {"dataset": dataset, "settings": settings.to_json(), "standing": self._counts(dataset),
                                 "command": self.command(dataset, settings)}
        try:
            measured = self._look(dataset, settings)
        except NotMeasured:
            return {**shown, "measured": False}
        decision = decide(settings, measured.columns, len(measured.ids), measured.unavailable)
        shown |= {"measured": True, "total": len(measured.ids), "kept": int(decision.survives.sum()),
                  "steps": steps_of(decision), "reasons": reasons_of(decision)}
        if "rules" in parts:
            shown["rules"] = describe_rules(settings, measured)
        if "presets" in parts:
            shown |= {"presets": preset_comparison(measured), "skills": skill_counts(measured)}
        if "histograms" in parts:
            found = {rule.name: statistic_histogram(measured.columns[rule.name], decision.survives, _BINS)
                     for rule in RULES if rule.name in measured.columns and rule.name != "difficulty"}
            shown["histograms"] = {name: one for name, one in found.items() if one is not None}
        return shown

    def examples(self, dataset: str, settings: CurationSettings, *, rule: str = "", show: str = "rejected",
                 offset: int = 0, limit: int = 20) -> dict[str, Any]:
        """Captions with the part that a rule minds marked. ``rule``: only what this rule rejects first, all when empty.

        Raises: UnknownName, BadSetting.
        """
        self._check(dataset)
        if rule and rule not in BY_NAME:
            raise UnknownName.of("rule", rule, list(BY_NAME))
        if show not in SHOWN or not 1 <= limit <= _MAX_PAGE or offset < 0:
            raise BadSetting(f"page of {limit} {show!r} from {offset}", fix=f"Show one of {', '.join(SHOWN)}.")
        measured = self._look(dataset, settings)
        decision = decide(settings, measured.columns, len(measured.ids), measured.unavailable)
        verdicts = self._verdicts(dataset)
        rows = _shown(decision.rejected_by, rule, show, measured, verdicts)
        items = []
        for row in rows[offset: offset + limit].tolist():
            place = int(decision.rejected_by[row])
            by = RULES[place].name if place != SURVIVED else ""
            items.append({**example(measured, settings, row, rule or by), "rejected_by": by,
                          "verdict": verdicts.get(measured.ids[row])})
        return {"total": len(rows), "offset": offset, "items": items}

    def verdict(self, dataset: str, ids: Sequence[str], verdict: Verdict) -> dict[str, Any]:
        """Keeps or rejects captions by hand, above every rule, or leaves them to the rules again (clear).

        Durable when it returns. Raises: UnknownName, BadSetting, EmptyInput, WorkspaceError.
        """
        self._workspace.paths.check_writable()
        self._check(dataset)
        if verdict not in VERDICTS:
            raise BadSetting(f"{verdict!r} is no verdict", fix="Give keep, reject or clear.")
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            raise EmptyInput("no caption is named", fix="Name at least one id.")
        known = set(self._workspace.captions.texts(dataset)[0])
        unknown = next((one for one in wanted if one not in known), None)
        if unknown is not None:
            raise UnknownName(f"unknown caption {unknown[:40]!r}", where=dataset, fix="Check the id.")
        event_id = self._workspace.journal.append(
            "caption_verdict", self._actor, {"dataset": dataset, "verdict": verdict, "ids": wanted})
        return {"changed": len(wanted), "event_id": event_id, **self._counts(dataset)}

    def rejected_ids(self, dataset: str, rule: str) -> list[str]:
        """The captions that a rule of the curation in force rejected. Raises: UnknownName, EmptyInput."""
        if rule not in BY_NAME:
            raise UnknownName.of("rule", rule, list(BY_NAME))
        decision = self._workspace.caption_curation.read_decision(dataset)
        return [one for one, by in decision.rejected_by.items() if by == rule] if decision else []

    def calibrate(self, dataset: str, settings: CurationSettings, low: float, high: float) -> CurationSettings:
        """The same rules with limits at two percentiles of this dataset's own statistics. Raises: BadSetting."""
        self._check(dataset)
        if not 0 <= low < high <= 100:
            raise BadSetting(f"percentiles {low:g} to {high:g}", where="--calibrate",
                             fix="Give two numbers from 0 to 100, the lower first.")
        limits = calibrated(settings, self._look(dataset, settings), low, high)
        rules = {name: {**values, **limits.get(name, {})} for name, values in settings.rules.items()}
        given = settings.given | {f"{name}.{side}" for name, sides in limits.items() for side in sides}
        return CurationSettings(settings.preset, rules, given)

    def standing(self, dataset: str) -> Standing:
        """Which captions count now. Raises: UnknownName."""
        return standing_of(self._workspace, dataset)

    def command(self, dataset: str, settings: CurationSettings) -> str:
        """The line that curates with these settings."""
        words = ["captions", "curate", "--dataset", dataset]
        words += [] if settings.preset == "synthvlm" else ["--preset", settings.preset]
        for change in changes_of(settings):
            words += ["--set", change]
        return command_line(self._workspace.root, words)

    def _counts(self, dataset: str) -> dict[str, Any]:
        standing = self.standing(dataset)
        return {"curated": standing.curated, "captions": standing.total, "kept": standing.kept,
                "rejected": len(standing.rejected_ids), "uncurated": len(standing.uncurated_ids),
                "kept_by_hand": standing.kept_by_hand, "rejected_by_hand": standing.rejected_by_hand}

    def _look(self, dataset: str, settings: CurationSettings) -> Measured:
        """The statistics for looking: remembered, read, or measured at once when the captions are few."""
        options = {name: BY_NAME[name].measured_options(values) for name, values in settings.rules.items()}
        columns = self._workspace.columns
        columns.refresh()
        key = (dataset, self._workspace.captions.stamp(dataset), columns.version, str(sorted(options.items())),
               bool({"image_text_similarity.min", "image_text_similarity.keep_ratio"} & settings.given))
        with self._lock:
            if key not in self._measured:
                few = self._workspace.captions.count(dataset) <= AT_ONCE_CAPTIONS
                self._measured[key] = read_or_measure(self._workspace, dataset, settings, quiet if few else _refuse)
                while len(self._measured) > _REMEMBERED:
                    self._measured.pop(next(iter(self._measured)))
            return self._measured[key]

    def _verdicts(self, dataset: str) -> dict[str, str]:
        return caption_verdicts(self._workspace, dataset)

    def _check(self, dataset: str) -> None:
        known = self._workspace.captions.datasets()
        if dataset not in known:
            raise UnknownName.of("dataset", dataset, known)


def apply(workspace: Workspace, dataset: str, settings: CurationSettings, measured: Measured, actor: str
          ) -> dict[str, Any]:
    """Decides on what was measured and keeps the decision with everything it followed from."""
    decision = decide(settings, measured.columns, len(measured.ids), measured.unavailable)
    names = [None if place == SURVIVED else RULES[place].name for place in decision.rejected_by.tolist()]
    facts = {"dataset": dataset, "settings": settings.to_json(), "total": len(measured.ids),
             "steps": steps_of(decision), "reasons": reasons_of(decision),
             "presets": preset_comparison(measured), "skills": skill_counts(measured),
             "unavailable": dict(measured.unavailable), "actor": actor, "stamp": measured.stamp,
             "created": datetime.now(UTC).isoformat(timespec="seconds")}
    workspace.caption_curation.write_decision(dataset, measured.ids, names, facts)
    standing = standing_of(workspace, dataset)
    return {**facts, "kept": standing.kept, "rejected": len(standing.rejected_ids)}


def changes_of(settings: CurationSettings) -> list[str]:
    """How the settings differ from their preset, as ``--set`` takes it."""
    before = preset_settings(settings.preset).rules
    found = [f"{name}=off" for name in before if name not in settings.rules]
    for name, values in settings.rules.items():
        start = before.get(name)
        if start is None and not values:
            found.append(f"{name}=on")
        start = start or {}
        found += [f"{name}.{one}=none" for one in start if one not in values and "keep_ratio" not in values]
        for one, value in values.items():
            if start.get(one) != value:
                shown = ",".join(value) if isinstance(value, (list, tuple)) else f"{value:.8g}" \
                    if isinstance(value, float) else value
                found.append(f"{name}.{one}={shown}")
    return found


def _refuse(_done: int, _total: int, _message: str) -> None:
    raise NotMeasured("these captions are not measured yet", fix="Curate them once; then every limit can be tried.")


def _shown(rejected_by: NDArray[np.int8], rule: str, show: str, measured: Measured, verdicts: Mapping[str, str]
           ) -> NDArray[np.int64]:
    place = next((number for number, one in enumerate(RULES) if one.name == rule), SURVIVED)
    if show == "by_hand":
        rows = np.array([number for number, one in enumerate(measured.ids) if one in verdicts], dtype=np.int64)
        return rows
    if show == "rejected":
        return np.flatnonzero(rejected_by == place if rule else rejected_by != SURVIVED)
    return np.flatnonzero(rejected_by == SURVIVED) if show == "kept" else np.arange(len(rejected_by))

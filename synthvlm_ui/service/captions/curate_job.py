"""The job that curates captions: measures what is missing, asks the models that were named, applies the rules.

Runs in a worker process. Statistics are files of their own and a model's answers come in parts, so a killed job goes on
where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from synthvlm_ui.captions.rules import (
    BY_NAME,
    MAX_NEW_TOKENS,
    CurationSettings,
    decide,
    is_kenlm,
    kenlm_perplexities,
    question,
    verdict_of,
)
from synthvlm_ui.errors import Failure
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.pipeline import decode_image
from synthvlm_ui.protocols import CaptionWriter, WriteRequest
from synthvlm_ui.records import caption_id_of
from synthvlm_ui.service.captions.caption_curation_desk import MODEL_RULES, apply
from synthvlm_ui.service.captions.caption_measures import (
    Measured,
    answers_key,
    missing_of,
    read_or_measure,
    scale_problem,
)
from synthvlm_ui.store import Workspace

PART = 64
# Answers about captions by their places, and about texts.
Answer = Callable[[list[int]], list[float | Exception]]
TextAnswer = Callable[[list[str]], list[float | Exception]]


class _Stopped(Exception):
    """The user asked the job to stop while captions were measured."""


def run_curate(context: JobContext, workspace: Workspace, writer: Callable[[str], CaptionWriter]) -> Mapping[str, Any]:
    """Carries a curation to its end or to the user's stop. Returns {kept, rejected, reasons, failed}."""
    dataset, actor = str(context.config["dataset"]), str(context.config["actor"])
    settings = CurationSettings.from_json(context.config["settings"])

    def done(count: int, total: int, message: str) -> None:
        context.progress.update(count, total, message=message)
        if context.progress.should_stop():
            raise _Stopped

    context.check_disk(workspace.root, 0)
    try:
        measured = read_or_measure(workspace, dataset, settings, done)
        failed = 0
        for rule in MODEL_RULES:
            options = BY_NAME[rule].measured_options(settings.rules.get(rule, {}))
            wanted = rule in settings.rules and (rule != "image_text_matching" or measured.real)
            if wanted and not missing_of(rule, options):
                failed += _Asking(context, workspace, settings, measured, rule).run(writer)
    except _Stopped:
        return {}
    result = apply(workspace, dataset, settings, measured, actor)
    return {name: result[name] for name in ("kept", "rejected", "reasons", "steps", "unavailable")} | {"failed": failed}


class _Asking:
    """One model asked about the captions that all other rules leave, in parts that are kept as they come."""

    def __init__(self, context: JobContext, workspace: Workspace, settings: CurationSettings, measured: Measured,
                 rule: str) -> None:
        self._context, self._workspace, self._settings = context, workspace, settings
        self._measured, self._rule = measured, rule
        self._dataset = str(context.config["dataset"])
        self._options = BY_NAME[rule].measured_options(settings.rules[rule])
        self._key = answers_key(rule, self._options)

    def run(self, writer: Callable[[str], CaptionWriter]) -> int:
        """Asks what was not asked yet; returns how many questions failed, which the log names."""
        known = self._workspace.caption_curation.read_answers(self._dataset, self._key)
        names = self._names()
        wanted = {names[row]: row for row in self._survivors() if row in names}
        asked = [name for name in wanted if name not in known]
        failed, done = 0, len(wanted) - len(asked)
        answer = self._opened(writer) if asked else None
        for start in range(0, len(asked), PART):
            if self._context.progress.should_stop():
                raise _Stopped
            part = asked[start: start + PART]
            assert answer is not None
            failed += self._keep(part, answer([wanted[name] for name in part]), known)
            done += len(part)
            self._context.progress.update(done, len(wanted), failed=failed,
                                          message=f"asking the model: {BY_NAME[self._rule].title}")
        values = np.full(len(self._measured.ids), np.nan)
        for row, name in names.items():
            values[row] = known.get(name, np.nan)
        self._measured.columns[self._rule] = values
        self._measured.unavailable.pop(self._rule, None)
        if reason := scale_problem(self._rule, self._settings):
            self._measured.unavailable[self._rule] = reason
        return failed

    def _names(self) -> dict[int, str]:
        """What an answer is kept under, by the caption's place: a hash of the text, or the real image's id."""
        if self._rule != "image_text_matching":
            return {row: caption_id_of(text) for row, text in enumerate(self._measured.texts)}
        rows = list(self._measured.real)
        ids = self._workspace.columns.ids_of(np.array([self._measured.real[row] for row in rows]))
        return dict(zip(rows, ids, strict=True))

    def _survivors(self) -> list[int]:
        others = {name: values for name, values in self._settings.rules.items() if name != self._rule}
        decision = decide(CurationSettings(self._settings.preset, others, self._settings.given), self._measured.columns,
                          len(self._measured.ids), self._measured.unavailable)
        return [int(row) for row in np.flatnonzero(decision.survives)]

    def _keep(self, part: list[str], answers: list[float | Exception], known: dict[str, float]) -> int:
        good = [(name, value) for name, value in zip(part, answers, strict=True) if not isinstance(value, Exception)]
        for problem in (value for value in answers if isinstance(value, Exception)):
            self._context.log(f"{self._rule}: {problem}")
        if not good:
            raise Failure(f"the model answered none of {len(part)} questions", where=self._rule,
                          fix="Read the job's log, and try again.")
        self._workspace.caption_curation.add_answers(self._dataset, self._key, [name for name, _ in good],
                                                     np.array([value for _, value in good], dtype=np.float64))
        known.update(good)
        return len(part) - len(good)

    def _opened(self, writer: Callable[[str], CaptionWriter]) -> Answer:
        if self._rule == "image_text_matching":
            return self._matching()
        ask = _perplexities(self._options, self._context.device) if self._rule == "perplexity" \
            else _gate(self._options, writer(str(self._options["writer"])))
        return lambda rows: ask([self._measured.texts[row] for row in rows])

    def _matching(self) -> Answer:
        from synthvlm_ui.backends.blip_matching import BlipMatching

        model = BlipMatching(str(self._options["model"]), device=self._context.device)

        def answer(rows: list[int]) -> list[float | Exception]:
            images = [decode_image(self._workspace.columns.image(self._measured.real[row])[0]) for row in rows]
            return list(model.match(images, [self._measured.texts[row] for row in rows]))

        return answer


def _perplexities(options: Mapping[str, Any], device: str) -> TextAnswer:
    if is_kenlm(str(options["model"])):
        measure = kenlm_perplexities(options)
        return lambda texts: list(measure(texts))
    from synthvlm_ui.backends.perplexity import TransformersPerplexity

    model = TransformersPerplexity(str(options["model"]), device=device)
    return lambda texts: list(model.measure(texts))


def _gate(options: Mapping[str, Any], writer: CaptionWriter) -> TextAnswer:
    asked = str(options["question"] or "")

    def answer(texts: list[str]) -> list[float | Exception]:
        requests = [WriteRequest(_question(asked, text), seed=0, temperature=0.0, max_new_tokens=MAX_NEW_TOKENS)
                    for text in texts]
        return [one if isinstance(one, Exception) else verdict_of(one) for one in writer.write(requests)]

    return answer


def _question(asked: str, text: str) -> str:
    return asked.replace("{caption}", " ".join(text.split())) if asked else question(text)

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
from synthvlm_ui.protocols import CaptionWriter, WriteRequest
from synthvlm_ui.records import caption_id_of
from synthvlm_ui.service.caption_curation_desk import apply
from synthvlm_ui.service.caption_measures import Measured, answers_key, missing_of, read_or_measure, scale_problem
from synthvlm_ui.store import Workspace

PART = 256
Answer = Callable[[list[str]], list[float | Exception]]


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
        for rule in ("perplexity", "llm_gate"):
            options = BY_NAME[rule].measured_options(settings.rules.get(rule, {}))
            if rule in settings.rules and not missing_of(rule, options):
                failed += _ask(context, workspace, settings, measured, rule,
                               _perplexities(options, context.device) if rule == "perplexity"
                               else _gate(options, writer(str(options["writer"]))))
    except _Stopped:
        return {}
    result = apply(workspace, dataset, settings, measured, actor)
    return {name: result[name] for name in ("kept", "rejected", "reasons", "steps", "unavailable")} | {"failed": failed}


def _ask(context: JobContext, workspace: Workspace, settings: CurationSettings, measured: Measured, rule: str,
         answer: Answer) -> int:
    """Asks a model about the captions that all other rules leave and it has not seen; returns the failures."""
    dataset, options = str(context.config["dataset"]), BY_NAME[rule].measured_options(settings.rules[rule])
    key = answers_key(rule, options)
    known = workspace.caption_curation.read_answers(dataset, key)
    wanted = _survivors_before(settings, measured, rule)
    texts = list(dict.fromkeys(measured.texts[row] for row in wanted))
    asked = [text for text in texts if caption_id_of(text) not in known]
    failed, done = 0, len(texts) - len(asked)
    for start in range(0, len(asked), PART):
        if context.progress.should_stop():
            raise _Stopped
        part = asked[start: start + PART]
        answers = answer(part)
        good = [(caption_id_of(text), value) for text, value in zip(part, answers, strict=True)
                if not isinstance(value, Exception)]
        for problem in (value for value in answers if isinstance(value, Exception)):
            context.log(f"{rule}: {problem}")
            failed += 1
        if not good:
            raise Failure(f"the model answered none of {len(part)} captions", where=f"{rule}: {options}",
                          fix="Read the job's log, and try again.")
        workspace.caption_curation.add_answers(dataset, key, [one for one, _ in good],
                                               np.array([value for _, value in good], dtype=np.float64))
        known.update(good)
        done += len(part)
        context.progress.update(done, len(texts), failed=failed, message=f"asking the model: {BY_NAME[rule].title}")
    measured.columns[rule] = np.array([known.get(caption_id_of(text), np.nan) for text in measured.texts])
    measured.unavailable.pop(rule, None)
    if reason := scale_problem(rule, settings):
        measured.unavailable[rule] = reason
    return failed


def _survivors_before(settings: CurationSettings, measured: Measured, rule: str) -> list[int]:
    """The captions that no other rule rejects: a model is asked about nothing that is out already."""
    others = {name: values for name, values in settings.rules.items() if name != rule}
    decision = decide(CurationSettings(settings.preset, others, settings.given), measured.columns, len(measured.ids),
                      measured.unavailable)
    return [int(row) for row in np.flatnonzero(decision.survives)]


def _perplexities(options: Mapping[str, Any], device: str) -> Answer:
    if is_kenlm(str(options["model"])):
        measure = kenlm_perplexities(options)
        return lambda texts: list(measure(texts))
    from synthvlm_ui.backends.perplexity import TransformersPerplexity

    model = TransformersPerplexity(str(options["model"]), device=device)
    return lambda texts: list(model.measure(texts))


def _gate(options: Mapping[str, Any], writer: CaptionWriter) -> Answer:
    asked = str(options["question"] or "")

    def answer(texts: list[str]) -> list[float | Exception]:
        requests = [WriteRequest(_question(asked, text), seed=0, temperature=0.0, max_new_tokens=MAX_NEW_TOKENS)
                    for text in texts]
        return [one if isinstance(one, Exception) else verdict_of(one) for one in writer.write(requests)]

    return answer


def _question(asked: str, text: str) -> str:
    return asked.replace("{caption}", " ".join(text.split())) if asked else question(text)

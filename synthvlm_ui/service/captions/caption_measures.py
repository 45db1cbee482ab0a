"""The statistics of a dataset's captions: read where they were measured before, measured and kept where not.

Joins the rules (which measure) to the store (which keeps). What needs a model is only read here; a job asks the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.backends import is_here
from synthvlm_ui.captions.rules import (
    BY_NAME,
    RULES,
    CurationSettings,
    is_kenlm,
    list_digest,
    measure_near,
    measure_texts,
    missing_language_model,
)
from synthvlm_ui.records import caption_id_of, short_hash
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.store import Workspace

Done = Callable[[int, int, str], None]
# Raised whenever a statistic's definition changes, so that stored ones are measured again.
MEASURES_VERSION = 1
PAPER_CLIP = "ViT-B-32"
NOT_ASKED = "the model has not been asked yet: curate to ask it"


@dataclass
class Measured:
    """Captions of a dataset and what is known of each. Shapes: every column (captions,).

    ``real``: the ordinal of a caption's real image, by the caption's place.
    """

    ids: list[str]
    texts: list[str]
    stamp: str
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    real: dict[int, int] = field(default_factory=dict)


def quiet(_done: int, _total: int, _message: str) -> None:
    """For whoever does not watch."""


def read_or_measure(workspace: Workspace, dataset: str, settings: CurationSettings, done: Done = quiet, *,
                    keep: bool = True) -> Measured:
    """Everything that the settings need and no model has to be asked for.

    ``done`` hears (captions done, all, what) and may raise to stop; ``keep`` stores what was measured.
    Raises: UnknownName, CorruptData, UnreadableFile for a list of words.
    """
    stamp = workspace.captions.stamp(dataset)
    ids, texts = workspace.captions.texts(dataset)
    measured = Measured(ids, texts, stamp)
    options = {rule.name: rule.measured_options(settings.rules.get(rule.name, {})) for rule in RULES}
    settings_of_text = {**options, "flagged_words": {"list": list_digest(options["flagged_words"])}}

    def through(key: str, facts: Mapping[str, Any], measure: Callable[[], dict[str, NDArray[Any]]]) -> None:
        found = workspace.caption_curation.read_statistics(dataset, key, stamp)
        if found is None:
            found = measure()
            if keep and not workspace.read_only:
                workspace.caption_curation.write_statistics(dataset, key, stamp, found, facts)
        measured.columns.update(found)

    facts = {"version": MEASURES_VERSION, "rules": settings_of_text}
    through(f"text-{short_hash(facts)[:8]}", facts,
            lambda: measure_texts(texts, options, done=lambda count: done(count, len(texts), "measuring captions")))
    if "near_duplicates" in settings.rules:
        facts = {"version": MEASURES_VERSION, "hashes": 64, "shingle": 5}
        through(f"near-{short_hash(facts)[:8]}", facts,
                lambda: measure_near(texts, done=lambda count: done(count, len(texts), "looking for near duplicates")))
    _add_answers(workspace, dataset, settings, measured)
    _add_alignment(workspace, dataset, settings, measured)
    return measured


def answers_key(rule: str, options: Mapping[str, Any]) -> str:
    """Where the answers of a model to a rule's question are kept."""
    return f"{rule.replace('_', '-')}-{short_hash(rule, dict(options))[:8]}"


def _add_answers(workspace: Workspace, dataset: str, settings: CurationSettings, measured: Measured) -> None:
    """What language models have said of these captions so far; NaN for captions they have not seen."""
    for name in ("perplexity", "llm_gate"):
        options = BY_NAME[name].measured_options(settings.rules.get(name, {}))
        missing = missing_of(name, options)
        if missing:
            measured.unavailable[name] = missing
            continue
        answers = workspace.caption_curation.read_answers(dataset, answers_key(name, options))
        found = [answers.get(caption_id_of(text), np.nan) for text in measured.texts]
        measured.columns[name] = np.array(found, dtype=np.float64)
        if not answers:
            measured.unavailable[name] = NOT_ASKED
        elif reason := scale_problem(name, settings):
            measured.unavailable[name] = reason


def missing_of(rule: str, options: Mapping[str, Any]) -> str:
    """Why a rule's model cannot be asked, empty when it can."""
    if rule == "perplexity":
        return missing_language_model(options)
    if rule == "image_text_matching":
        model = str(options.get("model") or "")
        return "" if is_here(model) else (f"the model {model} is not on this machine: download it, or set "
                                          "image_text_matching.model to a directory")
    return "" if options.get("writer") else "no language model was named: set llm_gate.writer to a writer"


def scale_problem(rule: str, settings: CurationSettings) -> str:
    """Why a preset's limit says nothing about this model's numbers, empty when it does."""
    model = str(settings.rules.get(rule, {}).get("model") or "")
    if rule != "perplexity" or is_kenlm(model) or "perplexity.max" in settings.given:
        return ""
    return f"the preset's limit is of a KenLM 5-gram model, and {model} has another scale: set perplexity.max"


def _add_alignment(workspace: Workspace, dataset: str, settings: CurationSettings, measured: Measured) -> None:
    """Numbers about the real images, by caption; the limit of the paper holds for its own CLIP only."""
    columns = workspace.columns
    columns.refresh()
    rows = rows_of(columns, dataset, real=True)
    rows = rows[columns.ok[rows]]
    if not len(rows):
        for name in ("image_text_matching", "image_text_similarity"):
            measured.unavailable[name] = "the dataset has no real images"
        return
    place = {caption_id: number for number, caption_id in enumerate(measured.ids)}
    owners = np.array([place.get(columns.caption_id(int(code)), -1) for code in columns.caption_code[rows]])
    rows, owners = rows[owners >= 0], owners[owners >= 0]
    measured.real = dict(zip(owners.tolist(), rows.tolist(), strict=True))
    values = np.full(len(measured.ids), np.nan)
    if "clip_cosine" in columns.score_columns():
        values[owners] = columns.score("clip_cosine")[rows]
    measured.columns["image_text_similarity"] = values
    if np.isnan(values).all():
        measured.unavailable["image_text_similarity"] = "the real images have no CLIPScore: score them first"
    else:
        _check_scale(workspace, rows, settings, measured)
    _add_matching(workspace, dataset, settings, measured)


def _add_matching(workspace: Workspace, dataset: str, settings: CurationSettings, measured: Measured) -> None:
    name = "image_text_matching"
    options = BY_NAME[name].measured_options(settings.rules.get(name, {}))
    if missing := missing_of(name, options):
        measured.unavailable[name] = missing
        return
    answers = workspace.caption_curation.read_answers(dataset, answers_key(name, options))
    rows = list(measured.real)
    ids = workspace.columns.ids_of(np.array([measured.real[row] for row in rows]))
    values = np.full(len(measured.ids), np.nan)
    values[rows] = [answers.get(one, np.nan) for one in ids]
    measured.columns[name] = values
    if not answers:
        measured.unavailable[name] = NOT_ASKED


def _check_scale(workspace: Workspace, rows: NDArray[np.int64], settings: CurationSettings, measured: Measured) -> None:
    given = {"image_text_similarity.min", "image_text_similarity.max", "image_text_similarity.keep_ratio"}
    if given & settings.given or not len(rows):
        return
    scored = [scorer for scorer, values in workspace.columns.scores_of(int(rows[0])) if "clip_cosine" in values]
    model = str(scored[0].settings.get("model", "")) if scored else ""
    if not model.replace("-quickgelu", "").endswith(PAPER_CLIP):
        measured.unavailable["image_text_similarity"] = (
            f"the real images are scored by {model or 'another model'}, and the preset's limit is of {PAPER_CLIP}: set "
            "image_text_similarity.min or .keep_ratio for this model")

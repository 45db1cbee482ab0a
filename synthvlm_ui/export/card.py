"""The card of an export: what the data is, how it was made and chosen, and how to train on it.

Knows the counts and the rule it is given, nothing else. Texts of users stand in code spans, so that a template or a
name cannot become markup.
"""

from __future__ import annotations

from collections.abc import Mapping

from synthvlm_ui.export.formats import FORMATS
from synthvlm_ui.export.items import ExportOptions
from synthvlm_ui.export.tally import Tally
from synthvlm_ui.records import Selection

_SHOWN_RECIPES, _NOT_SCORES = 20, ("phash",)

def card_of(form: str, tally: Tally, selection: Selection | None, skipped: Mapping[str, int],
            options: ExportOptions) -> str:
    """The README of one export, in Markdown, with the lines at its top that a dataset hub needs to read it."""
    parts = [_head(tally, form), _splits(tally, options), _recipes(tally), _selection(selection), _scores(tally),
             _facts(options.facts), _skipped(skipped), _licences(tally, options.licences), _rebuild(), _files(form)]
    return FORMATS[form].card_head(options.splits) + "\n".join(part for part in parts if part)


def _head(tally: Tally, form: str) -> str:
    sizes = ", ".join(f"{width}x{height} px ({count})" for (width, height), count in tally.sizes.most_common(5))
    names = ", ".join(code(name) for name in sorted(tally.datasets))
    return (f"# Synthetic image-caption pairs\n\n{tally.written} pairs from {len(tally.captions)} captions of {names}. "
            "The captions were there first; every image was drawn by a model from its caption and shows nothing real. "
            f"Images: {sizes}.\n\n## Use\n\n{FORMATS[form].use}\n")


def _splits(tally: Tally, options: ExportOptions) -> str:
    rows = []
    if options.validation:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(tally.splits.items()))
        rows.append(f"- {counts} pairs; all pairs of a caption are in one split (share {options.validation:g}, "
                    f"seed {options.seed})")
    if options.repeats > 1:
        rows.append(f"- every training pair stands {options.repeats} times, with a number behind its id")
    if options.size_px:
        rows.append(f"- images were made {options.size_px} px squares: {options.fit}")
    return "## How they are laid out\n\n" + "\n".join(rows) + "\n" if rows else ""


def _facts(facts: tuple[str, ...]) -> str:
    return "## How varied they are\n\n" + "\n".join(f"- {fact}" for fact in facts) + "\n" if facts else ""


def _rebuild() -> str:
    return ("## How to make them again\n\n`bash rebuild.sh` in a checkout of SynthVLM UI draws the same candidates "
            "from `captions.jsonl` and their seeds and keeps the ids of `ids.txt`. The pixels are the same on the same "
            "device and number of threads, elsewhere up to rounding.\n")


def _recipes(tally: Tally) -> str:
    rows = ["## How the images were made\n",
            "| images | generator | model | revision | sampler | steps | guidance | template | negative prompt |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for recipe, count in sorted(tally.recipes.items(), key=lambda pair: (-pair[1], pair[0]))[:_SHOWN_RECIPES]:
        rows.append(f"| {count} | " + " | ".join(code(value) for value in recipe) + " |")
    if len(tally.recipes) > _SHOWN_RECIPES:
        rows.append(f"\n{len(tally.recipes) - _SHOWN_RECIPES} more are in `scores.jsonl`.")
    return "\n".join(rows) + "\n"


def _selection(selection: Selection | None) -> str:
    if selection is None:
        return ""
    rule = selection.rule
    share = f" ({selection.kept / selection.total:.1%})" if selection.total else ""
    rows = ["## How they were chosen\n",
            f"Selection {code(selection.name)} kept {selection.kept} of {selection.total} candidates{share}, "
            f"of {selection.captions_kept} captions.\n"]
    if rule.random:
        rows.append(f"- at random, seed {rule.seed}")
    else:
        unit = " of z-scores" if rule.normalise else ""
        rows.append(f"- ranked by combined = {rule.clip_scale:g} * clip_cosine + {rule.ssim_weight:g} * ssim{unit} "
                    f"(preset {code(rule.preset)})")
    for name, value in rule.to_json().items():
        if name in ("clip_min", "ssim_min", "combined_min", "where", "top_k", "keep_ratio", "per_cluster") \
                and value is not None:
            rows.append(f"- {name}: {code(str(value))}")
    rows += [f"- {name}" for name in ("best_per_caption", "drop_duplicates", "guards") if getattr(rule, name)]
    rows.append("- human verdicts override the rule" if rule.verdicts else "- human verdicts were not used")
    cut = selection.thresholds.get("combined_cut")
    if cut is not None:
        rows.append(f"- lowest combined score kept by rank: {cut:.6g}")
    return "\n".join(rows) + "\n"


def _scores(tally: Tally) -> str:
    spreads = {name: spread for name, spread in sorted(tally.scores.items()) if name not in _NOT_SCORES}
    if not spreads:
        return ""
    rows = ["## Scores\n", "| score | pairs | mean | sd | least | most |",
            "| --- | --- | --- | --- | --- | --- |"]
    rows += [f"| {code(name)} | {spread.count} | {spread.mean:.4f} | {spread.std:.4f} | "
             f"{spread.least:.4f} | {spread.most:.4f} |"
             for name, spread in spreads.items()]
    return "\n".join(rows) + "\n\n`clip_cosine` is the raw cosine, neither clipped nor scaled.\n"


def _skipped(skipped: Mapping[str, int]) -> str:
    if not skipped:
        return ""
    rows = [f"- {count}: {code(reason)}" for reason, count in sorted(skipped.items())]
    return "## Left out\n\n" + "\n".join(rows) + "\n"


def _licences(tally: Tally, licences: Mapping[str, str]) -> str:
    rows = ["## Licences\n"]
    for generator, model in sorted({(recipe[0], recipe[1]) for recipe in tally.recipes}):
        known = licences.get(model) or licences.get(generator)
        rows.append(f"- {code(model)}: {code(known)}" if known else
                    f"- {code(model)}: see the model's own card; its terms may reach what it draws")
    rows.append("- captions: those of their source")
    return "\n".join(rows) + "\n"


def _files(form: str) -> str:
    own = FORMATS[form].files
    return (f"## Files\n\n{own}: the pairs. `scores.jsonl`: scores and provenance of each. `selection.json`: the rule. "
            "`rejects.jsonl`: scores and provenance of what was not chosen, if asked for. "
            "`captions.jsonl`, `ids.txt`, `rebuild.sh`: what makes them again. "
            "`manifest.json`: SHA-256 of every file.\n")


def code(text: str) -> str:
    """The text as one Markdown code span that no content can break out of, also inside a table."""
    flat = " ".join(str(text).split()).replace("|", "\\|")
    if not flat:
        return ""
    ticks = "`"
    while ticks in flat:
        ticks += "`"
    return f"{ticks} {flat} {ticks}" if len(ticks) > 1 else f"`{flat}`"

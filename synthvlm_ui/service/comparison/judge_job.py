"""The job in which a model that sees images takes part in a blind study.

Both pictures are shown to it in one, side by side, twice: once with either on the left. Only an answer that stays with
the picture and not with the side counts as a preference; otherwise it is a tie. Knows no particular model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from PIL import Image

from synthvlm_ui.backends import create_writer
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.pipeline import decode_image
from synthvlm_ui.protocols import CaptionWriter, UInt8Image, WriteRequest
from synthvlm_ui.service.comparison.comparison_desk import ComparisonDesk
from synthvlm_ui.service.comparison.preference_desk import MAX_RATER_CHARACTERS, PreferenceDesk, Study
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

Side = Literal["left", "right", "tie"]
SIDE_PX = 448
_GAP_PX = 16
PROMPT = ("Two pictures stand side by side. Caption: \"{caption}\"\nWhich picture fits this caption better, in what it "
          "shows and how well? Answer with one word: left, right or tie.")
_ANSWER = re.compile(r"\b(left|right|tie)\b", re.IGNORECASE)


def run_judge(context: JobContext, workspace: Workspace, device: str) -> Mapping[str, Any]:
    """Rates what this writer has not rated yet. Returns {rated, failed, consistent, rater}."""
    config = context.config
    writer = create_writer(config["writer"], device=device)
    if not writer.info.accepts_images:
        raise BadSetting(f"the writer {config['writer']!r} reads no images", where="--writer",
                         fix="Name a vision-language model, or openai:MODEL@URL for one on a server.")
    jobs = JobDesk(workspace)
    desk = PreferenceDesk(workspace, ComparisonDesk(workspace, jobs), jobs, "judge")
    study, rater = desk.pairs_of(config["study"]), rater_of(writer.info.name)
    todo = [pair for pair in range(config["limit"]) if pair not in desk.rated_by(study.name, rater)]
    rated = failed = consistent = 0
    for number, pair in enumerate(todo):
        if context.progress.should_stop():
            break
        answers = _ask(workspace, writer, study, pair)
        if None in answers:
            failed += 1
            context.log(f"pair {pair}: no answer could be read")
        else:
            outcome = _outcome(*answers)  # type: ignore[arg-type]
            consistent += outcome is not None
            desk.record(study.name, pair, outcome or "tie", rater)
            rated += 1
        context.progress.update(number + 1, len(todo), failed=failed)
    return {"rated": rated, "failed": failed, "consistent": consistent, "rater": rater}


def rater_of(writer: str) -> str:
    """The name a model rates under. Of a long one, as a directory's, the end says which model it is."""
    whole = f"model:{writer}"
    return whole if len(whole) <= MAX_RATER_CHARACTERS else f"model:…{writer[7 - MAX_RATER_CHARACTERS:]}"


def _ask(workspace: Workspace, writer: CaptionWriter, study: Study, pair: int) -> tuple[Side | None, Side | None]:
    columns = workspace.columns
    real, made = (decode_image(columns.image(int(row))[0]) for row in columns.ordinals_of(list(study.pairs[pair])))
    prompt = PROMPT.format(caption=study.captions[pair])
    texts = writer.write([WriteRequest(prompt, seed=0, temperature=0.0, max_new_tokens=16, image=side_by_side(*both))
                          for both in ((real, made), (made, real))])
    return _side(texts[0]), _side(texts[1])


def _side(text: str | Exception) -> Side | None:
    """The first of the three words in an answer, or None."""
    found = _ANSWER.search(text) if isinstance(text, str) else None
    return found[1].lower() if found else None  # type: ignore[return-value]


def _outcome(real_left: Side, made_left: Side) -> Literal["real", "synthetic", "tie"] | None:
    """What two answers say together; None when they follow the side and not the picture."""
    first = {"left": "real", "right": "synthetic", "tie": "tie"}[real_left]
    second = {"left": "synthetic", "right": "real", "tie": "tie"}[made_left]
    return first if first == second else None  # type: ignore[return-value]


def side_by_side(left: UInt8Image, right: UInt8Image) -> UInt8Image:
    """Both pictures, each fitted into a square, on one grey sheet, itself square: some processors, as LLaVA-1.5's, cut
    the middle square out of what they are given, and would lose the outer half of each. Shapes: (H, H, 3) uint8.
    """
    whole = 2 * SIDE_PX + _GAP_PX
    sheet = Image.new("RGB", (whole, whole), (128, 128, 128))
    for place, pixels in enumerate((left, right)):
        image = Image.fromarray(np.ascontiguousarray(pixels))
        scale = SIDE_PX / max(image.size)
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))),
                             Image.Resampling.BICUBIC)
        left_px = place * (SIDE_PX + _GAP_PX) + (SIDE_PX - image.width) // 2
        sheet.paste(image, (left_px, (whole - image.height) // 2))
    return np.asarray(sheet)

"""A prompt matrix: one prompt drawn over every pair of two settings, to see what each of them does.

Every cell is a generate job of its own, so that it stops, resumes and is found in Curate like any other image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from synthvlm_ui.captions import Template
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.generation import load_plan
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service.generation.generation_desk import GenerationDesk
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

AXES = ("words", "seed", "guidance_scale", "num_inference_steps", "generator")
MAX_CELLS = 64
_FIX = f"Write it as NAME=VALUE,VALUE with one of {', '.join(AXES)}; words are separated by bars, as in words=red|blue."


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of the matrix. Of ``words`` the first stands in the prompt and the others take its place."""

    name: str
    values: tuple[str, ...]


def parse_axis(text: str) -> Axis:
    """``guidance_scale=1,3,5`` or ``words=red|blue``. Raises: BadSetting."""
    name, equals, rest = text.partition("=")
    name = name.strip().replace("-", "_")
    values = tuple(value.strip() for value in rest.split("|" if name == "words" else ",") if value.strip())
    if not equals or name not in AXES or not values or len(set(values)) != len(values):
        raise BadSetting(f"{text!r} is no axis of a matrix", where="--matrix", fix=_FIX)
    return Axis(name, values)


class MatrixDesk:
    """``studio.matrix``."""

    def __init__(self, workspace: Workspace, generation: GenerationDesk, jobs: JobDesk) -> None:
        self._workspace, self._generation, self._jobs = workspace, generation, jobs

    def start(self, settings: GenerationSettings, prompt: str, axes: Sequence[Axis],
              **options: Any) -> list[dict[str, Any]]:
        """Queues one job a cell, row by row, after all of them have been checked.

        Returns [{"x", "y", "job_id"}]; y is "" with one axis. Raises: BadSetting and as ``GenerationDesk.start``.
        """
        cells = cells_of(settings, prompt, axes)
        for cell_settings, cell_prompt, _x, _y in cells:
            self._generation.estimate(cell_settings, prompt=cell_prompt)
        return [{"x": x, "y": y, "job_id": self._generation.start(cell_settings, prompt=cell_prompt, **options)}
                for cell_settings, cell_prompt, x, y in cells]

    def show(self, cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The cells with the state of their jobs and, as soon as they are there, their images and scores."""
        self._workspace.columns.refresh()
        columns = self._workspace.columns
        shown = []
        for cell in cells:
            images = []
            for candidate_id in self._candidates(str(cell["job_id"])):
                if candidate_id.encode("ascii") not in columns.candidate_id:
                    continue
                row = int(columns.ordinals_of([candidate_id])[0])
                images.append({"candidate_id": candidate_id, "ok": bool(columns.ok[row])}
                              | {name: float(columns.score(name)[row]) for name in ("clip_cosine", "ssim")})
            shown.append({**cell, "state": self._jobs.show(str(cell["job_id"]))["state"], "images": images})
        return shown

    def _candidates(self, job_id: str) -> list[str]:
        plan = load_plan(self._workspace.paths.jobs / job_id)
        return [] if plan is None else [candidate.id for chunk in range(plan.chunk_count)
                                        for candidate in plan.candidates(chunk)]


def cells_of(settings: GenerationSettings, prompt: str, axes: Sequence[Axis]
             ) -> list[tuple[GenerationSettings, str, str, str]]:
    """(settings, prompt, x, y) of every cell, the first axis running along a row. Raises: BadSetting."""
    if not 1 <= len(axes) <= 2 or len({axis.name for axis in axes}) != len(axes):
        raise BadSetting("a matrix has one or two different axes", where="--matrix", fix=_FIX)
    along, down = axes[0], axes[1] if len(axes) == 2 else Axis("", ("",))
    if len(along.values) * len(down.values) > MAX_CELLS:
        raise BadSetting(f"the matrix has more than {MAX_CELLS} cells", where="--matrix", fix="Give fewer values.")
    if Template(prompt, lambda name: [name], with_caption=False).varies:
        raise BadSetting("the prompt of a matrix has choices or wildcards", where="--prompt",
                         fix="Give a plain prompt, and what varies as words=a|b.")
    cells = []
    for y, x in product(down.values, along.values):
        cell, text = settings, prompt
        for axis, value in ((along, x), (down, y)):
            cell, text = _changed(cell, text, axis, value)
        cells.append((cell, text, x, y))
    return cells


def _changed(settings: GenerationSettings, prompt: str, axis: Axis, value: str) -> tuple[GenerationSettings, str]:
    if not axis.name:
        return settings, prompt
    if axis.name == "words":
        if axis.values[0] not in prompt:
            raise BadSetting(f"the prompt has no {axis.values[0]!r} to put the other words in place of",
                             where="--matrix words", fix="Let the first of the words stand in the prompt.")
        return settings, prompt.replace(axis.values[0], value)
    if axis.name == "generator":
        return replace(settings, generator=value), prompt
    try:
        number: Any = float(value) if axis.name == "guidance_scale" else int(value)
    except ValueError:
        raise BadSetting(f"{value!r} is no value of {axis.name}", where="--matrix", fix=_FIX) from None
    changes: dict[str, Any] = {axis.name: number}
    return replace(settings, **changes), prompt

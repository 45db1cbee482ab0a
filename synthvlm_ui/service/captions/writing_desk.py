"""Writing captions by class: what there is to choose, what a prompt looks like, and starting the job.

Checks everything that can be checked without loading a model or asking a server. Never imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from synthvlm_ui.backends import list_backends, require_writer
from synthvlm_ui.captions import (
    SAMPLINGS,
    ClassList,
    Sampling,
    WritingProfile,
    classes_of_text,
    draw_classes,
    entropy_bits,
    read_classes,
    word_range,
)
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.miniature.writing import SmallWorldProfile
from synthvlm_ui.records import WriterInfo
from synthvlm_ui.service.captions.write_job import profile_of
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

DEFAULT_WRITER = "miniature"
HTTP_QUEUE = "http"  # a queue of its own: asking a server must not wait behind drawing, nor keep a card from it
MAX_COUNT = 1_000_000


@dataclass(frozen=True)
class WritingSettings:
    """What a user asks for; ``classes`` is a file (None: the writer's own list), ``words`` a range such as 30:40."""

    dataset: str
    count: int
    writer: str = DEFAULT_WRITER
    classes: str | None = None
    sampling: Sampling = "uniform"
    seed: int = 0
    temperature: float = 1.0
    words: str | None = None
    writing_prompt: str | None = None
    max_requests: int | None = None
    max_tokens: int | None = None
    device: str = "auto"


class WritingDesk:
    """``studio.writing``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def writers(self) -> list[dict[str, str]]:
        """The named writers with their status; a Hub id or a directory can be named beside them."""
        return list_backends()["writers"]

    def preview(self, settings: WritingSettings, typed_classes: str = "") -> dict[str, Any]:
        """The first prompts of a run and what is drawn, before anything is asked. Raises: as ``start``."""
        name, profile, listed = self._check(settings, typed_classes)
        drawn = draw_classes(listed, settings.count, settings.seed, settings.sampling)
        counts = {each: drawn.count(each) for each in set(drawn)} if len(drawn) <= 5000 else {}
        shown = [{"class": each, "prompt": profile.prompt(each, settings.seed + place)}
                 for place, each in enumerate(drawn[:5])]
        return {"writer": name, "profile": profile.name, "classes": len(listed.names), "source": listed.source,
                "drawn_classes": len(set(drawn)), "class_entropy_bits": entropy_bits(counts) if counts else None,
                "prompts": shown, "command": self.command(settings)}

    def start(self, settings: WritingSettings, typed_classes: str = "") -> str:
        """Queues the job and returns its id; ``typed_classes``, a name a line, stand in for a file.

        Raises: UnknownName, BadSetting, ModelUnavailable, UnreadableFile, EmptyInput.
        """
        name, _profile, listed = self._check(settings, typed_classes)
        config = asdict(settings) | {
            "writer": name, "classes": draw_classes(listed, settings.count, settings.seed, settings.sampling),
            "words": list(word_range(settings.words)) if settings.words else None, "template": settings.writing_prompt,
            "class_source": listed.source}
        return self._jobs.submit("write", config, self._queue(name, settings.device))

    def command(self, settings: WritingSettings) -> str:
        words = ["captions", "write", "--dataset", settings.dataset or "NAME", "--count", str(settings.count)]
        given: Mapping[str, Any] = {
            "--writer": settings.writer if settings.writer != DEFAULT_WRITER else None, "--classes": settings.classes,
            "--seed": settings.seed or None, "--words": settings.words, "--writing-prompt": settings.writing_prompt,
            "--temperature": settings.temperature if settings.temperature != 1 else None,
            "--max-requests": settings.max_requests, "--max-tokens": settings.max_tokens,
            "--device": settings.device if settings.device != "auto" else None}
        for option, value in given.items():
            words += [option, f"{value:g}" if isinstance(value, float) else str(value)] if value is not None else []
        words += {"uniform": [], "balanced": ["--balance"], "natural": ["--natural"]}[settings.sampling]
        return command_line(self._workspace.root, words)

    def _check(self, settings: WritingSettings, typed_classes: str) -> tuple[str, WritingProfile, ClassList]:
        self._workspace.paths.caption_folder(settings.dataset)  # refuses what cannot be a name
        if not 1 <= settings.count <= MAX_COUNT:
            raise BadSetting(f"count is {settings.count}", where="--count", fix=f"Give 1 to {MAX_COUNT}.")
        if not (math.isfinite(settings.temperature) and 0 <= settings.temperature <= 10):
            raise BadSetting(f"temperature is {settings.temperature}", where="--temperature", fix="Give 0 to 10.")
        if settings.sampling not in SAMPLINGS:
            raise BadSetting(f"unknown sampling {settings.sampling!r}", fix=f"Use {', '.join(SAMPLINGS)}.")
        for option, limit in (("--max-requests", settings.max_requests), ("--max-tokens", settings.max_tokens)):
            if limit is not None and limit < 1:
                raise BadSetting(f"{option[2:]} is {limit}", where=option, fix="Give 1 or more, or leave it out.")
        name = require_writer(settings.writer)
        kind: Literal["small-world", "synth2"] = "small-world" if name == "miniature" else "synth2"
        words = word_range(settings.words) if settings.words else None
        profile = profile_of(WriterInfo(name, name, "", profile=kind), words, settings.writing_prompt)
        if kind == "small-world" and (words or settings.writing_prompt):
            raise BadSetting("the small world's writer follows no instruction", where="--words, --writing-prompt",
                             fix="Leave them out, or name another --writer.")
        if typed_classes.strip():
            listed = classes_of_text(typed_classes)
        else:
            listed = read_classes(Path(settings.classes).expanduser()) if settings.classes else profile.classes()
        self._check_classes(profile, listed)
        return name, profile, listed

    def _check_classes(self, profile: WritingProfile, classes: ClassList) -> None:
        if not isinstance(profile, SmallWorldProfile):
            return
        known = set(profile.classes().names)
        unknown = [name for name in classes.names if name not in known]
        if unknown:
            listed = ", ".join(unknown[:5])
            raise BadSetting(f"the small world does not know {len(unknown)} of these classes: {listed}",
                             where=classes.source, fix=f"It knows {', '.join(sorted(known))}.")

    def _queue(self, name: str, device: str) -> str:
        return HTTP_QUEUE if name.startswith("openai:") else resolve_device(device)

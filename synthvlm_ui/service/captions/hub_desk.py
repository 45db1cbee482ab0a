"""Captions from the Hugging Face Hub: a job that streams them, since a network takes its time.

Knows what is asked for; the captions room reads, the real-images job fetches the images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synthvlm_ui.captions import DEFAULT_HUB_ROWS, hub_dataset
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.service.captions.caption_desk import CaptionDesk, OnDuplicate
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

MAX_ROWS = 100_000_000
# Requests to the Hub wait for a network, not for a device: they stand in a queue of their own.
QUEUE = "hub"


@dataclass(frozen=True, slots=True)
class HubImport:
    """What to take from the Hub: ``source`` as ``hf:USER/NAME?config=C&split=S``, at most ``limit`` captions."""

    source: str
    dataset: str
    limit: int = DEFAULT_HUB_ROWS
    mapping: Mapping[str, str] = field(default_factory=dict)
    on_duplicate: OnDuplicate = "skip"
    preview: bool = False


class _Stopped(Exception):
    """The user asked the job to stop: an import is whole or not at all."""


class HubDesk:
    """``studio.hub``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def named(self, text: str, **options: str | None) -> str | None:
        """``hf:USER/NAME...`` when this names a data set of the Hub, None for a file or folder.

        ``options``: its ``config``, ``split``, ``revision`` and ``files``. Raises: BadSetting.
        """
        dataset = hub_dataset(text)
        chosen = {name: value for name, value in options.items() if value}
        if dataset is None:
            if chosen:
                raise BadSetting(f"{text!r} names no data set of the Hub", where=f"--{next(iter(chosen))}",
                                 fix="Give the Hub's name as hf:USER/NAME.")
            return None
        given = asdict(dataset) | chosen
        return str(type(dataset)(**given))

    def start(self, wanted: HubImport) -> str:
        """Queues the job that imports, or looks at the first rows, and returns its id. Raises: BadSetting."""
        self._workspace.paths.caption_folder(wanted.dataset)  # refuses what cannot be a name
        if self.named(wanted.source) is None:
            raise BadSetting(f"{wanted.source!r} names no data set of the Hub", fix="Give it as hf:USER/NAME.")
        if not 1 <= wanted.limit <= MAX_ROWS:
            raise BadSetting(f"limit is {wanted.limit}", where="--limit", fix=f"Give 1 to {MAX_ROWS}.")
        return self._jobs.submit("import-hub", asdict(wanted), QUEUE)

    def command(self, wanted: HubImport, images: bool = False) -> str:
        """The line that imports the same, and with ``images`` stores its images too."""
        words = ["captions", "import", wanted.source, "--dataset", wanted.dataset or "NAME", "--limit",
                 str(wanted.limit)]
        if wanted.mapping:
            words += ["--map", ",".join(f"{role}={column}" for role, column in wanted.mapping.items())]
        if wanted.on_duplicate != "skip":
            words += ["--on-duplicate", wanted.on_duplicate]
        words += ["--images"] * images
        return command_line(self._workspace.root, words)


def run_hub_import(context: JobContext, workspace: Workspace) -> Mapping[str, Any]:
    """Carries the job to its end. Returns what the import of a file returns, or its preview."""
    wanted = HubImport(**context.config)
    desk = CaptionDesk(workspace, lambda _dataset: Counter())
    context.progress.update(0, wanted.limit, message=f"asking the Hub for {wanted.source}")
    if wanted.preview:
        return desk.preview(Path(wanted.source), wanted.mapping)

    def watch(count: int) -> None:
        context.progress.update(count, wanted.limit, message=f"{count:,} captions read")
        if context.progress.should_stop():
            raise _Stopped

    try:
        return desk.import_file(Path(wanted.source), wanted.dataset, mapping=wanted.mapping, limit=wanted.limit,
                                on_duplicate=wanted.on_duplicate, watch=watch)
    except _Stopped:
        return {}

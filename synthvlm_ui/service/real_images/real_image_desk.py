"""Real images: taking them in beside the captions they belong to, from a folder or from the small world.

Checks what can be checked at once and queues the job that reads; decodes nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from synthvlm_ui.config import SAMPLE
from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.records import Caption
from synthvlm_ui.service.captions.caption_desk import CaptionDesk
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.real_images.real_images_job import real_images_config
from synthvlm_ui.service.real_images.real_sources import (
    WORLD,
    WORLDS,
    WorldScenes,
    check_source,
    is_hub,
    is_world,
)
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

PHOTOGRAPHS = SAMPLE / "photographs"
PHOTOGRAPHS_DATASET = "photographs"
SCENES, SCENES_DATASET, SAMPLE_SCENES = WORLD + "world-heldout", "scenes", 60
_DEFAULT_SCENES = 200


class RealImageDesk:
    """``studio.real_images``."""

    def __init__(self, workspace: Workspace, captions: CaptionDesk, jobs: JobDesk) -> None:
        self._workspace, self._captions, self._jobs = workspace, captions, jobs

    def beside(self, file: str) -> str:
        """Where the images of a caption source are when nothing else is said: in it, or in the file's own folder."""
        path = Path(file)
        if is_hub(file) or is_world(file):
            return file
        return str((path if path.is_dir() else path.parent).absolute())

    def check(self, source: str) -> None:
        """Raises: UnreadableFile, UnknownName when nothing can be read from there."""
        check_source(source)

    def start(self, dataset: str, source: str, *, caption_source: str | None = None, again: bool = False) -> str:
        """Queues the job that stores the images which this dataset's captions name; returns its id.

        ``source`` is a folder, ``hf:USER/NAME``, or ``miniature:CORPUS``; ``caption_source`` limits it to the captions
        of one file; ``again`` reads also those whose caption has a real image already.
        Raises: UnreadableFile, UnknownName, BadSetting.
        """
        check_source(source)
        if dataset not in self._workspace.captions.datasets():
            raise UnknownName.of("dataset", dataset, self._workspace.captions.datasets())
        config = real_images_config(dataset, source, caption_source=caption_source, again=again)
        return self._jobs.submit("real-images", config, "cpu")

    def worlds(self) -> list[str]:
        """The corpora of the small world, as a source names them."""
        return [WORLD + name for name in WORLDS]

    def import_world(self, source: str, dataset: str, limit: int | None = None) -> dict[str, Any]:
        """Captions of a corpus of the small world, whose scenes ``start`` can draw; ids are the corpus's own.

        Raises: UnknownName, BadSetting.
        """
        if not is_world(source):
            raise UnknownName.of("corpus", source, self.worlds())
        check_source(source)
        if limit is not None and limit < 1:
            raise BadSetting(f"limit is {limit}", where="--limit", fix="Give 1 or more.")
        added = self._workspace.captions.add(dataset, islice(_world_captions(source), limit or _DEFAULT_SCENES),
                                             source=source)
        reasons = {"duplicate": added.duplicates} if added.duplicates else {}
        return {"dataset": dataset, "imported": added.imported, "replaced": 0, "rejected": added.duplicates,
                "reasons": reasons, "rejected_rows": [], "notes": []}

    def load_sample(self, which: str) -> dict[str, Any]:
        """What ships with the program: "scenes" of the small world, or a few "photographs"; queues their images.

        Returns what the import of the captions says, with the ``job_id``. Raises: UnknownName, WorkspaceError.
        """
        if which == "scenes":
            outcome = self.import_world(SCENES, SCENES_DATASET, SAMPLE_SCENES)
            return {**outcome, "job_id": self.start(SCENES_DATASET, SCENES)}
        if which != "photographs":
            raise UnknownName.of("sample", which, ["scenes", "photographs"])
        outcome = self._captions.import_file(PHOTOGRAPHS / "captions.json", PHOTOGRAPHS_DATASET)
        return {**outcome, "job_id": self.start(PHOTOGRAPHS_DATASET, str(PHOTOGRAPHS))}

    def count(self, dataset: str) -> int:
        """How many real images a dataset has."""
        return len(rows_of(self._workspace.columns, dataset, real=True))


def _world_captions(source: str) -> Iterator[Caption]:
    scenes = WorldScenes(source)
    name = source.removeprefix(WORLD)
    for index in range(len(scenes)):
        yield Caption(f"{name}-{index:06d}", scenes.caption(index), str(index), source)

"""The user's own pairs for the training room: out of the store's shards, or out of a file and a folder of images.

Joins store and captions to training. Knows no recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthvlm_ui.captions import read_captions
from synthvlm_ui.comparison import RefusedImage
from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName, UnreadableFile
from synthvlm_ui.records import Caption, short_hash
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.real_images.real_sources import ImageFolder
from synthvlm_ui.store import CandidateColumns, Workspace
from synthvlm_ui.training import Conversations, LlavaFile, PairConversations, Source


class StoredPairs:
    """Candidates or real images of the workspace, by ordinal."""

    def __init__(self, columns: CandidateColumns, ordinals: NDArray[np.integer]) -> None:
        self._columns, self._ordinals = columns, np.asarray(ordinals)
        self.key = short_hash("pairs", columns.ids_of(self._ordinals))

    def __len__(self) -> int:
        return len(self._ordinals)

    def image(self, index: int) -> bytes:
        return self._columns.image(int(self._ordinals[index]))[0]

    def caption(self, index: int) -> str:
        return self._columns.candidate(int(self._ordinals[index])).caption


class FilePairs:
    """Captions of a file and the images that they name, below one folder."""

    def __init__(self, captions: Sequence[Caption], images: ImageFolder) -> None:
        self._captions, self._images = captions, images
        self.key = short_hash("files", [[each.caption, each.image] for each in captions])

    def __len__(self) -> int:
        return len(self._captions)

    def image(self, index: int) -> bytes:
        """Raises: OSError when the file cannot be had."""
        try:
            return self._images.read(str(self._captions[index].image))
        except RefusedImage as reason:
            raise OSError(str(reason)) from reason

    def caption(self, index: int) -> str:
        return self._captions[index].caption


def named_weight(text: str) -> tuple[str, float | None]:
    """``NAME`` or ``NAME:WEIGHT``. Raises: BadSetting."""
    name, colon, weight = text.rpartition(":")
    if not colon:
        return text, None
    try:
        value = float(weight)
    except ValueError:
        raise BadSetting(f"{weight!r} is not a weight", where=text, fix="Give NAME:NUMBER, such as mine:0.5.") from None
    if not 0 < value < float("inf"):
        raise BadSetting(f"the weight is {weight}", where=text, fix="Give a number above 0.")
    return name, value


def open_sources(workspace: Workspace, settings: dict[str, Any]) -> tuple[Source, ...]:
    """The sources of ``selections``, ``real``, ``data`` and ``images``, each with at least one pair.

    Raises: UnknownName, EmptyInput, UnreadableFile, BadSetting.
    """
    workspace.columns.refresh()
    sources = [_selection(workspace, *named_weight(text)) for text in settings["selections"]]
    sources += [_real(workspace, *named_weight(text), settings.get("split")) for text in settings["real"]]
    if settings["data"]:
        sources.append(_file(Path(settings["data"]), settings["images"]))
    if not sources:
        raise EmptyInput("there is nothing to train on", fix="Give --selection, --real, or --data with --images.")
    return tuple(sources)


def open_conversations(workspace: Workspace, settings: dict[str, Any]) -> Conversations:
    """What LLaVA trains on: a LLaVA JSON file with its images, or the pairs of selections and real images.

    Raises: as ``open_sources``.
    """
    pairs = [*settings["selections"], *settings["real"]]
    if settings["data"] and pairs:
        raise BadSetting("a LLaVA file cannot be mixed with other pairs", where="--data",
                         fix="Export the selection as LLaVA JSON and join the files.")
    if any(named_weight(text)[1] is not None for text in pairs):
        raise BadSetting("LLaVA goes once through all pairs, without weights", where=pairs[0], fix="Leave them out.")
    if settings["data"]:
        _check_images(settings["images"])
        return LlavaFile(Path(settings["data"]), Path(settings["images"]))
    return PairConversations(open_sources(workspace, settings))


def _check_images(images: str | None) -> None:
    if not images or not Path(images).is_dir():
        raise UnreadableFile("there is no such folder of images", where=images or "--images",
                             fix="Give the folder that the file's image names are below.")


def _selection(workspace: Workspace, name: str, weight: float | None) -> Source:
    ids = workspace.selections.load(name).candidate_ids
    if not ids:
        raise EmptyInput(f"selection {name!r} keeps nothing", fix="Loosen its thresholds and save it again.")
    return Source(name, StoredPairs(workspace.columns, workspace.columns.ordinals_of(ids)), weight, synthetic=True)


def _real(workspace: Workspace, name: str, weight: float | None, split: str | None = None) -> Source:
    if name not in workspace.captions.datasets():
        raise UnknownName.of("dataset", name, workspace.captions.datasets())
    rows = rows_of(workspace.columns, name, real=True)
    rows = rows[workspace.columns.ok[rows]]
    if not len(rows):
        raise EmptyInput(f"dataset {name!r} has no real images", fix="Import them with captions import --images DIR.")
    if split:
        rows = rows_of_split(workspace, name, rows, split)
    order = np.argsort(workspace.columns.candidate_id[rows])  # which does not depend on when they came
    return Source(f"real {name}", StoredPairs(workspace.columns, rows[order]), weight)


def rows_of_split(workspace: Workspace, dataset: str, rows: NDArray[np.int64], split: str) -> NDArray[np.int64]:
    """The rows whose captions are of one of the splits that are named, with commas between them.

    Raises: EmptyInput, with the splits that there are.
    """
    wanted = {name.strip() for name in split.split(",") if name.strip()}
    found = {caption.id: str(caption.meta.get("split") or "") for caption in workspace.captions.load(dataset)}
    columns = workspace.columns
    codes = columns.caption_code[rows]
    inside = np.array([found.get(columns.caption_id(int(code)), "") in wanted for code in codes], bool)
    if not inside.any():
        known = sorted(filter(None, set(found.values()))) or ["none"]
        raise EmptyInput(f"dataset {dataset!r} has no real image of the split {split}", where="--split",
                         fix=f"Its file named these splits: {', '.join(known)}.")
    chosen: NDArray[np.int64] = rows[inside]
    return chosen


def facts_of(workspace: Workspace, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """What a table over runs says of each source: kind, name, weight, pairs, mean scores, as they are now."""
    columns, facts = workspace.columns, []
    for text in settings["selections"]:
        name, weight = named_weight(text)
        chosen = workspace.selections.load(name)
        facts.append({"kind": "selection", "name": name, "weight": weight, "pairs": chosen.kept,
                      "rule": chosen.rule.to_json(),
                      "scores": _means(columns, columns.ordinals_of(chosen.candidate_ids))})
    for text in settings["real"]:
        name, weight = named_weight(text)
        rows = rows_of(columns, name, real=True)
        if settings.get("split"):
            rows = rows_of_split(workspace, name, rows, settings["split"])
        facts.append({"kind": "real", "name": name, "weight": weight, "pairs": len(rows),
                      "scores": _means(columns, rows)})
    if settings["data"]:
        facts.append({"kind": "file", "name": settings["data"], "weight": None, "pairs": None, "scores": {}})
    return facts


def _means(columns: CandidateColumns, rows: NDArray[np.integer]) -> dict[str, float]:
    """Mean CLIPScore and SSIM of the rows that have them."""
    known = set(columns.score_columns())
    found = {}
    for name in ("clip_cosine", "ssim"):
        values = columns.score(name)[rows] if name in known else np.zeros(0)
        values = values[np.isfinite(values)]
        if len(values):
            found[name] = round(float(values.mean()), 6)
    return found


def _file(path: Path, images: str | None) -> Source:
    _check_images(images)
    captions = [caption for caption in read_captions(path) if caption.image]
    if not captions:
        raise EmptyInput("no caption of the file names an image", where=str(path),
                         fix="Give a file with an image column, such as LLaVA JSON.")
    return Source(path.name, FilePairs(captions, ImageFolder(Path(str(images)))))

"""Rows of a data set on the Hugging Face Hub, streamed: only what is read is fetched, and of tables only the columns
that are taken.

The library ``datasets`` finds the files, configurations and splits; no script of a data set is run. Knows no captions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from synthvlm_ui.captions.arrow_files import HELD, Held, Taken, batch_rows, read_tables, tables_of, taken_columns
from synthvlm_ui.captions.hub_errors import OutOfReach, told
from synthvlm_ui.captions.rows import Columns, Rejected
from synthvlm_ui.captions.source import ENDINGS, Row, Source
from synthvlm_ui.errors import BadSetting, UnreadableFile

PREFIX = "hf:"
# Data sets of the Hub have up to billions of rows, so a limit holds unless another is given.
DEFAULT_HUB_ROWS = 10_000
_NAME = r"[A-Za-z0-9][\w.-]*"
_ID = re.compile(rf"{_NAME}/{_NAME}")
# A path squeezes the two slashes of an address into one.
_ADDRESS = re.compile(r"(?:https?:/+huggingface\.co/datasets/|hf:/+datasets/|hf:)")
_OPTIONS = ("config", "split", "revision", "files")
_BATCH_ROWS = 1024
_PROBE_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A data set of the Hub, and which of its configurations, splits, revisions and files; None leaves it to the data
    set. ``files`` is a path or pattern inside it."""

    id: str
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    files: str | None = None

    def __str__(self) -> str:
        given = {name: value for name in _OPTIONS if (value := getattr(self, name))}
        return f"{PREFIX}{self.id}" + ("?" + urlencode(given, safe="/*") if given else "")


def hub_dataset(text: str) -> HubDataset | None:
    """What ``hf:USER/NAME``, the address of its page, or ``USER/NAME`` names, where no such file is on this machine.

    ``?config=C&split=S&revision=R&files=PATTERN`` may follow.
    Raises: BadSetting for what begins so and goes on differently.
    """
    begins = _ADDRESS.match(text)
    name, _, options = text[begins.end() if begins else 0:].partition("?")
    if begins is None and (not _ID.fullmatch(name) or Path(name).suffix.lower() in ENDINGS or Path(name).exists()
                           or Path(name).parent.exists()):
        return None
    name = name.strip("/")
    given = dict(parse_qsl(options))
    if not re.fullmatch(rf"{_NAME}(?:/{_NAME})?", name) or not given.keys() <= set(_OPTIONS):
        raise BadSetting(f"{text!r} names no data set of the Hub",
                         fix="Give hf:USER/NAME, with ?config=C&split=S&revision=R after it if need be.")
    return HubDataset(name, **given)


def read_hub(source: Source) -> Iterator[Row | Rejected]:
    """One row a row of every split, in the data set's order; the split is kept, images are named split/row.

    Raises: UnreadableFile when it cannot be had: no network, gated, missing, or not made of data files.
    """
    dataset = hub_dataset(str(source.path))
    assert dataset is not None
    try:
        _probe(dataset)
    except OutOfReach as problem:
        yield from _read_cached(source, dataset, problem)
        return
    number = 0
    with told(dataset):
        splits = _streams(dataset)
        source.notes.append(f"splits: {', '.join(splits)}")
        for split, stream in splits.items():
            for row, (text, given, image) in enumerate(_rows(source, dataset, split, stream)):
                number += 1
                yield number, text, given, f"{split}/{row}" if isinstance(image, Held) else image, {"split": split}


def stream_column(dataset: HubDataset, split: str, start: int) -> Iterator[Any]:
    """The values of the image column from row ``start`` on: {"bytes", "path"}, bytes, or None.

    Raises: UnreadableFile.
    """
    with told(dataset):
        stream = _streams(dataset)[split]
        names = stream.column_names or []
        chosen = next((name for name in names if is_image(stream.features[name])), None)
        if chosen is None:
            raise UnreadableFile(f"{dataset.id} has no column of images", where=str(dataset))
        stream = _streams(dataset, [chosen])[split].skip(start)
        for table in stream.with_format("arrow").iter(batch_size=16):
            yield from table.column(chosen).to_pylist()


def _probe(dataset: HubDataset) -> None:
    """Asks the Hub, once and briefly, whether there is such a data set. Raises: UnreadableFile."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        raise OutOfReach(f"{dataset.id} is not read from the Hub, since HF_HUB_OFFLINE is set", where=str(dataset),
                          fix="Unset HF_HUB_OFFLINE, or give a directory.")
    with told(dataset):
        HfApi().dataset_info(dataset.id, revision=dataset.revision, timeout=_PROBE_TIMEOUT_S)


def _read_cached(source: Source, dataset: HubDataset, problem: OutOfReach) -> Iterator[Row | Rejected]:
    """What an earlier download left in the Hub's cache, when the Hub cannot be reached. Raises: UnreadableFile."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(dataset.id, repo_type="dataset", revision=dataset.revision,
                                        local_files_only=True))
    except (OSError, ValueError):
        raise problem from None
    if not tables_of(folder):
        raise problem
    source.notes.append("the Hub cannot be reached: read from its cache on this machine")
    cached = Source(folder, source.format, None, source.mapping, notes=source.notes)
    for row in read_tables(cached):
        source.columns, source.names = cached.columns, cached.names
        if isinstance(row, Rejected) or dataset.split in (None, (row[4] or {}).get("split")):
            yield row


def _streams(dataset: HubDataset, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """The streams of the splits that are asked for, by name; ``columns`` is heeded where files can be read in part."""
    import datasets

    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # nobody is told what is read here
    datasets.config.TORCH_AVAILABLE = False  # else a stream imports torch, of which nothing is used
    named = {"path": dataset.id, "name": dataset.config, "revision": dataset.revision, "data_files": dataset.files}
    builder = datasets.load_dataset_builder(**named)
    if columns is not None and hasattr(builder.config, "columns"):
        builder = datasets.load_dataset_builder(**named, columns=list(columns))
    if dataset.split is not None:
        return {dataset.split: builder.as_streaming_dataset(split=dataset.split)}
    return dict(builder.as_streaming_dataset())


def _rows(source: Source, dataset: HubDataset, split: str, stream: Any) -> Iterator[tuple[object, ...]]:
    """(caption, id, image) of one split. Bytes of images are not fetched where the files tell beforehand of them."""
    names = stream.column_names
    if names is not None:
        columns = _choose(source, names)
        read = [name for name in dict.fromkeys(columns.to_json().values()) if not is_image(stream.features[name])]
        if columns.caption not in read:
            raise UnreadableFile(f"column {columns.caption!r} holds images, not text", where=str(source.path),
                                 fix="Name the caption column with --map caption=COL.")
        stream = _streams(dataset, read)[split]
    taken: list[Taken] = []
    held = names is not None and columns.image is not None and columns.image not in read
    for table in stream.with_format("arrow").iter(batch_size=_BATCH_ROWS):
        if not taken:
            columns = columns if names is not None else _choose(source, table.schema.names)
            taken = taken_columns((columns.caption, columns.id, None if held else columns.image), table.schema)
        for batch in table.combine_chunks().to_batches():
            for text, given, image in batch_rows(batch, taken, str(source.path)):
                yield text, given, HELD if held else image


def _choose(source: Source, names: Sequence[str]) -> Columns:
    columns = source.choose(names)
    if columns is None:
        raise source.no_caption_column(names)
    return columns


def is_image(feature: Any) -> bool:
    """Whether a feature of the library ``datasets`` is that of images."""
    return type(feature).__name__ == "Image"

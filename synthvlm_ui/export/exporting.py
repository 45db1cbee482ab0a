"""Writes an export: pairs in, a finished folder out, or nothing at all.

Knows formats only as writers, and pairs only as they are given; never asks a store for anything.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from synthvlm_ui.errors import DuplicateId, EmptyInput, UnknownName
from synthvlm_ui.export.card import card_of
from synthvlm_ui.export.items import ExportItem, ExportOptions, ExportReport, ImageFormat, Unfit
from synthvlm_ui.export.pictures import Picture, picture_of
from synthvlm_ui.export.records_json import facts_of, line, selection_json
from synthvlm_ui.export.staging import Staging, TextFile, staged
from synthvlm_ui.export.tally import Tally
from synthvlm_ui.export.writers import WRITERS, Writer
from synthvlm_ui.records import Selection

_THREADS = min(8, os.cpu_count() or 1)


def formats() -> dict[str, str]:
    """Every format with a line on what reads it."""
    return {name: writer.note for name, writer in WRITERS.items()}


def export(form: str, items: Iterable[ExportItem], out: str | Path, *, selection: Selection | None = None,
           rejects: Iterable[ExportItem] | None = None, overwrite: bool = False,
           options: ExportOptions | None = None) -> ExportReport:
    """Writes the pairs, in their order, as a new folder.

    Beside the format's own files: scores.jsonl, selection.json, rejects.jsonl (when given), a card and manifest.json
    with the SHA-256 of every file. Equal pairs give an equal manifest. A pair that its readers could not use is left
    out and counted. Everything grows in a hidden sibling folder that is renamed at the end.
    Raises: UnknownName (format), BadSetting (destination), EmptyInput (no pair), DuplicateId, DiskFull.
    """
    if form not in WRITERS:
        raise UnknownName.of("format", form, list(WRITERS))
    options = options or ExportOptions()
    out = Path(out)
    with staged(out, overwrite) as staging:
        writer = WRITERS[form](staging, options)
        tally, skipped = _write_pairs(staging, writer, items, options.image_format)
        if not tally.written:
            reason = f": {skipped.most_common(1)[0][0]}" if skipped else ""
            raise EmptyInput(f"there is no pair to export{reason}", where=str(out),
                             fix="Choose a selection that keeps something.")
        if selection is not None:
            staging.write_text("selection.json", selection_json(selection))
        if rejects is not None:
            with staging.open_text("rejects.jsonl") as file:
                for item in rejects:
                    file.write(line(facts_of(item)))
        staging.write_text("README.md", card_of(form, tally, selection, skipped, options.licences))
        digest = staging.write_manifest(form, tally.written)
    return ExportReport(out, tally.written, digest, dict(skipped))


def export_llava(items: Iterable[ExportItem], out: str | Path, *, selection: Selection | None = None,
                 rejects: Iterable[ExportItem] | None = None, overwrite: bool = False,
                 options: ExportOptions | None = None) -> ExportReport:
    """The format "llava" of ``export``."""
    return export("llava", items, out, selection=selection, rejects=rejects, overwrite=overwrite, options=options)


def _write_pairs(staging: Staging, writer: Writer, items: Iterable[ExportItem],
                 image_format: ImageFormat) -> tuple[Tally, Counter[str]]:
    tally, skipped, seen = Tally(), Counter[str](), set[str]()
    left_out: TextFile | None = None
    with staging.open_text("scores.jsonl") as scores:
        for item, picture in _pictures(items, image_format):
            identity = item.candidate.id
            if identity in seen:
                raise DuplicateId(f"candidate {identity!r} is there twice", fix="Name each candidate once.")
            seen.add(identity)
            try:
                if isinstance(picture, Unfit):
                    raise picture
                writer.add(item, picture)
            except Unfit as reason:
                skipped[str(reason)] += 1
                left_out = left_out or staging.open_text("skipped.jsonl")
                left_out.write(line({"id": identity, "reason": str(reason)}))
                continue
            scores.write(line(facts_of(item)))
            tally.add(item, picture.width, picture.height)
    writer.close()
    if left_out is not None:
        left_out.close()
    return tally, skipped


def _pictures(items: Iterable[ExportItem], image_format: ImageFormat) -> Iterator[tuple[ExportItem, Picture | Unfit]]:
    """Items with their pictures, in order; re-encoding runs ahead in threads, by a bounded number of items."""

    def picture(item: ExportItem) -> Picture | Unfit:
        try:
            return picture_of(item, image_format)
        except Unfit as reason:
            return reason

    if image_format == "keep":
        yield from ((item, picture(item)) for item in items)
        return
    source = iter(items)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[tuple[ExportItem, Future[Picture | Unfit]]] = deque()
        waiting.extend((item, pool.submit(picture, item)) for item in islice(source, 4 * _THREADS))
        while waiting:
            item, future = waiting.popleft()
            yield item, future.result()
            waiting.extend((item, pool.submit(picture, item)) for item in islice(source, 1))

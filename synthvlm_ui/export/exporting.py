"""Writes an export: pairs in, a finished folder out, or nothing at all.

Knows formats only as writers, and pairs only as they are given; never asks a store for anything.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from synthvlm_ui.errors import DuplicateId, EmptyInput, UnknownName
from synthvlm_ui.export.card import card_of
from synthvlm_ui.export.converted import ConvertedPictures
from synthvlm_ui.export.formats import FORMATS, Entry, Writer
from synthvlm_ui.export.items import ExportItem, ExportOptions, ExportReport, Unfit
from synthvlm_ui.export.pictures import Picture, picture_of
from synthvlm_ui.export.rebuild import CAPTIONS, IDS, SCRIPT, Rebuild
from synthvlm_ui.export.records_json import facts_of, line, selection_json
from synthvlm_ui.export.staging import Staging, TextFile, staged
from synthvlm_ui.export.tally import Tally
from synthvlm_ui.records import Selection

_THREADS = min(8, os.cpu_count() or 1)
Watch = Callable[[int], None]


def formats() -> dict[str, str]:
    """Every format with a line on what reads it."""
    return {name: form.note for name, form in FORMATS.items()}


def export(form: str, items: Iterable[ExportItem], out: str | Path, *, selection: Selection | None = None,
           rejects: Iterable[ExportItem] | None = None, overwrite: bool = False,
           options: ExportOptions | None = None, watch: Watch | None = None) -> ExportReport:
    """Writes the pairs, in their order, as a new folder.

    Beside the format's own files: scores.jsonl, selection.json, rejects.jsonl (when given), a card, a script that makes
    the pairs again, and manifest.json with the SHA-256 of every file. Equal pairs give an equal manifest. A pair that
    its readers could not use is left out and counted. Everything grows in a hidden sibling folder that is renamed at
    the end. ``watch`` is told the number of pairs seen so far; what it raises ends the export.
    Raises: UnknownName (format), BadSetting (destination), EmptyInput (no pair), DuplicateId, DiskFull.
    """
    if form not in FORMATS:
        raise UnknownName.of("format", form, list(FORMATS))
    options = options or ExportOptions()
    out = Path(out)
    with staged(out, overwrite) as staging:
        writer = FORMATS[form].writer(staging, options)
        tally, rebuild = Tally(), Rebuild()
        skipped = _write_pairs(staging, writer, _watched(items, watch), options, (tally, rebuild))
        if not tally.written:
            reason = f": {skipped.most_common(1)[0][0]}" if skipped else ""
            raise EmptyInput(f"there is no pair to export{reason}", where=str(out),
                             fix="Choose a selection that keeps something.")
        _write_rebuild(staging, rebuild, selection, options)
        if selection is not None:
            staging.write_text("selection.json", selection_json(selection))
        if rejects is not None:
            with staging.open_text("rejects.jsonl") as file:
                for item in rejects:
                    file.write(line(facts_of(item)))
        staging.write_text("README.md", card_of(form, tally, selection, skipped, options))
        digest = staging.write_manifest(form, tally.written)
    if options.converted is not None:
        options.converted.unlink(missing_ok=True)
    return ExportReport(out, tally.written, digest, dict(skipped), dict(tally.splits))


def export_llava(items: Iterable[ExportItem], out: str | Path, *, selection: Selection | None = None,
                 rejects: Iterable[ExportItem] | None = None, overwrite: bool = False,
                 options: ExportOptions | None = None) -> ExportReport:
    """The format "llava" of ``export``."""
    return export("llava", items, out, selection=selection, rejects=rejects, overwrite=overwrite, options=options)


def _write_pairs(staging: Staging, writer: Writer, items: Iterable[ExportItem], options: ExportOptions,
                 counted: tuple[Tally, Rebuild]) -> Counter[str]:
    skipped, seen = Counter[str](), set[str]()
    tally, rebuild = counted
    left_out: TextFile | None = None
    with staging.open_text("scores.jsonl") as scores, staging.open_text(IDS) as ids:
        for item, picture in _pictures(items, options):
            identity = item.candidate.id
            if identity in seen:
                raise DuplicateId(f"candidate {identity!r} is there twice", fix="Name each candidate once.")
            seen.add(identity)
            split = options.split_of(item.candidate.caption_id)
            try:
                if isinstance(picture, Unfit):
                    raise picture
                for repeat in range(options.repeats if split == "train" else 1):
                    writer.add(Entry(item, picture, split, repeat))
            except Unfit as reason:
                skipped[str(reason)] += 1
                left_out = left_out or staging.open_text("skipped.jsonl")
                left_out.write(line({"id": identity, "reason": str(reason)}))
                continue
            scores.write(line(facts_of(item) | {"split": split}))
            ids.write(identity + "\n")
            tally.add(item, picture.width, picture.height, split)
            rebuild.add(item.candidate)
    writer.close()
    if left_out is not None:
        left_out.close()
    return skipped


def _write_rebuild(staging: Staging, rebuild: Rebuild, selection: Selection | None, options: ExportOptions) -> None:
    with staging.open_text(CAPTIONS) as file:
        for (_, caption_id), caption in rebuild.captions.items():
            file.write(line({"id": caption_id, "caption": caption}))
    staging.write_text(SCRIPT, rebuild.script(selection, options.select_command))


def _watched(items: Iterable[ExportItem], watch: Watch | None) -> Iterator[ExportItem]:
    for number, item in enumerate(items, 1):
        if watch is not None:
            watch(number)
        yield item


def _pictures(items: Iterable[ExportItem], options: ExportOptions) -> Iterator[tuple[ExportItem, Picture | Unfit]]:
    """Items with their pictures, in order; re-encoding runs ahead in threads, by a bounded number of items."""

    def picture(item: ExportItem) -> Picture | Unfit:
        try:
            return picture_of(item, options)
        except Unfit as reason:
            return reason

    if options.image_format == "keep" and options.size_px is None:
        yield from ((item, picture(item)) for item in items)
        return
    source = iter(items)
    with ExitStack() as on_leaving, ThreadPoolExecutor(_THREADS) as pool:
        known = on_leaving.enter_context(ConvertedPictures(options.converted)) if options.converted else None
        waiting: deque[tuple[ExportItem, Future[Picture | Unfit] | None]] = deque()

        def ahead(count: int) -> None:
            for item in islice(source, count):
                done = known is not None and item.candidate.id in known
                waiting.append((item, None if done else pool.submit(picture, item)))

        ahead(4 * _THREADS)
        while waiting:
            item, future = waiting.popleft()
            if future is None and known is not None:
                yield item, known.get(item.candidate.id) or picture(item)
            elif future is not None:
                found = future.result()
                if known is not None and isinstance(found, Picture):
                    known.put(item.candidate.id, found)
                yield item, found
            ahead(1)

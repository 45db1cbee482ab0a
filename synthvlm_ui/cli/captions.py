"""``captions import``: captions from a file into a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli import captions_curate, captions_write
from synthvlm_ui.cli.following import counts, follow
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, at_least, mapping

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("captions", "captions of a dataset")
    parser = group.add("import", _import, "read captions from a file or folder into a dataset")
    parser.add_argument("file", type=Path, metavar="FILE",
                        help="txt, csv, tsv, json, jsonl, parquet, LLaVA, COCO or Flickr30k; WebDataset tars; a folder "
                             "of images with captions beside them, or of a Hugging Face data set; hf:USER/NAME, a "
                             "data set on the Hub; or miniature:world-heldout for reference scenes")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="dataset to add to; made when it is new")
    parser.add_argument("--map", type=mapping, default={}, metavar="ROLE=COLUMN,...",
                        help="columns to read, as caption=COLUMN,id=COLUMN,image=COLUMN")
    parser.add_argument("--on-duplicate", choices=("skip", "replace", "error"), default="skip",
                        help="what to do with an id that is there already (default: skip)")
    parser.add_argument("--images", nargs="?", const="", metavar="DIR",
                        help="store the real images that the captions name too, from this folder (default: from where "
                             "the captions come)")
    parser.add_argument("--limit", type=at_least(1), metavar="N",
                        help="captions to take (default: 10000 of a data set on the Hub, 200 of a corpus of the small "
                             "world, all of a file)")
    for name, about in (("config", "configuration"), ("split", "split"), ("revision", "branch, tag or commit"),
                        ("files", "path or pattern of the files to read")):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"{about} of a data set on the Hub")
    parser.add_argument("--preview", action="store_true",
                        help="show how the first rows would be read, and store nothing")
    captions_write.add_to_group(group)
    captions_curate.add_to(group)


def _import(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    file = str(options.file)
    hub = studio.hub.named(file, config=options.config, split=options.split, revision=options.revision,
                           files=options.files)
    if options.preview:
        shown = studio.captions.preview(hub or options.file, options.map)
        output.result(shown, _preview_lines(shown))
        return
    if file.startswith("miniature:"):
        outcome = studio.real_images.import_world(file, options.dataset, options.limit)
        outcome["images"] = _store_images(options, studio, output, file, file)
        output.result(outcome, _lines(outcome))
        return
    images = None
    if options.images is not None:
        images = str(Path(options.images).absolute()) if options.images else studio.real_images.beside(hub or file)
        studio.real_images.check(images)  # before anything is stored
    if hub:
        outcome = _import_hub(options, studio, output, hub)
    else:
        outcome = studio.captions.import_file(
            options.file, options.dataset, mapping=options.map, on_duplicate=options.on_duplicate, limit=options.limit)
    if images is not None:
        outcome["images"] = _store_images(options, studio, output, images, outcome["source"])
    output.result(outcome, _lines(outcome))


def _import_hub(options: argparse.Namespace, studio: Studio, output: Output, source: str) -> dict[str, Any]:
    from synthvlm_ui.service import HubImport

    chosen = {"limit": options.limit} if options.limit else {}
    job = follow(studio, studio.hub.start(HubImport(
        source, options.dataset, mapping=options.map, on_duplicate=options.on_duplicate, **chosen)), output)
    return dict(job["result"] or {})


def _store_images(options: argparse.Namespace, studio: Studio, output: Output, source: str,
                  caption_source: str) -> dict[str, Any]:
    again = options.on_duplicate == "replace"
    job_id = studio.real_images.start(options.dataset, source, caption_source=caption_source, again=again)
    return counts(follow(studio, job_id, output), ("stored", "skipped"))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield f"imported {outcome['imported']} captions into {outcome['dataset']}, rejected {outcome['rejected']}"
    for rule, count in outcome["reasons"].items():
        yield f"  {count} {rule}"
    yield from _rejected_lines(outcome["rejected_rows"])
    yield from (f"  {note}" for note in outcome.get("notes", ()))
    if "images" in outcome:
        images = outcome["images"]
        yield f"stored {images['stored']} real images, skipped {images['skipped']} (job {images['job_id']})"
        for reason, count in images.get("reasons", {}).items():
            yield f"  {count} {reason}"
        for row in images.get("examples", ()):
            yield f"  caption {row['caption_id']}, image {row['image']!r}: {row['reason']}"


def _preview_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    yield f"read as {shown['format']}" + (f", {shown['encoding']}" if shown["encoding"] else "")
    if shown["names"]:
        yield f"columns: {', '.join(shown['names'])}"
    yield from (f"  {note}" for note in shown["notes"])
    for row in shown["rows"]:
        image = f"  [{row['image']}]" if row["image"] else ""
        yield f"{row['id']}{image}  {row['caption']}"
    yield from _rejected_lines(shown["rejected_rows"])
    yield "nothing was stored"


def _rejected_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        file = f"{row['file']}, " if row.get("file") else ""
        yield f"  {file}line {row['line']}: {row['reason']}: {row['excerpt']}"

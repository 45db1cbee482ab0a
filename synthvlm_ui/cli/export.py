"""``export``, ``validate`` and ``push``: a selection as files that a training program reads, here or on the Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, Parser, at_least, number

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio
    from synthvlm_ui.service.export.export_desk import ExportRequest


def add_to(commands: Commands) -> None:
    parser = commands.add("export", _export, "write a selection as training data")
    parser.add_argument("--selection", required=True, metavar="NAME")
    parser.add_argument("--format", required=True, metavar="FORMAT",
                        help="llava, llama-factory, webdataset, imagefolder, parquet or jsonl")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: a folder of the workspace")
    parser.add_argument("--rejects", action="store_true", help="also write what the selection dropped, as rejects")
    parser.add_argument("--overwrite", action="store_true", help="replace an export that stands in DIR already")
    parser.add_argument("--detach", action="store_true", help="print the job's id and do not wait for it")
    _add_layout(parser)
    parser = commands.add("validate", _validate, "check exported files and count what is wrong", needs="any")
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--format", required=True, metavar="FORMAT", help="format to check against")


    parser = commands.add("push", _push, "send an export to the Hugging Face Hub as a dataset", needs="any")
    parser.add_argument("path", type=Path, metavar="DIR")
    parser.add_argument("--repo", required=True, metavar="USER/NAME")
    parser.add_argument("--private", action="store_true", help="make the dataset private when it is new")
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent, and send nothing")


def _add_layout(parser: Parser) -> None:
    """The options that become ExportOptions."""
    add = parser.add_argument
    add("--split", dest="validation", type=number, default=0.0, metavar="R",
        help="share of the captions whose pairs become the validation split (default: 0)")
    add("--image-format", default="keep", metavar="FORMAT", help="keep, jpeg, png or webp (default: keep)")
    add("--image-quality", type=at_least(1), default=95, metavar="Q", help="of jpeg, 1 to 100 (default: 95)")
    add("--size", dest="size_px", type=at_least(1), metavar="PX", help="make every image a square of this side")
    add("--fit", default="pad", metavar="HOW", help="of --size: pad, crop or stretch (default: pad)")
    add("--shard-size", dest="shard_pairs", type=at_least(1), default=2000, metavar="N",
        help="pairs per tar or parquet file (default: 2000)")
    add("--repeats", type=at_least(1), default=1, metavar="N", help="list every training pair N times (default: 1)")
    add("--seed", type=at_least(0), default=0, metavar="S", help="of instructions and split (default: 0)")


def request_of(options: argparse.Namespace) -> ExportRequest:
    """The request that the options make."""
    from synthvlm_ui.service.export.export_desk import ExportRequest

    names = ("validation", "image_format", "image_quality", "size_px", "fit", "shard_pairs", "repeats", "seed")
    return ExportRequest(options.selection, options.format, str(options.out) if options.out else None,
                         options.rejects, options.overwrite, {name: getattr(options, name) for name in names})


def _export(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    request = request_of(options)
    if options.detach:
        job_id = studio.exports.start(request)
        output.result({"job_id": job_id}, [f"job {job_id} is queued"])
        return
    outcome = studio.exports.run(request)
    output.result(outcome, [
        f"wrote {outcome['written']} pairs to {outcome['out']}", f"manifest sha256 {outcome['manifest_sha256']}"
    ])


def _push(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    """The token is that of HF_TOKEN or of a stored login: a token on a command line would stay in its history."""
    outcome = studio.exports.push(options.path, options.repo, private=options.private, dry_run=options.dry_run)
    size = f"{outcome['files']} files, {outcome['bytes'] / 2**20:.1f} MiB"
    said = f"would send {size} to {options.repo}" if options.dry_run else f"sent {size} to {outcome['url']}"
    output.result(outcome, [said, *([*outcome["listing"]] if options.dry_run else [])])


def _validate(options: argparse.Namespace, studio: Studio, output: Output) -> int:
    """Exit code 1 when the files are not as the format wants them, so that a script stops there."""
    outcome = studio.exports.validate(options.path, options.format)
    lines = [f"error: {text}" for text in outcome["errors"]] + [f"warning: {text}" for text in outcome["warnings"]]
    output.result(outcome, [*lines, "valid" if outcome["ok"] else "not valid"])
    return 0 if outcome["ok"] else 1

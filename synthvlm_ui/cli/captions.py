"""``captions import``: captions from a file into a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, mapping

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    group = commands.group("captions", "captions of a dataset")
    parser = group.add("import", _import, "read captions from a file into a dataset")
    parser.add_argument("file", type=Path, metavar="FILE", help="txt, csv, tsv, json, jsonl or parquet")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="dataset to add to; made when it is new")
    parser.add_argument("--map", type=mapping, default={}, metavar="ROLE=COLUMN,...",
                        help="columns to read, as caption=COLUMN,id=COLUMN,image=COLUMN")
    parser.add_argument("--on-duplicate", choices=("skip", "replace", "error"), default="skip",
                        help="what to do with an id that is there already (default: skip)")


def _import(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    outcome = studio.captions.import_file(
        options.file, options.dataset, mapping=options.map, on_duplicate=options.on_duplicate
    )
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield f"imported {outcome['imported']} captions into {outcome['dataset']}, rejected {outcome['rejected']}"
    for rule, count in outcome["reasons"].items():
        yield f"  {count} {rule}"
    for row in outcome["rejected_rows"]:
        yield f"  line {row['line']}: {row['reason']}: {row['excerpt']}"

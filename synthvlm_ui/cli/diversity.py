"""``diversity``: how evenly datasets or selections cover the concepts they have together."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, at_least, names

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

KEYS = ("k", "datasets", "differences", "clusters", "embedder", "embedder_settings", "sample_rows", "inertia", "seed",
        "fits", "run")


def add_to(commands: Commands) -> None:
    parser = commands.add("diversity", _diversity, "measure how evenly sets cover the concepts they have together")
    add = parser.add_argument
    add("--datasets", type=names, default=(), metavar="A,B,...", help="datasets, measured by their captions")
    add("--selections", type=names, default=(), metavar="A,B,...", help="selections, measured by what they keep")
    add("--parts", type=names, default=(), metavar="LIST",
        help="dropped: also what each selection drops; real: also the real images")
    add("--k", type=at_least(2), default=20, metavar="K", help="number of clusters (default: 20)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--embedder", default="lm", metavar="NAME",
                        help="lm, lm:MODEL, sentence:MODEL, clip-text[:NAME] for captions; clip-image[:NAME] for "
                             "images; MODEL is a Hub id or a directory (default: lm)")
    source.add_argument("--embeddings", type=names, default=(), metavar="FILE.npy,...",
                        help="embeddings of your own, one file a set; --datasets then only names them")
    add("--seed", type=at_least(0), default=0, metavar="S", help="seed of the first fit (default: 0)")
    add("--fits", type=at_least(1), default=5, metavar="N", help="fits that make the band (default: 5)")
    add("--map", choices=("pca", "tsne", "umap"), metavar="METHOD",
        help="also place the rows on a plane: pca, tsne or umap (where umap-learn is installed)")
    add("--fill-gaps", type=at_least(1), metavar="N",
        help="also have N captions written for the clusters that the first dataset has least of")
    add("--writer", default="miniature", metavar="NAME", help="who writes them (default: miniature)")
    add("--elbow", type=span, metavar="MIN:MAX", help="also WCSS for each K of this range, such as 2:40")


def span(text: str) -> tuple[int, int]:
    """The type of --elbow."""
    low, colon, high = text.partition(":")
    if not colon or not low.isdecimal() or not high.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not MIN:MAX")
    return int(low), int(high)


def _diversity(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    if options.map:
        studio.diversity_maps.check(options.map)
    run = studio.diversity.start(
        options.datasets, options.selections, parts=options.parts, embedder=options.embedder,
        embeddings=options.embeddings, k=options.k, seed=options.seed, fits=options.fits, elbow=options.elbow)
    job = follow(studio, run, output)
    report = studio.diversity.report(run)
    outcome = {key: report[key] for key in KEYS} | {key: report[key] for key in ("wcss", "knee") if key in report}
    if options.map:
        placed = follow(studio, studio.diversity_maps.start(run, options.map), output)["result"]
        outcome["map"] = {**placed, "file": str(studio.diversity_maps.file(run, options.map))}
    if options.fill_gaps:
        filled = studio.diversity_maps.fill(run, next(iter(report["datasets"])), options.fill_gaps, options.writer,
                                            seed=options.seed)
        outcome["filled"] = follow(studio, filled, output)["result"]
    for name, found in report["datasets"].items():
        if found["left_out"]:
            output.note(f"{name}: {found['left_out']} rows without a usable embedding are left out")
    output.result({**outcome, "job_id": job["id"]}, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    yield f"{outcome['k']} clusters of {outcome['sample_rows']} rows by {outcome['embedder']}, {outcome['fits']} fits"
    rows = [["  set", "rows", "top-3", "top-5", "entropy", "of log2 K", "clusters", "entropy over the fits"]]
    for name, found in outcome["datasets"].items():
        band = found["band"]["entropy_bits"]
        rows.append([f"  {name}", str(found["n"]), f"{found['top3']:.1%}", f"{found['top5']:.1%}",
                     f"{found['entropy_bits']:.2f} bit", f"{found['entropy_share']:.0%}",
                     f"{found['effective_clusters']:.1f}", f"{band['low']:.2f} to {band['high']:.2f}"])
    yield from table(rows)
    for found in outcome["differences"]:
        yield found["statement"]
    if filled := outcome.get("filled"):
        yield (f"{filled['written']} captions written into gaps ({filled['tried']} texts tried): "
               f"{filled['entropy_before']:.2f} bit before, {filled['entropy_after']:.2f} bit after")
    if placed := outcome.get("map"):
        yield f"{placed['points']} points placed by {placed['method']}: {placed['file']}"
    if outcome.get("wcss"):
        yield from table([["  K", "WCSS"], *([f"  {k}{' <- knee' if int(k) == outcome['knee'] else ''}", f"{value:.1f}"]
                                             for k, value in outcome["wcss"].items())])

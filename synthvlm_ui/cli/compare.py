"""``compare``: real against synthetic, set against set; and the pairs whose scores changed most."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, at_least, names, number

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

TITLES = {"clip_cosine": "CLIPScore", "ssim": "SSIM"}
ORDERS = ("largest-gap", "synthetic-better", "real-better", "caption")


def add_to(commands: Commands) -> None:
    parser = commands.add("compare", _compare, "compare real with synthetic images: scores, CMMD, pairs, maps, FID")
    parser.add_argument("--real", required=True, metavar="NAME", help="dataset whose real images are compared with")
    parser.add_argument("--synthetic", required=True, type=names, metavar="NAME,...",
                        help="datasets or selections whose candidates are compared")
    parser.add_argument("--lambda", dest="ssim_weight", type=number, default=0.5, metavar="L",
                        help="weight of SSIM in the combined score (default: 0.5)")
    parser.add_argument("--pairs", type=at_least(1), metavar="N", help="also list N captions with their real and "
                        "synthetic images, by --order")
    parser.add_argument("--order", choices=ORDERS, default="largest-gap", help="which pairs come first")
    parser.add_argument("--score", choices=("combined", "clip_cosine", "ssim"), default="combined",
                        help="the score whose gap orders the pairs")
    parser.add_argument("--map", choices=("pca", "tsne", "umap"), help="also lay the embeddings out as a flat map")
    parser.add_argument("--embeddings", choices=("image", "text"), default="image", help="what the map shows")
    parser.add_argument("--fid-weights", type=Path, metavar="FILE",
                        help="also FID, with these Inception weights (safetensors; see docs/scorers.md)")
    parser.add_argument("--device", default="auto", metavar="DEVICE",
                        help="where Inception runs: auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write tables as CSV and figures as SVG and PNG there")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of every sample that is taken (default: 0)")


def _compare(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    real, synthetic, notes = studio.comparison.specs(options.real, options.synthetic)
    specs = [real, *synthetic]
    outcome: dict[str, Any] = studio.comparison.sets(specs, ssim_weight=options.ssim_weight, seed=options.seed)
    outcome["notes"] = [*notes, *outcome["notes"]]
    if options.pairs:
        outcome["pairs"] = studio.comparison.pairs(real, synthetic[0], order=options.order, score=options.score,
                                                   limit=options.pairs, ssim_weight=options.ssim_weight)
    if options.map or options.fid_weights:
        job_id = studio.comparison.start(
            specs, method=options.map, embeddings=options.embeddings, seed=options.seed,
            fid_weights=str(options.fid_weights) if options.fid_weights else None, device=options.device)
        outcome |= dict(follow(studio, job_id, output)["result"]) | {"job_id": job_id}
    if options.out:
        outcome["written"] = studio.comparison.write_figures(outcome, options.out.expanduser())
    output.result(outcome, _lines(outcome))


def _lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    columns = outcome["columns"]
    rows = [["set", "images", *(TITLES.get(name, name) for name in columns)]]
    for name, one in outcome["sets"].items():
        rows.append([name, str(one["n"]), *(_spread(one[score]) for score in columns)])
    yield from table(rows)
    for row in outcome["distances"]:
        chance = "" if row["cmmd_chance"] is None else f" (chance alone: below {row['cmmd_chance']:.3f})"
        yield f"CMMD {row['first']} - {row['second']}: {row['cmmd']:.3f}{chance}"
        if row["own_neighbour_share"] is not None:
            share = row["own_neighbour_share"]
            yield f"  nearest neighbour of the same set: {share:.1%} (50 % when they overlap wholly)"
    for row in outcome.get("fid", ()):
        yield f"FID {row['first']} - {row['second']}: {row['fid']:.2f} ({row['n'][0]} and {row['n'][1]} images)"
    for pair in outcome.get("pairs", {}).get("pairs", ()):
        best = pair["candidates"][0]
        yield f"{_signed(best['change']['combined'])}  {pair['real']['id']} {best['id']}  {pair['caption']}"
    for note in outcome["notes"]:
        yield f"note: {note}"
    for path in outcome.get("written", ()):
        yield f"wrote {path}"


def _spread(one: Mapping[str, Any]) -> str:
    return "-" if one["mean"] is None else f"{one['mean']:.3f} ± {one['std']:.3f}"


def _signed(value: float | None) -> str:
    return "   -   " if value is None else f"{value:+.4f}"

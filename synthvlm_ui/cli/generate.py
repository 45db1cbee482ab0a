"""``generate``: images for the captions of a dataset, or for one prompt."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import counts, follow
from synthvlm_ui.cli.output import Output, duration, table
from synthvlm_ui.cli.parser import Commands, Parser, at_least, number, scorers
from synthvlm_ui.config import DEFAULT_GENERATOR, DEFAULT_SCORERS
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import GenerationSettings

if TYPE_CHECKING:
    from synthvlm_ui.service import Placement, Studio

RESULT_KEYS = ("generated", "failed", "skipped")


def add_to(commands: Commands) -> None:
    parser = commands.add("generate", _generate, "draw images for captions and score them")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--dataset", metavar="NAME", help="draw for every caption of this dataset")
    source.add_argument("--prompt", metavar="TEXT",
                        help='draw for this text, in the dataset "prompts"; {a|b} is a choice, __toy__ a line of the '
                             "file wildcards/toy.txt")
    _add_settings(parser)
    parser.add_argument("--scorers", type=scorers, default=DEFAULT_SCORERS, metavar="LIST",
                        help=f"scorers to run, with commas, or none (default: {','.join(DEFAULT_SCORERS)})")
    parser.add_argument("--clip-model", default="miniature", metavar="NAME",
                        help="CLIP model of the clip scorer (default: miniature)")
    parser.add_argument("--limit", type=at_least(1), metavar="N",
                        help="draw for the first N captions only; of a prompt with choices, N different ones "
                             "(default: 4)")
    parser.add_argument("--captions", choices=("kept", "all"), default="kept",
                        help="which captions of a curated dataset to draw (default: kept)")
    parser.add_argument("--worker", metavar="I/N",
                        help="do only the I-th of N equal shares, counted from 1, as in a Slurm array")
    parser.add_argument("--matrix", action="append", metavar="NAME=VALUES",
                        help="draw --prompt over the values of one setting, or of two when given twice: "
                             "guidance_scale=1,3 seed=1,2 num_inference_steps=4,8 generator=A,B words=red|blue")
    parser.add_argument("--show-slurm", type=at_least(1), metavar="N",
                        help="draw nothing; print the script that draws this as a Slurm array of N tasks: ... | sbatch")
    _add_ray(parser)
    parser.add_argument("--detach", action="store_true", help="print the job's id and do not wait for it")


def _add_ray(parser: Parser) -> None:
    add = parser.add_argument
    add("--executor", choices=("local", "ray"), default="local",
        help="where to run: this machine's own worker, or a Ray cluster (default: local)")
    add("--ray-address", default="", metavar="HOST:PORT",
        help="a running cluster, or auto (default: SYNTHVLM_RAY_ADDRESS or RAY_ADDRESS, else Ray is started here)")
    add("--ray-workers", type=at_least(1), metavar="N", help="default: one for each GPU, or as the processors allow")
    add("--ray-cpus", type=at_least(1), metavar="N", help="processors of each worker (default: 4, beside a GPU 1)")


def _add_settings(parser: Parser) -> None:
    """The options that become GenerationSettings; names and meanings are diffusers' own."""
    add = parser.add_argument
    add("--generator", default=DEFAULT_GENERATOR, metavar="NAME|DIR",
        help=f"a name that info lists, a Hub id, or a local directory (default: {DEFAULT_GENERATOR})")
    add("--images-per-caption", type=at_least(1), default=1, metavar="K", help="images of each caption (default: 1)")
    add("--seed", type=at_least(0), default=0, metavar="S", help="seed of the run (default: 0)")
    add("--num-inference-steps", type=at_least(1), metavar="N", help="default: the generator's own")
    add("--guidance-scale", type=number, metavar="G", help="default: the generator's own")
    add("--width", type=at_least(1), metavar="PX", help="default: the generator's own")
    add("--height", type=at_least(1), metavar="PX", help="default: the generator's own")
    add("--negative-prompt", metavar="TEXT", help="what the images should not show")
    add("--prompt-template", default="{caption}", metavar="TEXT",
        help="prompt with {caption} in it, and choices and wildcards as in --prompt")
    add("--batch-size", type=at_least(1), metavar="B", help="images drawn at once (default: what fits)")
    add("--chunk-images", type=at_least(1), metavar="N", help="images per shard (default: about 20 s of work)")
    add("--image-format", choices=("webp", "png", "jpeg"), default="webp", help="default: webp, lossless")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N (default: auto)")
    _add_engine(parser)
    _add_drafts(parser)


def _add_engine(parser: Parser) -> None:
    """The options that become EngineSettings: for pipelines of diffusers; auto follows the device's memory."""
    add = parser.add_argument_group("engine", "how a real generator is put together and held in memory").add_argument
    add("--dtype", choices=("auto", "bfloat16", "float16", "float32"), default="auto", help="default: the best here")
    add("--offload", choices=("auto", "none", "model", "sequential"), default="auto",
        help="keep all parts on the card, one part at a time, or one layer (default: by the card's memory)")
    add("--vae", default="auto", metavar="HOW",
        help="decode whole, sliced, tiled, by a tiny decoder (tiny, or its directory or Hub id) (default: by memory)")
    add("--attention", default="auto", metavar="NAME", help="native, sliced, xformers, flash, sage or flex")
    add("--compile", action="store_true", help="compile the blocks that repeat: minutes first, faster then")
    add("--fuse-qkv", action="store_true", help="one matrix product for queries, keys and values")
    add("--scheduler", metavar="NAME", help="euler, euler-trailing, dpm++, dpm++-karras, ddim, unipc, lcm, ...")
    add("--lora", metavar="FILE|ID", help="a LoRA to add to the weights: a file, a directory, or a Hub id[:FILE]")
    add("--refiner", metavar="DIR|ID", help="a refiner that finishes what SDXL began")
    add("--denoising-end", type=number, metavar="SHARE", help="where the refiner takes over (default: 0.8)")


def _add_drafts(parser: Parser) -> None:
    add = parser.add_argument_group("drafts", "draw in full only what a few steps promise").add_argument
    add("--draft-clip-min", type=number, metavar="COSINE",
        help="draw a draft of each caption first, and in full only where its clip_cosine reaches this")
    add("--draft-num-inference-steps", type=at_least(1), metavar="N", help="steps of a draft (default: 4)")
    add("--draft-generator", metavar="NAME|DIR", help="another generator for drafts, with its own defaults")
    add("--draft-audit", type=number, default=0.05, metavar="SHARE",
        help="share of the rejected captions to draw all the same, to see what the gate costs (default: 0.05)")


def settings_of(options: argparse.Namespace) -> GenerationSettings:
    return GenerationSettings(**{name: getattr(options, name) for name in GenerationSettings.__dataclass_fields__})


def _generate(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    settings = settings_of(options)
    if options.matrix:
        _matrix(options, settings, studio, output)
        return
    chosen = {"dataset": options.dataset, "prompt": options.prompt, "limit": options.limit,
              "captions": options.captions}
    measured = {"scorers": options.scorers, "clip_model": options.clip_model}
    estimate = studio.generation.estimate(settings, **chosen)
    if options.show_slurm:
        script = studio.generation.slurm(settings, options.show_slurm, **chosen, **measured)
        output.result({"script": script}, script.splitlines())
        return
    job_id = studio.generation.start(settings, **chosen, **measured, placement=_placement(options))
    _say_what_it_takes(estimate, output)
    if options.detach:
        output.result({"job_id": job_id}, [f"job {job_id} started"])
        return
    outcome = counts(follow(studio, job_id, output), RESULT_KEYS)
    output.result(outcome, [
        f"generated {outcome['generated']} images, {outcome['failed']} failed, {outcome['skipped']} were there already "
        f"(job {job_id})", *_cascade_lines(outcome)
    ])


def _cascade_lines(outcome: Mapping[str, Any]) -> list[str]:
    cascade = outcome.get("cascade")
    if not cascade:
        return []
    lines = [f"drafts: {cascade['drafted']} drawn, {cascade['passed']} images passed, {cascade['audited']} drawn to "
             f"check, {cascade['gated']} not drawn"]
    if cascade["saved_share"] is not None:
        lines.append(f"saved {cascade['saved_s']:.1f} s, {100 * cascade['saved_share']:.0f} % of drawing all in full")
    if cascade["missed"] is not None:
        lines.append(f"of {cascade['audited']} checked, {cascade['audited_that_reached_it']} reached the threshold in "
                     f"full: some {cascade['missed']:.0f} such images were not drawn")
    return lines


def _placement(options: argparse.Namespace) -> Placement:
    from synthvlm_ui.service import Placement

    return Placement(options.executor, options.worker, options.ray_address, options.ray_workers, options.ray_cpus)


def _matrix(options: argparse.Namespace, settings: GenerationSettings, studio: Studio, output: Output) -> None:
    from synthvlm_ui.service import parse_axis

    if options.prompt is None:
        raise BadSetting("a matrix is drawn of one prompt", where="--matrix", fix="Give --prompt instead of --dataset.")
    axes = [parse_axis(text) for text in options.matrix]
    cells = studio.matrix.start(settings, options.prompt, axes, scorers=options.scorers, clip_model=options.clip_model)
    if not options.detach:
        for cell in cells:
            follow(studio, cell["job_id"], output)
        cells = studio.matrix.show(cells)
    rows = [["", *axes[0].values]]
    for y in axes[1].values if len(axes) == 2 else ("",):
        rows.append([y, *(_of_cell(cell) for cell in cells if cell["y"] == y)])
    output.result({"axes": [axis.name for axis in axes], "cells": cells}, table(rows))


def _of_cell(cell: Mapping[str, Any]) -> str:
    images = cell.get("images")
    if images is None:
        return str(cell["job_id"])
    return " ".join(f"{image['candidate_id']} ({image['clip_cosine']:.3f})" for image in images) or str(cell["state"])


def _say_what_it_takes(estimate: Mapping[str, Any], output: Output) -> None:
    if estimate["left_out"]:
        output.note(f"{estimate['left_out']} captions were rejected by curation: --captions all draws them too")
    guessed = "" if estimate["measured"] else " (a guess: not measured on this machine yet)"
    takes = f"about {duration(estimate['seconds'])} and {estimate['bytes'] / 1e6:.1f} MB"
    output.note(f"{estimate['images']} images, {takes}{guessed}")
    if not estimate["fits"]:
        output.note("that is more than the disk has left: the job will pause until there is room")

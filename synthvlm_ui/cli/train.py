"""``train``: models from a selection, real images, or files, as a job that goes on without this terminal."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output, table
from synthvlm_ui.cli.parser import Commands, Parser, at_least, number

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    parser = commands.add("train", _train, "train a model on a selection, real images or files")
    parser.add_argument("--recipe", required=True, metavar="RECIPE",
                        help="synth2-vq (picture tokenizer), synth2-generator (masked-token generator), "
                             "synth2-tokens or synth2-pixels (VLM), llava-stage1, llava-stage2 or llava-lora")
    parser.add_argument("--selection", action="append", default=[], metavar="S[:WEIGHT]",
                        help="train on this selection; may be given several times")
    parser.add_argument("--real", action="append", default=[], metavar="DATASET[:WEIGHT]",
                        help="train on the real images of this dataset")
    parser.add_argument("--data", type=Path, metavar="FILE", help="train on the pairs of a file, such as LLaVA JSON")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the images that --data names")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the model and checkpoints go")
    _add_settings(parser)


def _add_settings(parser: Parser) -> None:
    add = parser.add_argument
    add("--init-from", metavar="DIR|ID", help="start from the parts of this directory (default: the embedded ones)")
    add("--config", metavar="NAME",
        help="size of what is trained: tiny, miniature, paper, ...; a wrong name lists them (default: miniature)")
    add("--language-model", metavar="DIR|ID",
        help="frozen language model that encodes the generator's text or writes the VLM's captions")
    add("--perceptual", default="miniature", metavar="NAME",
        help="network of the tokenizer's perceptual term: an open_clip model, vgg16:DIR|ID, or none "
             "(default: miniature, which has seen only the small world)")
    add("--max-steps", type=at_least(1), metavar="N", help="default: the configuration's own")
    add("--learning-rate", type=number, metavar="X", help="default: the configuration's own")
    add("--batch-size", type=at_least(1), metavar="B", help="default: the configuration's own")
    add("--seed", type=at_least(0), default=0, metavar="S", help="of weights, order and masks (default: 0)")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N (default: auto)")
    add("--on-the-fly", action="store_true",
        help="draw the tokens of a selection's captions anew each time (synth2-tokens)")
    add("--resume", action="store_true", help="go on with the training that is in --out")
    add("--vision-tower", metavar="DIR|ID", help="CLIP for a LLaVA that starts from a language model as --init-from")
    add("--split", metavar="NAMES",
        help="of real images take these splits only, as a Karpathy file names them: train,restval")
    add("--log-to", metavar="TRACKER", help="also write the numbers to tensorboard or trackio, on this machine")
    add("--dry-run", action="store_true",
        help="only look at data, model, directory, disk, memory and device, and say what would run")
    add("--here", action="store_true",
        help="train in this process and not as a job, as under accelerate, torchrun or Slurm")
    add("--detach", action="store_true", help="print the job's id and do not wait for it")


def _look(found: Mapping[str, Any], output: Output) -> int:
    """What a preflight saw; exit code 2 when the training would be refused."""
    marks = {"ok": "ok", "warning": "warning", "failed": "FAILED"}
    rows = [(marks[check["state"]], check["name"], ". ".join(filter(None, (check["text"], check["fix"]))))
            for check in found["checks"]]
    lines = [*table(rows), found["command"]]
    output.result(found, lines + ([found["launch_command"]] if found["launch_command"] else []))
    return 0 if found["ok"] else 2


def _train(options: argparse.Namespace, studio: Studio, output: Output) -> int | None:
    settings = studio.training.settings(
        recipe=options.recipe, out=str(options.out), selections=tuple(options.selection), real=tuple(options.real),
        data=_text(options.data), images=_text(options.images), init_from=options.init_from,
        configuration=options.config, language=options.language_model, perceptual=options.perceptual,
        max_steps=options.max_steps, learning_rate=options.learning_rate, batch_size=options.batch_size,
        seed=options.seed, device=options.device, resume=options.resume,
        on_the_fly=options.on_the_fly, vision_tower=options.vision_tower, split=options.split, log_to=options.log_to)
    if options.dry_run:
        return _look(studio.training.preflight(settings), output)
    if options.here:
        outcome = studio.training.run_here(settings, _Terminal(output))
        output.result(outcome, [f"trained {outcome['steps']} steps, loss {outcome['final_loss']:.4f}",
                                outcome["checkpoint"]])
        return None
    plan = studio.training.check(settings)
    job_id = studio.training.start(settings)
    output.note(f"{plan['pairs']} pairs, {plan['steps']} steps of {plan['batch_size']} ({plan['epochs']:.3g} rounds), "
                f"configuration {plan['configuration']}")
    if options.detach:
        output.result({"job_id": job_id}, [f"job {job_id} started"])
        return None
    result = follow(studio, job_id, output)["result"]
    outcome = {**{key: result.get(key) for key in ("checkpoint", "final_loss", "steps")}, "job_id": job_id}
    output.result(outcome, [f"trained {outcome['steps']} steps, loss {outcome['final_loss']:.4f}",
                            f"{outcome['checkpoint']} (job {job_id})"])
    return None


class _Terminal:
    """Shows a training that runs in this process; Ctrl-C once stops it with a checkpoint."""

    def __init__(self, output: Output) -> None:
        import signal

        self._line, self._stop = output.progress(), False
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._stopped)

    def _stopped(self, number: int, frame: object) -> None:
        self._stop = True

    def phase(self, message: str, done: int = 0, total: int = 0) -> None:
        self._line.update({"message": message, "done": done, "total": total})

    def numbers(self, step: int, steps: int, numbers: Mapping[str, float]) -> None:
        self._line.update({"done": step, "total": steps, "progress": step / steps,
                           "message": f"loss {numbers['loss']:.4f}"})

    def should_stop(self) -> bool:
        return self._stop


def _text(path: Path | None) -> str | None:
    return str(path) if path else None

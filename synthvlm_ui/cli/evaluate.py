"""``evaluate``: what a finished model can do, measured here or by an external harness."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from synthvlm_ui.cli.following import follow
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Commands, at_least, names

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio


def add_to(commands: Commands) -> None:
    parser = commands.add("evaluate", _evaluate, "measure a model on a dataset's real pairs or on texts")
    add = parser.add_argument
    add("--model", metavar="DIR", help="a directory that training or save_pretrained wrote, or an embedder's name")
    add("--dataset", metavar="NAME", help="whose real images and captions to measure on")
    add("--metrics", type=names, default=(), metavar="LIST", help="cider, retrieval, perplexity; with commas")
    add("--text", metavar="FILE", help="for perplexity: a text per line, instead of the dataset's captions")
    add("--tasks", type=names, default=(), metavar="LIST", help="tasks of lm-eval (such as mmlu), run as a process")
    add("--include-path", metavar="DIR", help="folder with task files of one's own for lm-eval")
    add("--limit", type=at_least(1), metavar="N", help="the first N pictures, texts or questions only")
    add("--split", metavar="NAMES", help="real images of these splits only, as a Karpathy file names them: test")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N (default: auto)")
    add("--lmms-eval", action="store_true", help="only print the lmms-eval line for the model")
    add("--read", metavar="PATH", help="only read a result file of lm-eval or lmms-eval")
    add("--detach", action="store_true", help="print the job's id and do not wait for it")


def _evaluate(options: argparse.Namespace, studio: Studio, output: Output) -> None:
    from synthvlm_ui.errors import BadSetting
    from synthvlm_ui.service.training.evaluation_desk import EvaluationRequest

    if options.read:
        _show(studio.evaluation.read(options.read), output)
        return
    if not options.model:
        raise BadSetting("no model is named", where="--model", fix="Name a directory.")
    if options.lmms_eval:
        line = studio.evaluation.lmms_command(options.model, f"{options.model}-lmms-eval")
        output.result({"command": line}, [line])
        return
    request = EvaluationRequest(options.model, options.dataset, options.metrics, options.text, options.tasks,
                                options.include_path, options.limit, options.split)
    job_id = studio.evaluation.start(request, options.device)
    if options.detach:
        output.result({"job_id": job_id}, [f"job {job_id} is queued"])
        return
    job = follow(studio, job_id, output)
    _show(job["result"]["metrics"], output, job_id)


def _show(metrics: dict[str, float], output: Output, job_id: str | None = None) -> None:
    answer = {"metrics": metrics} | ({"job_id": job_id} if job_id else {})
    output.result(answer, [f"{name}  {value:.4g}" for name, value in metrics.items()])

"""External benchmarks: the command that runs one, and the reading of the result file that it leaves.

lm-evaluation-harness (MMLU and any text task) is run as a process of its own; lmms-eval (ScienceQA, MM-Vet, VizWiz,
POPE, MME ...) fetches its pictures from a hub, so its command is only shown. Neither is imported. Knows no store.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import Failure, ModelUnavailable, UnreadableFile

LM_EVAL, LMMS_EVAL = "lm-eval", "lmms-eval"
_HUB_TASKS = "scienceqa_img,mmvet,vizwiz_vqa_val,pope,mme,gqa"
_LOG_LINES = 5


def lm_eval_command(model: Path, tasks: Sequence[str], out: Path, *, include_path: Path | None = None,
                    num_fewshot: int | None = None, device: str = "cpu", limit: int | None = None) -> list[str]:
    """The words of lm-evaluation-harness on a checkpoint; a vision-language one answers through its language half."""
    kind = "hf-multimodal" if _has_vision(model) else "hf"
    words = [sys.executable, "-m", "synthvlm_ui.evaluation.lm_eval_process", "run", "--model", kind, "--model_args",
             f"pretrained={model},dtype=float32", "--tasks", ",".join(tasks), "--batch_size", "8", "--device", device,
             "--output_path", str(out)]
    words += ["--include_path", str(include_path)] if include_path else []
    words += ["--num_fewshot", str(num_fewshot)] if num_fewshot is not None else []
    return words + (["--limit", str(limit)] if limit else [])


def lmms_eval_command(model: Path, out: Path, *, tasks: str = _HUB_TASKS, device: str = "cuda") -> list[str]:
    """The words of lmms-eval on a LLaVA checkpoint; it wants an environment of its own, and mmvet a judge's key."""
    return ["python", "-m", "lmms_eval", "--model", "llava_hf", "--model_args", f"pretrained={model},device={device}",
            "--tasks", tasks, "--batch_size", "1", "--output_path", str(out)]


def run_lm_eval(command: Sequence[str], out: Path, log: Path) -> dict[str, float]:
    """Runs lm-evaluation-harness, its output into ``log``, and reads what it wrote.

    Raises: ModelUnavailable when it is not installed, Failure when it breaks.
    """
    out.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              check=False).returncode
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LOG_LINES:]
        if any("No module named" in line and "lm_eval" in line for line in tail):
            raise ModelUnavailable("lm-eval is not installed", fix="Install it: pip install lm-eval.")
        raise Failure(f"lm-eval ended with code {code}: {tail[-1] if tail else 'no output'}", where=str(log),
                      fix="Read its log.")
    return read_results(out)


def read_results(path: Path) -> dict[str, float]:
    """The numbers of a result file of either harness (the newest one under a folder): "task/metric" to value.

    Raises: UnreadableFile.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*results*.json"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise UnreadableFile("there is no result file", where=str(path), fix="Name the file or folder of the results.")
    try:
        results = json.loads(files[-1].read_text(encoding="utf-8"))["results"]
        found = {f"{task}/{name}": value for task, values in results.items() for name, value in _numbers(values)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnreadableFile("this is no result file of lm-eval or lmms-eval", where=str(files[-1]),
                             fix="Name the JSON file that has a table 'results'.") from None
    if not found:
        raise UnreadableFile("the result file holds no number", where=str(files[-1]), fix="Run the harness again.")
    return found


def _numbers(values: dict[str, Any]) -> list[tuple[str, float]]:
    """Metrics without their filter's name ("acc,none" -> "acc"), without the alias and the errors of estimates."""
    plain = [(name.split(",")[0], value) for name, value in values.items()]
    return [(name, float(value)) for name, value in plain
            if isinstance(value, int | float) and not isinstance(value, bool) and not name.endswith("_stderr")]


def _has_vision(model: Path) -> bool:
    try:
        return "vision_config" in json.loads((model / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False

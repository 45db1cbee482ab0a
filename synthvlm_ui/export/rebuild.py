"""The script of an export that makes its pairs again: captions, seeds and settings in, the same candidates out.

Knows the command line only as text. Ids of candidates follow from their settings, so the script can name what was
chosen by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from synthvlm_ui.records import Candidate, Selection

CAPTIONS, IDS, SCRIPT = "captions.jsonl", "ids.txt", "rebuild.sh"
_PROGRAM = "python -m synthvlm_ui --workspace \"$WORKSPACE\""


@dataclass
class Rebuild:
    """Collects what the script needs while pairs pass by."""

    captions: dict[tuple[str, str], str] = field(default_factory=dict)
    runs: dict[tuple[str, ...], int] = field(default_factory=dict)

    def add(self, candidate: Candidate) -> None:
        self.captions[candidate.dataset, candidate.caption_id] = candidate.caption
        run = tuple(shlex.join(part) for part in _settings(candidate))
        self.runs[run] = max(self.runs.get(run, 0), candidate.repeat + 1)

    def script(self, selection: Selection | None, select_command: str) -> str:
        """A bash script; run it from a checkout of SynthVLM UI, in its environment."""
        lines = [
            "#!/usr/bin/env bash", "# Makes the pairs of this export again, from their captions and seeds.",
            "# Run it in a checkout of SynthVLM UI with its environment active: bash rebuild.sh [WORKSPACE]",
            "set -euo pipefail", 'HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"',
            'WORKSPACE="${1:-$HERE-rebuilt}"', ""]
        for dataset in sorted({dataset for dataset, _ in self.captions}):
            lines.append(f'{_PROGRAM} captions import "$HERE/{CAPTIONS}" --dataset {shlex.quote(dataset)}')
        lines += [f"{_PROGRAM} generate {' '.join(run)} --images-per-caption {count}"
                  for run, count in sorted(self.runs.items())]
        if select_command:
            lines += ["", "# The rule as written; verdicts and scores that changed since change what it keeps.",
                      f"# {select_command}"]
        name = shlex.quote(selection.name if selection else "rebuilt")
        dataset = shlex.quote(min(dataset for dataset, _ in self.captions))
        lines += ["", "# The very pairs of this export, by id.",
                  f'{_PROGRAM} verdict set keep --ids-file "$HERE/{IDS}"',
                  f"{_PROGRAM} select --dataset {dataset} --name {name} --guards off --where 'verdict == keep'", ""]
        return "\n".join(lines)


def _settings(candidate: Candidate) -> Iterable[list[str]]:
    yield ["--dataset", candidate.dataset]
    yield ["--generator", candidate.model if candidate.generator == "local" else candidate.generator]
    yield ["--seed", str(candidate.run_seed)]
    yield ["--num-inference-steps", str(candidate.num_inference_steps)]
    yield ["--guidance-scale", f"{candidate.guidance_scale:g}"]
    yield ["--width", str(candidate.width), "--height", str(candidate.height)]
    if candidate.negative_prompt:
        yield ["--negative-prompt", candidate.negative_prompt]
    if candidate.prompt_template != "{caption}":
        yield ["--prompt-template", candidate.prompt_template]

"""One process of several, as torchrun starts them: trains a LLaVA and writes the losses that its watcher was told.

    torchrun --nproc-per-node 2 several_processes.py LLAVA OUT STOP_AFTER

Only the last process asks to stop, after STOP_AFTER steps (0: never).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from synthvlm_ui.models import torchvision_ops  # noqa: E402

torchvision_ops.ensure_importable()  # before transformers looks for it

from training_pairs import FewPairs, Watching  # noqa: E402

from synthvlm_ui.training import Source, preset_of  # noqa: E402
from synthvlm_ui.training.conversations import PairConversations  # noqa: E402
from synthvlm_ui.training.llava import train_llava  # noqa: E402


class LastAsks(Watching):
    """Counts how often it is asked, since only the first process is told numbers."""

    asked = 0

    def should_stop(self) -> bool:
        self.asked += 1
        return int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1 and self.asked == self.stop_after


if __name__ == "__main__":
    llava, out, stop_after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    watching = LastAsks(stop_after)
    preset = replace(preset_of("llava-stage1", "tiny"), steps=6, batch_size=4, device_batch_size=4)
    outcome = train_llava("llava-stage1", preset, PairConversations([Source("few", FewPairs(8))]), watching, out=out,
                          model_from=(llava, None))
    told = {"losses": watching.losses, "finished": outcome.finished, "steps": outcome.steps}
    (out / f"process-{os.environ['RANK']}.json").write_text(json.dumps(told), encoding="utf-8")

"""A training that is killed in the middle goes on where its last checkpoint was, and ends with the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from synthvlm_ui.miniature import loop
from synthvlm_ui.miniature.vq_recipe import TokenizerRecipe
from synthvlm_ui.models.vq_tokenizer import TokenizerConfig

SIZES = {"width": 16, "decoder_width": 16, "encoder_blocks": 1, "decoder_blocks": 1}
STEPS = 12
SCRIPT = """
import sys, time
from pathlib import Path
from synthvlm_ui.miniature import loop
from synthvlm_ui.miniature.vq_recipe import TokenizerRecipe
from synthvlm_ui.models.vq_tokenizer import TokenizerConfig
import torch
torch.set_num_threads(1)
class Slow(TokenizerRecipe):
    def step(self, step):
        time.sleep(0.1)
        return super().step(step)
recipe = Slow(steps={steps}, batch=4, config=TokenizerConfig(**{sizes}))
loop.train(recipe, Path(sys.argv[1]), Path(sys.argv[2]), checkpoint_every_s=0.0)
"""


def small() -> TokenizerRecipe:
    return TokenizerRecipe(steps=STEPS, batch=4, config=TokenizerConfig(**SIZES))


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        unbroken = small()
        loop.train(unbroken, tmp_path / "a", tmp_path / "out-a")
        script = SCRIPT.format(steps=STEPS, sizes=SIZES)
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "b"), str(tmp_path / "out-b")])
        checkpoint = tmp_path / "b" / loop.CHECKPOINT
        for _ in range(1200):
            if checkpoint.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it had finished before it could be killed"
        resumed = small()
        assert loop.train(resumed, tmp_path / "b", tmp_path / "out-b", resume=True)
    finally:
        torch.set_num_threads(threads)
    for name, tensor in unbroken.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert (tmp_path / "out-b" / "model.safetensors").read_bytes() == (
        tmp_path / "out-a" / "model.safetensors").read_bytes()

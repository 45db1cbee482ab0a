"""LLaVA's two stages and LoRA through transformers' Trainer: one process, or several under accelerate or torchrun.

The Trainer reports to the same watcher as the other recipes, stops where it is asked to, and restores the weights when
it goes on. Knows no store.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.training.conversations import Conversations
from synthvlm_ui.training.llava_data import Collate, ConversationDataset, Format, picture_tokens
from synthvlm_ui.training.llava_model import PROJECTOR, check_memory, open_llava, prepare
from synthvlm_ui.training.loop import LAST_LOSSES
from synthvlm_ui.training.presets import Preset
from synthvlm_ui.training.request import Outcome
from synthvlm_ui.training.watcher import Watcher

CHECKPOINT_EVERY_S = 1200.0
PROJECTOR_RATE = 2e-5  # LLaVA's LoRA script trains the projector slower than the adapters
_INCOMPLETE = "checkpoint-is-incomplete.txt"


class ResumableTrainer(Trainer):
    """A Trainer that restores the weights of a LLaVA checkpoint.

    transformers 5 saves LLaVA under the names of earlier versions, and its own loading of a checkpoint looks for
    today's: it restores step and optimiser, warns of missing keys, and trains on from the weights it happened to have.
    """

    projector_rate: float | None = None

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        target: Any = self.model if model is None else model
        if hasattr(target, "peft_config"):  # adapters have names of their own, which do come back
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        saved = type(target).from_pretrained(resume_from_checkpoint, dtype=torch.float32, local_files_only=True)
        target.load_state_dict(saved.state_dict(), strict=True)

    def create_optimizer(self, *arguments: Any, **options: Any) -> Any:
        """Two learning rates where the projector has its own."""
        if self.projector_rate is not None and self.optimizer is None:
            model: Any = self.model
            trained = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
            groups: list[dict[str, Any]] = [{"params": [p for n, p in trained if PROJECTOR not in n]},
                      {"params": [p for n, p in trained if PROJECTOR in n], "lr": self.projector_rate}]
            self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate, weight_decay=self.args.weight_decay)
        return super().create_optimizer(*arguments, **options)


class _Reporting(TrainerCallback):
    """Full-precision numbers to the watcher; a checkpoint now and then, and where the user stops."""

    def __init__(self, watcher: Watcher, checkpoint_every_s: float) -> None:
        self._watcher, self._every_s = watcher, checkpoint_every_s
        self._saved_s = time.monotonic()
        self.stopped = False

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None,
               **others: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            numbers = {name: float(logs[name]) for name in ("loss", "grad_norm", "learning_rate") if name in logs}
            self._watcher.numbers(state.global_step, state.max_steps, numbers)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
                    **others: Any) -> None:
        stop, save = _agreed(args.device, self._watcher.should_stop(), time.monotonic() - self._saved_s > self._every_s)
        if stop and state.global_step < state.max_steps:
            self.stopped = control.should_save = control.should_training_stop = True
        elif save:
            control.should_save = True
            self._saved_s = time.monotonic()


def _agreed(device: torch.device, *wishes: bool) -> list[bool]:
    """What any of the processes wishes: one that stopped alone would leave the others waiting for its gradients."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return list(wishes)
    shared = torch.tensor(wishes, dtype=torch.int32, device=device)
    distributed.all_reduce(shared, distributed.ReduceOp.MAX)
    return [bool(wish) for wish in shared.tolist()]


def train_llava(recipe: str, preset: Preset, conversations: Conversations, watcher: Watcher, *, out: Path,
                model_from: tuple[Path, Path | None], device: str = "cpu", seed: int = 0) -> Outcome:
    """Trains one stage; goes on from the newest checkpoint under ``out/run``.

    ``model_from`` is a LLaVA directory, or a language model and a vision tower. Leaves the whole model and its
    processor in ``out``, so that the next stage and every evaluation can read it.
    """
    watcher.phase("opening the model")
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    torch.manual_seed(seed)  # of a new projector
    model, processor = open_llava(*model_from, dtype)
    model = prepare(model, recipe, rank=preset.lora_rank)
    check_memory(model, device)
    form: Format = "plain" if recipe == "llava-stage1" else "v1"
    dataset = ConversationDataset(conversations, processor, form, picture_tokens(processor))
    steps = preset.steps or math.ceil(len(conversations) / preset.batch_size)
    reporting = _Reporting(watcher, CHECKPOINT_EVERY_S)
    arguments = _arguments(preset, steps, out / "run", device, seed)
    trainer = ResumableTrainer(model, arguments, train_dataset=dataset, data_collator=Collate(processor),
                               processing_class=processor, callbacks=[reporting])
    trainer.projector_rate = PROJECTOR_RATE if recipe == "llava-lora" else None
    checkpoint = latest_checkpoint(out / "run")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trained: Any = trainer.model
    if not reporting.stopped:
        trainer._save_checkpoint(trained, trial=None)
    if trainer.is_world_process_zero():
        _export(trained, processor, out, merge=recipe == "llava-lora" and not reporting.stopped)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row][-LAST_LOSSES:]
    return Outcome(trainer.state.global_step, float(np.mean(losses)) if losses else math.nan, not reporting.stopped)


def latest_checkpoint(run: Path) -> Path | None:
    """The newest whole checkpoint of transformers in a folder."""
    whole = [path for path in run.glob("checkpoint-*")
             if (path / "trainer_state.json").is_file() and not (path / _INCOMPLETE).exists()]
    return max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def _arguments(preset: Preset, steps: int, run: Path, device: str, seed: int) -> TrainingArguments:
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    share, left = divmod(preset.batch_size, processes)
    if left:
        raise BadSetting(f"a batch of {preset.batch_size} cannot be shared by {processes} processes",
                         where="--batch-size", fix=f"Give a multiple of {processes}.")
    per_device = math.gcd(share, preset.device_batch_size)
    on_card = device.startswith("cuda")
    return TrainingArguments(
        output_dir=str(run), max_steps=steps, per_device_train_batch_size=per_device,
        gradient_accumulation_steps=share // per_device,
        learning_rate=preset.learning_rate, lr_scheduler_type="cosine", warmup_steps=preset.warmup_share,
        weight_decay=preset.weight_decay, max_grad_norm=preset.gradient_clip, bf16=on_card, tf32=on_card or None,
        use_cpu=not on_card, gradient_checkpointing=on_card, save_strategy="no", save_total_limit=1,
        logging_steps=max(1, steps // 2000), report_to="none", remove_unused_columns=False, seed=seed,
        dataloader_num_workers=4 if on_card else 0, dataloader_pin_memory=on_card, disable_tqdm=True,
    )  # fmt: skip


def _export(model: Any, processor: Any, out: Path, *, merge: bool) -> None:
    """The whole model as safetensors, written beside and then moved into place file by file."""
    draft = out / "run" / "export"
    if hasattr(model, "peft_config"):
        model.save_pretrained(out / "adapter")
        if not merge:
            return
        model = model.merge_and_unload()
    if model.dtype != torch.float32:
        model = model.to(torch.bfloat16)  # as it was opened; what was trained had 32 bits
    model.save_pretrained(draft)
    processor.save_pretrained(draft)
    # The config last: where it is, the model is whole.
    for path in sorted(draft.iterdir(), key=lambda path: path.name == "config.json"):
        os.replace(path, out / path.name)
    draft.rmdir()


"""The folder ``run`` beside the trained parts: what was asked for, and the latest checkpoint to go on from.

A checkpoint is a folder with safetensors and JSON, complete or absent; nothing is pickled. Knows no network; imports
torch only to read and write tensors.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting, CorruptData

RUN, SETTINGS, PREFIX, TENSORS, STATE = "run", "settings.json", "checkpoint-", "tensors.safetensors", "state.json"
# What may differ between a run and its continuation: it may be asked for more steps, and elsewhere.
_MAY_CHANGE = ("steps", "device", "job", "command", "continues")


@dataclass(frozen=True)
class Checkpoint:
    """``done`` steps; ``tensors`` by name; ``facts`` are whatever small things the loop keeps."""

    done: int
    tensors: Mapping[str, Any]
    facts: Mapping[str, Any]


class RunDirectory:
    """Reads and writes the run of one output directory."""

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, out / RUN

    def settings(self) -> dict[str, Any]:
        """What the run was started with, {} when there is none."""
        try:
            return dict(json.loads((self.path / SETTINGS).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def begin(self, settings: Mapping[str, Any], *, resume: bool) -> bool:
        """Claims the directory for a run with these settings; returns whether it continues an earlier one.

        Raises: BadSetting when the directory holds another run, or one that was not to be continued.
        """
        there = self.settings()
        own = settings.get("job") is not None and there.get("job") == settings["job"]  # a job that was resumed
        if there and not (resume or own):
            raise BadSetting("there is a training in this directory already", where=str(self.out),
                             fix="Give --resume to go on with it, or another --out.")
        if there:
            for name in settings.keys() - set(_MAY_CHANGE):
                if json.loads(json.dumps(settings[name])) != there.get(name):
                    raise BadSetting(f"this run has {name} {there.get(name)!r}, not {settings[name]!r}",
                                     where=str(self.out), fix="Resume with the same settings, or give another --out.")
        self.path.mkdir(parents=True, exist_ok=True)
        _replace(self.path / SETTINGS, json.dumps(dict(settings), indent=1) + "\n")
        return bool(there)

    def latest(self) -> Path | None:
        """The folder of the newest whole checkpoint."""
        whole = [path for path in self.path.glob(f"{PREFIX}*") if (path / STATE).is_file()]
        return max(whole, key=lambda path: int(path.name.removeprefix(PREFIX)), default=None)

    def save(self, checkpoint: Checkpoint) -> Path:
        """Writes a checkpoint and lets go of the ones before it."""
        from safetensors.torch import save_file

        target = self.path / f"{PREFIX}{checkpoint.done:08d}"
        draft = self.path / f".{target.name}.{secrets.token_hex(4)}"
        draft.mkdir(parents=True)
        try:
            tensors = {name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()}
            save_file(tensors, draft / TENSORS)
            state = {"done": checkpoint.done, **checkpoint.facts}
            (draft / STATE).write_text(json.dumps(state), encoding="utf-8")
            for name in (TENSORS, STATE):
                _sync(draft / name)
            shutil.rmtree(target, ignore_errors=True)
            os.rename(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sync(self.path)
        for path in self.path.glob(f"*{PREFIX}*"):
            if path != target:
                shutil.rmtree(path, ignore_errors=True)
        return target

    def load(self, device: str = "cpu") -> Checkpoint | None:
        """The newest checkpoint, None when there is none. Raises: CorruptData."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.latest()
        if path is None:
            return None
        try:
            state = json.loads((path / STATE).read_text(encoding="utf-8"))
            return Checkpoint(int(state.pop("done")), load_file(path / TENSORS, device=device), state)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CorruptData("a checkpoint does not read back", where=str(path),
                              fix="Delete its folder and start again.") from error


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_text(text, encoding="utf-8")
    _sync(draft)
    os.replace(draft, path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

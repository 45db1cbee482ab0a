"""What can go wrong with a training, looked at before it starts: data, model, directory, disk, memory, device.

Each check says what it saw. Never imports torch; the worker looks once more at what only an opened network tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from synthvlm_ui.comparison import RefusedImage, read_real_image
from synthvlm_ui.config import MIN_FREE_BYTES, MINIATURE
from synthvlm_ui.errors import SynthVLMError
from synthvlm_ui.jobs import free_bytes_at
from synthvlm_ui.service.machine.devices import Card, cards
from synthvlm_ui.training import Room, room_of_llava, room_of_synth2

_SAMPLED = 8
_AT_WORK = ("running", "queued", "stopping", "paused")
GIB = 2**30


@dataclass(frozen=True)
class Check:
    """``state`` is ok, warning (it may still work) or failed (it would not)."""

    name: str
    state: str
    text: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def look(name: str, what: Callable[[], Check | str]) -> Check:
    """The check's own verdict, or what it raised as one that failed."""
    try:
        found = what()
    except SynthVLMError as error:
        where = f" ({error.where})" if error.where else ""
        return Check(name, "failed", error.what + where, error.fix)
    return Check(name, "ok", found) if isinstance(found, str) else found


def sampled_pictures(read: Callable[[int], Any], count: int) -> Check | None:
    """Opens a few pictures spread over the data, whole; None when all are fine."""
    for place in range(min(_SAMPLED, count)):
        index = place * count // min(_SAMPLED, count)
        try:
            picture = read(index)
            if isinstance(picture, bytes):
                read_real_image(picture)
        except (RefusedImage, OSError) as reason:
            return Check("data", "failed", f"the image of pair {index} cannot be used: {reason}",
                         "Leave it out, or repair the file.")
    return None


def room_of(settings: Any, configuration: str, preset: Any, *, on_card: bool) -> Room | None:
    """What the training will hold, from the files that are here."""
    start = _directory(settings.init_from)
    if settings.recipe.startswith("llava"):
        if start is None:
            return None
        return room_of_llava(settings.recipe, preset, start, _directory(settings.vision_tower), on_card=on_card)
    beside = start / "lm" if start is not None and (start / "lm").is_dir() else MINIATURE / "lm"
    language = _directory(settings.language) or beside
    return room_of_synth2(settings.recipe, configuration, start, language)


def disk_check(out: Path, room: Room | None) -> Check:
    """Whether checkpoints and the model fit beside each other."""
    free, needed = free_bytes_at(out), MIN_FREE_BYTES + (room.disk_bytes if room else 0)
    text = f"{_size(free)} are free; checkpoints and the model need about {_size(needed)}"
    if free < needed:
        return Check("disk", "failed", text, "Free some space, or choose another output directory.")
    return Check("disk", "ok", text)


def memory_check(device: str, room: Room | None) -> Check:
    """Whether weights, gradients and moments fit; activations come on top."""
    total, free, where = _memory_of(device)
    if room is None:
        return Check("memory", "warning", "how much it needs is not known before the model is here",
                     "Download the model first, or watch the log.")
    text = (f"{_size(room.memory_bytes)} for {_many(room.trained)} trained and {_many(room.frozen)} frozen parameters, "
            "without activations")
    if total is None or free is None:
        return Check("memory", "warning", f"{text}; how much {where} has is not known")
    text += f"; {_size(free)} of {_size(total)} are free on {where}"
    fix = "Choose a smaller configuration or model, llava-lora, or another device."
    if room.memory_bytes > total:
        return Check("memory", "failed", text, fix)
    return Check("memory", "warning", text, fix) if room.memory_bytes > free else Check("memory", "ok", text)


def device_check(name: str, jobs: Sequence[dict[str, Any]]) -> Check:
    """Whether the device is there and who uses it."""
    if name.startswith("cuda") and _card(name) is None:
        return Check("device", "failed", f"there is no device {name} on this machine", "Choose cpu or auto.")
    found = _card(name)
    text = found.name if found else f"{os.cpu_count()} CPU cores" if name == "cpu" else name
    ahead = [job for job in jobs if job["device"] == name and job["state"] in _AT_WORK]
    if ahead:
        jobs_word = "1 job is" if len(ahead) == 1 else f"{len(ahead)} jobs are"
        return Check("device", "warning", f"{name}: {text}; {jobs_word} ahead in its queue", "It will wait its turn.")
    return Check("device", "ok", f"{name}: {text}, nothing waits")


def _card(name: str) -> Card | None:
    known = cards()
    number = int(name.partition(":")[2] or 0) if name.partition(":")[2].isdecimal() or ":" not in name else -1
    return known[number] if name.startswith("cuda") and 0 <= number < len(known) else None


def _memory_of(name: str) -> tuple[int | None, int | None, str]:
    card = _card(name)
    if card is not None:
        return card.total_bytes, card.free_bytes, card.name
    if name == "cpu":
        found = psutil.virtual_memory()
        return int(found.total), int(found.available), "this machine"
    return None, None, name


def _directory(name: str | None) -> Path | None:
    return Path(name).expanduser() if name and Path(name).expanduser().is_dir() else None


def _size(n: int) -> str:
    return f"{n / GIB:.1f} GiB" if n >= GIB else f"{n / 2**20:.0f} MiB"


def _many(n: int) -> str:
    if n >= 10**9:
        return f"{n / 10**9:.1f} billion"
    return f"{n / 10**6:.1f} million" if n >= 10**5 else f"{n:,}"

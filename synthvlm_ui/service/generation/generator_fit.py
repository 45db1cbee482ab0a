"""How a generator would lie in the memory of this machine's default device, before it is downloaded or loaded.

Never imports torch. The worker that loads it decides anew, from what is free then.
"""

from __future__ import annotations

from synthvlm_ui.backends import DeviceMemory, GeneratorFacts, choose_engine
from synthvlm_ui.errors import OutOfMemory
from synthvlm_ui.records import EngineSettings
from synthvlm_ui.service.machine.devices import cards, default_device


def memory_here() -> DeviceMemory | None:
    """What is free on the default device, None where nobody tells."""
    device = default_device()
    if device == "cuda":
        found = cards()
        return DeviceMemory(device, found[0].free_bytes) if found else None
    import psutil

    return DeviceMemory(device, int(psutil.virtual_memory().available))


def fit_of(facts: GeneratorFacts, memory: DeviceMemory | None) -> str:
    """One line: number format and where the parts would lie, or that they do not fit; "" where the size is unknown."""
    if memory is None or not facts.parameters:
        return ""
    dtype = {"cuda": "bfloat16", "mps": "float16"}.get(memory.device, "float32")
    parts = {name: int(count * 1e9) for name, count in facts.parameters.items()}
    try:
        choice = choose_engine(EngineSettings(), dtype, parts, memory, facts.native_px)
    except OutOfMemory as error:
        return f"too large: {error.what}"
    return f"{choice.dtype}, {choice.place}; {choice.reason}"

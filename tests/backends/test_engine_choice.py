"""Where the parts of a pipeline lie, from the memory of a device that need not be here."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthvlm_ui.backends.engine_choice import DeviceMemory, choose_engine, parameters_of
from synthvlm_ui.backends.presets import PRESETS
from synthvlm_ui.errors import OutOfMemory
from synthvlm_ui.records import EngineSettings

GB = 10**9


def chosen(preset: str, free_gb: float, device: str = "cuda", **engine: str) -> tuple[str, str]:
    facts = PRESETS[preset]
    parts = {name: int(count * GB) for name, count in facts.parameters.items()}
    choice = choose_engine(EngineSettings(**engine), "bfloat16", parts,  # type: ignore[arg-type]
                           DeviceMemory(device, int(free_gb * GB)), facts.native_px)
    return choice.offload, choice.vae


@pytest.mark.parametrize(("preset", "free_gb", "wanted"), [
    ("sdxl", 78, ("none", "whole")), ("sdxl", 12, ("none", "whole")), ("sdxl", 9.5, ("none", "tiled")),
    ("sdxl", 8, ("model", "tiled")), ("sdxl", 4, ("sequential", "tiled")),
    ("flux-dev", 78, ("none", "whole")), ("flux-dev", 32, ("model", "whole")),
    ("flux-dev", 16, ("sequential", "whole")),
])
def test_the_choice_follows_the_memory(preset: str, free_gb: float, wanted: tuple[str, str]) -> None:
    assert chosen(preset, free_gb) == wanted


def test_more_memory_never_chooses_less() -> None:
    order = ("sequential", "model", "none")
    places = [order.index(chosen("sdxl", free_gb)[0]) for free_gb in range(2, 40)]
    assert places == sorted(places)


def test_what_the_user_wants_stands() -> None:
    assert chosen("sdxl", 78, offload="sequential", vae="sliced") == ("sequential", "sliced")


def test_a_processor_moves_nothing_and_says_what_does_not_fit() -> None:
    assert chosen("sdxl", 16, "cpu")[0] == "none"
    with pytest.raises(OutOfMemory, match=r"take 6\.9 GB in bfloat16 and cpu has 3\.8 GB free"):
        chosen("sdxl", 4, "cpu")


def test_the_choice_is_said_in_words() -> None:
    choice = choose_engine(EngineSettings(compile=True, fuse_qkv=True), "bfloat16", {"unet": GB},
                           DeviceMemory("cuda:1", 50 * GB), 1024)
    assert str(choice) == "bfloat16, native attention, all parts on the device, VAE whole, compiled blocks, fused QKV"
    assert choice.reason == "weights 2.0 GB (largest part 2.0 GB), 47.5 GB usable on cuda:1"


def test_parameters_are_counted_from_the_headers(models: Path) -> None:
    from diffusers import UNet2DConditionModel

    counts = parameters_of(models / "sd")
    unet = UNet2DConditionModel.from_pretrained(models / "sd" / "unet")
    assert counts["unet"] == sum(one.numel() for one in unet.parameters())
    assert set(counts) == {"text_encoder", "unet", "vae"}

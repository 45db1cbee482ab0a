"""What a recipe does when the user names nothing else: steps, batch, learning rate, loss weights, with their sources.

Knows no network: the shapes behind a configuration's name are in ``models.sizes``. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from synthvlm_ui.errors import BadSetting, UnknownName

RECIPES = ("synth2-vq", "synth2-generator", "synth2-tokens", "synth2-pixels", "llava-stage1", "llava-stage2",
           "llava-lora")
DEFAULT_CONFIGURATION = "miniature"


@dataclass(frozen=True)
class Preset:
    """One recipe at one size.

    0 ``steps`` are one round through the pairs. ``warmup_share`` of the steps the learning rate rises, then it falls
    along a cosine when ``cosine`` is on. ``adversarial_start`` is the share of the steps after which the discriminator
    joins. ``device_batch_size`` is what goes through a large model at once; gradients are summed up to ``batch_size``.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_share: float
    note: str
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    cosine: bool = True
    perceptual_weight: float = 0.05
    adversarial_weight: float = 0.01
    adversarial_start: float = 0.1
    caption_dropout: float = 0.1
    average_decay: float = 0.999
    dropout: float = 0.0
    device_batch_size: int = 8
    lora_rank: int = 128


# Synth2 Table 6: Adam (0.9, 0.99), 1e-4 for both networks, batch 256, cosine decay, warm-up 10,000 of 500,000 steps;
# it clips nothing and starts the adversarial term at a step that is not given.
_VQ = {"betas": (0.9, 0.99), "gradient_clip": 0.0}
# Synth2 A.1.2 and 4.1.2: AdamW, 1e-4, warm-up 5,000 of 500,000 steps, weight decay 1e-4, clip 1.0, batch 512; no
# decay of the rate is mentioned.
# Synth2 A.2: fine-tuning with 1e-5 and dropout 0.1; steps and batch are not given.
_GENERATOR = {"weight_decay": 1e-4, "gradient_clip": 1.0, "cosine": False}

PRESETS: dict[tuple[str, str], Preset] = {
    ("synth2-vq", "tiny"): Preset(400, 16, 2e-3, 0.05, "32 px, to try things", **_VQ),  # type: ignore[arg-type]
    ("synth2-vq", "miniature"): Preset(3000, 64, 1e-3, 0.03, "64 px, finite scalars", **_VQ),  # type: ignore[arg-type]
    ("synth2-vq", "paper"): Preset(500_000, 256, 1e-4, 0.02, "256 px, Table 6", **_VQ),  # type: ignore[arg-type]
    ("synth2-vq", "paper-decoder"): Preset(
        500_000, 256, 1e-4, 0.02, "256 px, a larger decoder for finished codes", **_VQ),  # type: ignore[arg-type]
    ("synth2-generator", "tiny"): Preset(
        400, 16, 2e-3, 0.05, "to try things", **_GENERATOR),  # type: ignore[arg-type]
    ("synth2-generator", "miniature"): Preset(
        4000, 48, 1e-3, 0.02, "3.7 million parameters", **_GENERATOR),  # type: ignore[arg-type]
    ("synth2-generator", "paper"): Preset(
        500_000, 512, 1e-4, 0.01, "120 million parameters, A.1.3", **_GENERATOR),  # type: ignore[arg-type]
}  # fmt: skip
for _recipe in ("synth2-tokens", "synth2-pixels"):
    PRESETS |= {
        (_recipe, "tiny"): Preset(400, 16, 2e-3, 0.05, "to try things", **_GENERATOR),  # type: ignore[arg-type]
        (_recipe, "miniature"): Preset(
            3000, 32, 1e-3, 0.03, "a frozen 1.3 million parameter LM", **_GENERATOR),  # type: ignore[arg-type]
        (_recipe, "paper"): Preset(
            500_000, 512, 1e-4, 0.01, "384 million trained, A.1.4", **_GENERATOR),  # type: ignore[arg-type]
        (_recipe, "finetune"): Preset(
            10_000, 512, 1e-5, 0.01, "goes on from --init-from, A.2", dropout=0.1, **_GENERATOR),  # type: ignore[arg-type]
    }
# LLaVA-1.5's training scripts: AdamW, cosine, warm-up 3 %, one round; SynthVLM replaces the data of stage 1 by 100,000
# synthetic pairs and reports no other settings.
for _name, _note in (("synthvlm", "stage 1 on 100,000 synthetic pairs"), ("llava-1.5", "stage 1 on 558,000 pairs")):
    PRESETS |= {
        ("llava-stage1", _name): Preset(0, 256, 1e-3, 0.03, f"projector; {_note}"),
        ("llava-stage2", _name): Preset(0, 128, 2e-5, 0.03, "projector and language model; 665,000 instructions"),
        ("llava-lora", _name): Preset(0, 128, 2e-4, 0.03, "adapters of rank 128 and projector"),
    }
for _recipe in ("llava-stage1", "llava-stage2", "llava-lora"):
    PRESETS[_recipe, "tiny"] = Preset(0, 8, 1e-3, 0.03, "for a tiny model on a processor", lora_rank=8)


def configurations(recipe: str) -> list[str]:
    """The named sizes of a recipe. Raises: UnknownName."""
    if recipe not in RECIPES:
        raise UnknownName.of("recipe", recipe, list(RECIPES))
    return [name for known, name in PRESETS if known == recipe]


def preset_of(recipe: str, configuration: str) -> Preset:
    """Raises: UnknownName for a recipe, BadSetting for a size that it does not come in."""
    known = configurations(recipe)
    if configuration not in known:
        raise BadSetting(f"{recipe} has no configuration {configuration!r}", where="--config",
                         fix=f"Choose one of {', '.join(known)}.")
    return PRESETS[recipe, configuration]

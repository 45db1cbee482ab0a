"""What one training is asked to do, and what came of it. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.training.pairs import Source
from synthvlm_ui.training.presets import DEFAULT_CONFIGURATION, Preset, configurations, preset_of
from synthvlm_ui.training.run_directory import RunDirectory


@dataclass(frozen=True)
class TrainRequest:
    """Everything a recipe needs. None means the preset's own number.

    Without a ``configuration`` the weights of ``init_from`` are trained on, at their size; a named one starts anew.
    ``init_from`` is a directory with finished parts (``vq``, ``lm``, ``generator``); ``parts`` the one that stands in
    for what it lacks. ``language`` is the directory of another frozen language model. ``features`` opens the network
    whose features the perceptual term compares; None leaves that term out. ``resume`` goes on in a directory that holds
    a run. ``on_the_fly`` draws the tokens of synthetic captions anew each time.
    """

    recipe: str
    out: Path
    sources: tuple[Source, ...]
    parts: Path
    configuration: str | None = None
    init_from: Path | None = None
    language: Path | None = None
    features: Callable[[], Any] | None = None
    steps: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0
    device: str = "cpu"
    resume: bool = False
    on_the_fly: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("max_steps", self.steps), ("batch_size", self.batch_size)):
            if value is not None and value < 1:
                raise BadSetting(f"{name} is {value}", where=f"--{name.replace('_', '-')}", fix="Give 1 or more.")
        if self.learning_rate is not None and not 0 < self.learning_rate < 1:
            raise BadSetting(f"the learning rate is {self.learning_rate}", where="--learning-rate",
                             fix="Give a number between 0 and 1.")
        if self.on_the_fly and self.recipe != "synth2-tokens":
            raise BadSetting(f"{self.recipe} reads no tokens", where="--on-the-fly", fix="Use synth2-tokens.")
        self.preset()

    def configuration_name(self) -> str:
        """The named size, that of what it starts from, or the default."""
        earlier = RunDirectory(self.init_from).settings() if self.init_from and not self.configuration else {}
        known = earlier.get("configuration") if earlier.get("recipe") == self.recipe else None
        names = configurations(self.recipe)
        return self.configuration or known or (DEFAULT_CONFIGURATION if DEFAULT_CONFIGURATION in names else names[0])

    def preset(self) -> Preset:
        """The preset with what the user changed of it. Raises: UnknownName, BadSetting."""
        preset = preset_of(self.recipe, self.configuration_name())
        given: dict[str, Any] = {"steps": self.steps, "learning_rate": self.learning_rate,
                                 "batch_size": self.batch_size}
        return replace(preset, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class Outcome:
    """``steps`` done in all, the mean loss of the last of them, and whether the last step was done."""

    steps: int
    final_loss: float
    finished: bool

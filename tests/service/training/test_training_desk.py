"""Training through the Studio: LLaVA from a file, in this process; what is checked before; the lines that are shown."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from synthvlm_ui.cli import build_parser
from synthvlm_ui.errors import BadSetting, EmptyInput, ModelUnavailable, SynthVLMError, UnreadableFile
from synthvlm_ui.models import torchvision_ops
from synthvlm_ui.service import Studio
from synthvlm_ui.service.training.trial import caption
from synthvlm_ui.training import PRESETS, room_of_llava

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


class Silent:
    """A watcher that only counts."""

    steps = 0

    def phase(self, message: str, done: int = 0, total: int = 0) -> None: ...

    def numbers(self, step: int, steps: int, numbers: object) -> None:
        self.steps += 1

    def should_stop(self) -> bool:
        return False


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "images").mkdir()
    rows = []
    for number in range(4):
        Image.new("RGB", (40, 30), (60 * number, 0, 0)).save(tmp_path / "images" / f"{number}.png")
        rows.append({"id": str(number), "image": f"{number}.png", "conversations": [
            {"from": "human", "value": "What is it?\n<image>"}, {"from": "gpt", "value": "a red wall"}]})
    (tmp_path / "llava.json").write_text(json.dumps(rows), encoding="utf-8")
    return {"data": str(tmp_path / "llava.json"), "images": str(tmp_path / "images")}


def test_llava_trains_in_this_process_and_refuses_a_second_run(
    studio: Studio, data: dict[str, Any], tmp_path: Path
) -> None:
    torchvision_ops.ensure_importable()
    from tests.training.tiny_llava import save_llava

    settings = studio.training.settings(
        recipe="llava-stage1", out=str(tmp_path / "out"), init_from=str(save_llava(tmp_path / "llava")),
        configuration="tiny", max_steps=2, batch_size=2, device="cpu", **data)
    assert studio.training.check(settings) == {
        "pairs": 4, "steps": 2, "batch_size": 2, "learning_rate": 1e-3, "epochs": 1.0, "configuration": "tiny"}
    watcher = Silent()
    outcome = studio.training.run_here(settings, watcher)
    assert (outcome["steps"], watcher.steps) == (2, 2) and outcome["final_loss"] > 0
    assert (tmp_path / "out" / "model.safetensors").is_file() and (tmp_path / "out" / "config.json").is_file()
    with pytest.raises(BadSetting, match="already"):
        studio.training.run_here(settings, watcher)
    picture = base64.b64encode((tmp_path / "images" / "1.png").read_bytes()).decode()
    said = caption({"model": str(tmp_path / "out"), "image": picture, "kinds": ["trained", "untrained"]}, {})
    assert set(said["captions"]) == {"trained", "untrained"}


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"init_from": None}, BadSetting, "no model to start from"),
        ({"init_from": "nowhere/at/all"}, ModelUnavailable, "config.json"),
        ({"images": None}, UnreadableFile, "no such folder"),
        ({"selections": ("mine",)}, BadSetting, "cannot be mixed"),
        ({"data": None, "selections": ("mine:2",)}, BadSetting, "without weights"),
        ({"configuration": "miniature"}, BadSetting, "synthvlm, llava-1.5, tiny"),
        ({"recipe": "synth2-pixels", "on_the_fly": True, "init_from": None}, BadSetting, "on-the-fly"),
    ],
)
def test_mistakes_are_said_before_a_model_is_opened(
    changes: dict[str, Any], error: type[SynthVLMError], said: str, studio: Studio, data: dict[str, Any],
    tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    fields = {"recipe": "llava-stage2", "out": str(tmp_path / "out"), "init_from": str(tmp_path), **data, **changes}
    with pytest.raises(error) as refused:
        studio.training.check(studio.training.settings(**fields))
    assert said in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_the_shown_lines_parse_back_into_the_same_settings(studio: Studio, data: dict[str, Any]) -> None:
    settings = studio.training.settings(
        recipe="llava-lora", out="/models/mine", init_from="llava-hf/llava-1.5-7b-hf", max_steps=5,
        selections=("good", "new"), learning_rate=1e-5, seed=3, resume=True)
    line = studio.training.command(settings)
    options = build_parser().parse_args(shlex.split(line)[3:])
    assert (options.recipe, options.selection, options.init_from) == (
        "llava-lora", ["good", "new"], "llava-hf/llava-1.5-7b-hf")
    assert (options.max_steps, options.learning_rate, options.seed, options.resume) == (5, 1e-5, 3, True)
    several = shlex.split(studio.training.launch_command(settings, 4))
    assert several[:5] == ["torchrun", "--nproc-per-node", "4", "-m", "synthvlm_ui"]
    assert build_parser().parse_args(several[5:]).here


def test_synth2_recipes_do_not_run_in_several_processes(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    settings = studio.training.settings(recipe="synth2-vq", out=str(tmp_path / "out"))
    with pytest.raises(BadSetting, match="one process"):
        studio.training.run_here(settings, Silent())


def test_what_would_be_refused_is_seen_beforehand(studio: Studio, data: dict[str, Any], tmp_path: Path) -> None:
    fields = {"recipe": "synth2-tokens", "out": str(tmp_path / "out"), "device": "cpu", **data}
    good = studio.training.preflight(studio.training.settings(**fields))
    assert good["ok"] and [check["name"] for check in good["checks"]] == [
        "model", "data", "directory", "disk", "memory", "device"]
    assert good["plan"]["pairs"] == 4 and "2.1 million trained" in good["checks"][4]["text"]
    assert good["command"] == studio.training.command(studio.training.settings(**fields))
    (tmp_path / "images" / "3.png").write_bytes(b"broken")
    (tmp_path / "out").write_text("in the way")
    bad = studio.training.preflight(studio.training.settings(**{**fields, "log_to": "nothing"}))
    states = {check["name"]: check for check in bad["checks"]}
    assert not bad["ok"] and bad["plan"] is None
    assert {name for name, check in states.items() if check["state"] == "failed"} == {"data", "directory", "tracker"}
    assert "pair 3" in states["data"]["text"] and states["data"]["fix"]
    none = studio.training.preflight(studio.training.settings(recipe="synth2-vq", out=""))
    assert not none["ok"] and "no output directory" in none["checks"][0]["text"]


def test_memory_of_a_llava_is_counted_from_its_files(studio: Studio, data: dict[str, Any], tmp_path: Path) -> None:
    torchvision_ops.ensure_importable()
    from tests.training.tiny_llava import save_llava, save_parts

    whole = room_of_llava("llava-stage1", PRESETS["llava-stage1", "tiny"], save_llava(tmp_path / "whole"), None,
                          on_card=False)
    language, vision = save_parts(tmp_path / "parts")
    composed = room_of_llava("llava-stage1", PRESETS["llava-stage1", "tiny"], language, vision, on_card=False)
    assert whole and composed and whole.trained == composed.trained == 16 * 32 + 32 + 32 * 32 + 32
    stage2 = room_of_llava("llava-stage2", PRESETS["llava-stage2", "tiny"], tmp_path / "whole", None, on_card=True)
    assert stage2 and stage2.trained + stage2.frozen == whole.trained + whole.frozen
    assert stage2.memory_bytes == 2 * stage2.frozen + 16 * stage2.trained
    fields = {"recipe": "llava-stage1", "init_from": str(language), "vision_tower": str(vision), "device": "cpu"}
    found = studio.training.preflight(studio.training.settings(out=str(tmp_path / "out"), **fields, **data))
    assert found["ok"] and "torchrun --nproc-per-node 2" in found["launch_command"]


def test_real_images_of_a_split_only(studio: Studio, tmp_path: Path) -> None:
    from real_workspace import add_real

    captions = ["a red wall", "a blue wall", "a green wall"]
    rows = [{"imgid": n, "filename": f"{n}.jpg", "split": split, "sentences": [{"raw": text, "sentid": n, "imgid": n}]}
            for n, (text, split) in enumerate(zip(captions, ("train", "restval", "test"), strict=True))]
    (tmp_path / "karpathy.json").write_text(json.dumps({"images": rows, "dataset": "coco"}), encoding="utf-8")
    studio.captions.import_file(tmp_path / "karpathy.json", "coco")
    ids = {caption.caption: caption.id for caption in studio.workspace.captions.load("coco")}
    add_real(studio, "coco", captions, ids=[ids[text] for text in captions])
    studio.refresh()
    fields = {"recipe": "synth2-pixels", "out": str(tmp_path / "out"), "real": ("coco",), "device": "cpu"}
    assert studio.training.check(studio.training.settings(**fields))["pairs"] == 3
    assert studio.training.check(studio.training.settings(split="train,restval", **fields))["pairs"] == 2
    with pytest.raises(EmptyInput, match="restval, test, train"):
        studio.training.check(studio.training.settings(split="val", **fields))


def test_every_recipe_comes_with_its_sizes_and_settings(studio: Studio) -> None:
    listed = {each["name"]: {size["name"]: size for size in each["configurations"]}
              for each in studio.training.recipes()["recipes"]}
    assert listed["llava-stage1"]["llava-1.5"]["learning_rate"] == 1e-3
    assert (listed["llava-stage2"]["synthvlm"]["learning_rate"], listed["llava-stage2"]["synthvlm"]["batch_size"]) == (
        2e-5, 128)
    assert listed["synth2-vq"]["paper"]["perceptual_weight"] == 0.05

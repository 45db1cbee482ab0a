"""LLaVA's stages on a tiny model: what moves, what is learned, and that resuming really restores the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_llava import save_llava, save_parts
from training_pairs import FewPairs, Watching

from synthvlm_ui.errors import BadSetting, EmptyInput, UnreadableFile
from synthvlm_ui.training import Source, preset_of
from synthvlm_ui.training.conversations import LlavaFile, PairConversations
from synthvlm_ui.training.llava import ResumableTrainer, latest_checkpoint, train_llava
from synthvlm_ui.training.llava_data import IGNORED, Collate, ConversationDataset, picture_tokens, segments
from synthvlm_ui.training.llava_model import open_llava

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
PAIRS = PairConversations([Source("few", FewPairs(8))])


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_llava(tmp_path_factory.mktemp("llava"))


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return dict(open_llava(directory, None, torch.float32)[0].state_dict())


def moved(before: Path, after: Path) -> set[str]:
    """The parts of the model (second level of the names) that differ."""
    one, other = weights(before), weights(after)
    assert one.keys() == other.keys()
    return {name.removeprefix("model.").split(".")[0] for name in one if not torch.equal(one[name], other[name])}


def run(llava: Path, out: Path, watching: Watching | None = None, recipe: str = "llava-stage1", **others: Any) -> Any:
    from dataclasses import replace

    preset = replace(preset_of(recipe, "tiny"), steps=others.pop("steps", 4), batch_size=4, device_batch_size=2)
    return train_llava(recipe, preset, others.pop("conversations", PAIRS), watching or Watching(), out=out,
                       model_from=(llava, None), **others)


def test_stage_1_trains_the_projector_and_nothing_else(llava: Path, tmp_path: Path) -> None:
    watching = Watching()
    outcome = run(llava, tmp_path, watching, steps=12)
    assert moved(llava, tmp_path) == {"multi_modal_projector"}
    assert outcome.finished and outcome.steps == 12 and list(watching.losses) == list(range(1, 13))
    assert watching.losses[12] < watching.losses[1]


@pytest.mark.slow
def test_stage_2_goes_on_from_stage_1_and_trains_the_language_model_too(llava: Path, tmp_path: Path) -> None:
    run(llava, tmp_path / "one", steps=1)
    run(tmp_path / "one", tmp_path / "two", recipe="llava-stage2", steps=2)
    assert moved(tmp_path / "one", tmp_path / "two") == {"multi_modal_projector", "language_model", "lm_head"}


def test_resuming_restores_the_weights(llava: Path, tmp_path: Path) -> None:
    """The loading of transformers alone leaves the projector as it was: see ResumableTrainer."""
    whole, first, second = Watching(), Watching(stop_after=1), Watching()  # it is asked after the step that follows
    done = run(llava, tmp_path / "a", whole)
    stopped = run(llava, tmp_path / "b", first)
    assert (stopped.steps, stopped.finished) == (2, False)
    resumed = run(llava, tmp_path / "b", second)
    assert {**first.losses, **second.losses} == pytest.approx(whole.losses, abs=1e-6)
    assert resumed.steps == done.steps and resumed.final_loss == pytest.approx(done.final_loss, abs=1e-6)
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.allclose(a[name], b[name], atol=1e-7) for name in a)


def test_a_checkpoint_of_transformers_comes_back_through_the_trainer(llava: Path, tmp_path: Path) -> None:
    run(llava, tmp_path, steps=2)
    checkpoint = latest_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    fresh, _ = open_llava(llava, None, torch.float32)
    trainer = ResumableTrainer(fresh, processing_class=None)
    trainer._load_from_checkpoint(str(checkpoint))
    trained = weights(tmp_path)
    assert all(torch.equal(value, trained[name]) for name, value in fresh.state_dict().items())


@pytest.mark.slow
def test_lora_trains_adapters_and_projector_resumes_and_leaves_a_whole_model(llava: Path, tmp_path: Path) -> None:
    whole, first, second = Watching(), Watching(stop_after=1), Watching()
    wanted = {"recipe": "llava-lora", "steps": 3}
    run(llava, tmp_path / "a", whole, **wanted)
    run(llava, tmp_path / "b", first, **wanted)
    run(llava, tmp_path / "b", second, **wanted)
    assert list(first.losses) == [1, 2] and list(second.losses) == [3]
    assert {**first.losses, **second.losses} == pytest.approx(whole.losses, abs=1e-5)
    assert moved(llava, tmp_path / "a") == {"multi_modal_projector", "language_model"}
    assert (tmp_path / "a" / "adapter" / "adapter_model.safetensors").is_file()


def test_a_language_model_and_a_vision_tower_become_a_llava(tmp_path: Path) -> None:
    language, vision = save_parts(tmp_path)
    model, processor = open_llava(language, vision, torch.float32)
    assert picture_tokens(processor) == 4
    dataset = ConversationDataset(PAIRS, processor, "plain", 4)
    batch = Collate(processor)([dataset[0], dataset[1]])
    assert torch.isfinite(model(**batch).loss)
    with pytest.raises(BadSetting, match="vision tower"):
        open_llava(language, None, torch.float32)


def test_only_answers_are_learned(llava: Path) -> None:
    processor = open_llava(llava, None, torch.float32)[1]
    plain = ConversationDataset(PAIRS, processor, "plain", 4)[0]
    learned = [token for token in plain["labels"] if token != IGNORED]
    assert processor.tokenizer.decode(learned) == PAIRS.turns(0)[0][1] + "\n"
    assert plain["ids"].count(processor.tokenizer.convert_tokens_to_ids("<image>")) == 4
    turns = [("<image>\nWhat is it?", "a wall"), ("Which colour?", "red")]
    pieces = segments(turns, "v1", "</s>")
    assert [text for text, learned in pieces if learned] == [" a wall</s>", " red</s>"]
    assert pieces[1][0] == "USER: <image>\nWhat is it? ASSISTANT:"


def test_instructions_with_and_without_pictures_share_a_batch(llava: Path, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(FewPairs(1).image(0))
    file = write(tmp_path, [
        {"id": "a", "image": "0.png", "conversations": said("<image>\nWhat is it?", "a wall")},
        {"id": "b", "conversations": said("What is red?", "a wall", "And blue?", "a meadow")}])
    conversations = LlavaFile(file, tmp_path)
    assert [len(conversations.turns(index)) for index in range(2)] == [1, 2]
    outcome = run(llava, tmp_path / "out", recipe="llava-stage2", steps=1, conversations=conversations)
    assert outcome.finished


def said(*texts: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)]


def write(folder: Path, rows: object) -> Path:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"conversations": said("hello")}, "take turns"),
        ({"conversations": said("<image> hello", "hi")}, "1 <image>"),
        ({"image": "../../etc/passwd", "conversations": said("<image>", "hi")}, "not below the folder"),
        ({"image": "missing.png", "conversations": said("<image>", "hi")}, "not below the folder"),
        ({"text": "no conversation"}, "no conversation"),
    ],
)
def test_what_llava_would_stumble_over_is_refused(row: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=problem):
        LlavaFile(write(tmp_path, [row]), tmp_path)


def test_a_file_without_conversations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyInput):
        LlavaFile(write(tmp_path, []), tmp_path)

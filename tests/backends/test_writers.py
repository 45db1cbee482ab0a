"""What every caption writer promises, asked of the embedded one, of transformers' own classes, and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_server import FakeServer, fake_server
from tiny_language_model import save_tiny_language_model
from tiny_vlm import save_tiny_vlm

from synthvlm_ui.backends import create_writer, require_sight, require_writer
from synthvlm_ui.errors import BadSetting, ModelUnavailable, UnknownName
from synthvlm_ui.protocols import CaptionWriter, WriteRequest

KINDS = ("miniature", "transformers", "vision", "openai")


def seeded_answer(_number: int, body: dict[str, object]) -> str:
    return f"This is an image of {body['seed']} at {body['temperature']}: {body['messages']}"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with fake_server(seeded_answer) as running:
        yield running


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_language_model(tmp_path_factory.mktemp("lm"))


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vlm(tmp_path_factory.mktemp("vlm"))


@pytest.fixture(scope="module")
def writers(tiny: Path, seeing: Path, server: FakeServer) -> dict[str, CaptionWriter]:
    import torch

    # Threads that wait for each other cost far more than they save on tensors this small.
    torch.set_num_threads(1)
    names = {"miniature": "miniature", "transformers": str(tiny), "vision": str(seeing), "openai": server.name}
    return {kind: create_writer(name, device="cpu") for kind, name in names.items()}


@pytest.fixture(params=KINDS)
def writer(request: pytest.FixtureRequest, writers: dict[str, CaptionWriter]) -> CaptionWriter:
    return writers[request.param]


def asked(text: str = "a red cat", seed: int = 1, temperature: float = 1.0) -> WriteRequest:
    return WriteRequest(text, seed=seed, temperature=temperature, max_new_tokens=12)


def texts(results: list[str | Exception]) -> list[str]:
    assert all(isinstance(result, str) for result in results), results
    return [str(result) for result in results]


def test_it_is_a_writer_that_says_what_it_is(writer: CaptionWriter) -> None:
    assert isinstance(writer, CaptionWriter)
    info = writer.info
    assert info.name and info.model and info.notes
    assert info.concurrency >= 1


def test_the_same_request_gives_the_same_text_and_another_seed_another(writer: CaptionWriter) -> None:
    first, again, other = texts(writer.write([asked(seed=5), asked(seed=5), asked(seed=6)]))
    assert first == again
    assert first != other


def test_a_text_does_not_depend_on_its_batch(writer: CaptionWriter) -> None:
    requests = [asked(seed=seed) for seed in range(4)] + [asked("a blue dog in the house", seed=9)]
    together = texts(writer.write(requests))
    assert together == [texts(writer.write([request]))[0] for request in requests]


def test_no_requests_no_texts(writer: CaptionWriter) -> None:
    assert writer.write([]) == []


def test_temperature_zero_takes_the_likeliest_word(writers: dict[str, CaptionWriter]) -> None:
    for kind in ("miniature", "transformers", "vision"):
        first, second = texts(writers[kind].write([asked(seed=1, temperature=0), asked(seed=2, temperature=0)]))
        assert first == second


def test_one_bad_request_costs_its_neighbours_nothing(writers: dict[str, CaptionWriter]) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    for kind in ("miniature", "transformers"):
        good, bad, worse = writers[kind].write([
            asked(), WriteRequest("a cat", image=image), WriteRequest("a cat", temperature=-1)])
        assert good == texts(writers[kind].write([asked()]))[0]
        assert isinstance(bad, BadSetting) and isinstance(worse, BadSetting)


def test_a_vision_language_model_reads_the_picture_and_one_bad_request_costs_nothing(
        writers: dict[str, CaptionWriter]) -> None:
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 255, size).astype(np.uint8) for size in ((20, 24, 3), (64, 16, 3))]
    assert writers["vision"].info.accepts_images and not writers["transformers"].info.accepts_images
    both = [WriteRequest("a cat", seed=3, max_new_tokens=12, image=picture) for picture in pictures]
    first, bad, long, second = writers["vision"].write([
        both[0], WriteRequest("a cat", temperature=-1, image=pictures[0]), asked("cat " * 200), both[1]])
    assert isinstance(bad, BadSetting) and isinstance(long, BadSetting) and "128" in str(long)
    assert [first, second] == texts(writers["vision"].write(both))
    assert first != second, "the same words and seed, another picture"


def test_only_writers_that_see_may_judge_pictures(tiny: Path, seeing: Path) -> None:
    for name in (str(seeing), "openai:m@http://127.0.0.1:9/v1", "org/a-model-that-is-not-here"):
        require_sight(name)
    for name in ("miniature", str(tiny)):
        with pytest.raises(BadSetting, match="reads no images"):
            require_sight(name)


def test_gumbel_noise_draws_from_the_softmax() -> None:
    import torch

    from synthvlm_ui.backends.transformers_writer import NoiseOfEach

    logits = torch.tensor([[0.0, 1.0, 2.0]])
    noise = NoiseOfEach([asked(seed=3, temperature=2.0)])
    drawn = np.bincount([int(noise(logits, logits.clone()).argmax()) for _ in range(4000)], minlength=3) / 4000
    assert np.abs(drawn - torch.softmax(logits[0] / 2, -1).numpy()).max() < 0.03


def test_a_prompt_longer_than_the_context_is_refused_alone(writers: dict[str, CaptionWriter]) -> None:
    long, short = writers["transformers"].write([asked("cat " * 80), asked()])
    assert isinstance(long, BadSetting) and "64" in str(long)
    assert isinstance(short, str)


def test_a_model_without_a_chat_template_gets_the_prompt_as_it_is(tmp_path: Path) -> None:
    writer = create_writer(str(save_tiny_language_model(tmp_path, template=False)), device="cpu")
    assert texts(writer.write([asked()]))[0]


@pytest.mark.parametrize(("name", "error"), [
    ("nosuch", UnknownName), ("a/b/nosuch", ModelUnavailable), ("openai", BadSetting), ("openai:m", BadSetting),
    ("openai:m@file:///etc/passwd", BadSetting), ("openai:m@ftp://host/v1", BadSetting),
    ("openai:m@gopher://127.0.0.1:70/", BadSetting), ("openai:m@http://me:secret@host/v1", BadSetting),
    ("openai:m@http://", BadSetting), ("openai:m@http://host:99999/", BadSetting),
])
def test_what_cannot_be_had_is_said_before_anything_is_loaded(name: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        require_writer(name)
    assert caught.value.fix  # type: ignore[attr-defined]
    assert "secret" not in str(caught.value)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelUnavailable, match="safetensors"):
        require_writer(str(tmp_path))


def test_the_name_openai_is_the_server_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHVLM_WRITER_URL", "https://host/v1/")
    monkeypatch.setenv("SYNTHVLM_WRITER_MODEL", "org/some-model")
    assert require_writer("openai") == "openai:org/some-model@https://host/v1"

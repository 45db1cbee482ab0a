"""Engines by name: listed without loading anything, refused in one line, within seconds and without the network."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest

from synthvlm_ui.backends import (
    GeneratorFacts,
    create_embedder,
    create_generator,
    create_writer,
    list_backends,
    list_generators,
    model_files,
    registry,
    require_embedder,
    require_generator,
)
from synthvlm_ui.config import DEFAULT_GENERATOR
from synthvlm_ui.errors import BadSetting, ModelUnavailable, UnknownName

HEAVY = ("torch", "diffusers", "transformers", "open_clip", "torchvision")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub and no name server, whatever this machine has."""

    def no_network(*arguments: object, **options: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.file_download, "HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    return tmp_path / "hub"


def fill_cache(cache: Path, hub_id: str, source: Path) -> Path:
    """Puts a model into the cache of the Hub in its own layout; returns the snapshot."""
    folder = cache / f"models--{hub_id.replace('/', '--')}"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / commit).symlink_to(source, target_is_directory=True)
    return folder / "snapshots" / commit


def test_listing_loads_no_engine_and_has_status_and_note_for_each() -> None:
    script = (
        "import sys, json; from synthvlm_ui.backends import list_backends; print(json.dumps(list_backends()));"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    listed, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    kinds = json.loads(listed)
    assert set(kinds) == {"generators", "embedders", "writers"}
    for rows in kinds.values():
        for row in rows:
            assert set(row) == {"name", "status", "note"}
            assert row["status"] in ("ready", "needs download", "missing extra")
    assert kinds["generators"][0]["name"] == kinds["embedders"][0]["name"] == DEFAULT_GENERATOR


def test_presets_are_the_papers() -> None:
    sdxl = registry.PRESETS["sdxl"]
    assert sdxl.model == "stabilityai/stable-diffusion-xl-base-1.0"
    assert (sdxl.num_inference_steps, sdxl.native_px) == (60, 1024)
    turbo = registry.PRESETS["sd-turbo"]
    assert (turbo.model, turbo.num_inference_steps, turbo.guidance_scale, turbo.native_px) == (
        "stabilityai/sd-turbo", 1, 0, 512)


def test_what_a_preset_puts_in_must_be_there_too(
    models: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthvlm_ui.backends import registry

    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(registry, "probe_hub", lambda *named: asked.append(named))
    for name in ("sdxl-lightning", "sdxl-lcm", "sdxl-refiner"):
        registry.require_generator(name)
    assert [named[1] for named in asked if "base-1.0" not in named[0]] == [
        "sdxl_lightning_4step_unet.safetensors", "pytorch_lora_weights.safetensors", "model_index.json"]


@pytest.mark.parametrize("require", [require_generator, create_generator])
def test_an_unknown_generator_names_the_known(require: object) -> None:
    with pytest.raises(UnknownName, match="sdxxl") as caught:
        require("sdxxl")  # type: ignore[operator]
    assert "miniature" in caught.value.fix and "sd-turbo" in caught.value.fix


def test_a_hub_model_out_of_reach_is_said_within_seconds() -> None:
    for name in ("sdxl", "someone/some-model"):
        started = time.monotonic()
        with pytest.raises(ModelUnavailable) as caught:
            create_generator(name)
        assert time.monotonic() - started < 5
        line = str(caught.value)
        assert "cannot be reached" in line and "local directory" in line and "\n" not in line


def test_a_name_server_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*arguments: object, **options: object) -> object:
        time.sleep(1)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    with pytest.raises(ModelUnavailable, match="no answer in 0.2 s"):
        model_files.probe_hub("someone/some-model", "model_index.json", timeout_s=0.2)


def test_offline_mode_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        require_generator("someone/some-model")


@pytest.mark.parametrize(("error", "said"), [
    ("GatedRepoError", "is gated"), ("RepositoryNotFoundError", "there is no public model"),
    ("RemoteEntryNotFoundError", "has no model_index.json"), ("RuntimeError", "cannot be reached (RuntimeError: nope)"),
])
def test_each_answer_of_the_hub_has_its_line(error: str, said: str) -> None:
    import httpx

    if error == "RuntimeError":
        raised: Exception = RuntimeError("nope\nmore")
    else:
        kind = getattr(huggingface_hub.errors, error)
        raised = kind("nope", response=httpx.Response(403, request=httpx.Request("GET", "https://hub")))
    line = str(model_files.unavailable("a/b", "model_index.json", raised))
    assert said in line and "a/b" in line and "\n" not in line


def test_a_cached_hub_model_is_used_without_asking(models: Path, empty_cache: Path) -> None:
    snapshot = fill_cache(empty_cache, "someone/tiny", models / "sd")
    require_generator("someone/tiny")
    facts = GeneratorFacts.of_custom("someone/tiny")
    assert (facts.status, facts.native_px, facts.multiple_px) == ("ready", 32, 2)
    generator = create_generator("someone/tiny", "cpu")
    assert generator.info.model == generator.info.name == "someone/tiny"
    assert len(generator.info.revision) in (16, 40)
    assert snapshot.is_dir()


def test_a_preset_in_the_cache_is_ready_and_keeps_its_defaults(models: Path, empty_cache: Path) -> None:
    assert {facts.status for facts in list_generators() if facts.name == "sdxl"} == {"needs download"}
    fill_cache(empty_cache, "stabilityai/stable-diffusion-xl-base-1.0", models / "sdxl")
    assert {facts.status for facts in list_generators() if facts.name == "sdxl"} == {"ready"}
    info = create_generator("sdxl", "cpu").info
    assert (info.default_num_inference_steps, info.native_width_px) == (60, 1024)


def test_a_half_downloaded_model_is_not_ready(models: Path, empty_cache: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    (part / "model_index.json").write_bytes((models / "sdxl" / "model_index.json").read_bytes())
    fill_cache(empty_cache, "stabilityai/stable-diffusion-xl-base-1.0", part)
    assert {facts.status for facts in list_generators() if facts.name == "sdxl"} == {"needs download"}


def test_directories_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no such model directory"):
        require_generator(str(tmp_path / "missing"))
    with pytest.raises(ModelUnavailable, match=r"neither a diffusers pipeline .* nor a VQ token generator"):
        require_generator(str(tmp_path))


def test_parts_of_another_version_are_said_to_be_so(tmp_path: Path) -> None:
    for part in ("lm", "vq", "generator"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable) as caught:
        create_generator(str(tmp_path), "cpu")
    assert "\n" not in str(caught.value)


def test_facts_are_read_before_loading(models: Path) -> None:
    facts = GeneratorFacts.of_custom(str(models / "sd3"))
    assert (facts.native_px, facts.multiple_px, facts.num_inference_steps) == (32, 4, 28)
    assert facts.note == "StableDiffusion3Pipeline"
    assert facts.num_inference_steps == create_generator(str(models / "sd3"), "cpu").info.default_num_inference_steps


def test_a_device_that_is_not_here(models: Path) -> None:
    with pytest.raises(BadSetting, match="cuda:99"):
        create_generator(str(models / "sd"), device="cuda:99")


@pytest.mark.parametrize(("name", "error", "said"), [
    ("nothing", UnknownName, "nothing"), ("no-model/openai", UnknownName, "no-model/openai"),
    ("ViT-B-32/openai", BadSetting, "ViT-B-32-quickgelu/openai"), ("hf-hub:a/b", ModelUnavailable, "a/b"),
    ("ViT-B-32-quickgelu/openai", ModelUnavailable, "cannot be reached"),
    ("local-dir:/nowhere", ModelUnavailable, "/nowhere"),
])
def test_embedders_that_cannot_be_had(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said.replace("(", r"\(")):
        require_embedder(name)
    with pytest.raises(error):
        create_embedder(name)


def test_writers_are_listed_and_an_unknown_one_is_named() -> None:
    assert [row["name"] for row in list_backends()["writers"]] == ["miniature", "transformers", "openai"]
    with pytest.raises(UnknownName, match="caption writer"):
        create_writer("some")

"""Names of engines and where they live: an explicit table, opened one entry at a time.

Listing and requiring import no engine, so the browser's process can do both; only ``create_*`` does, in a worker.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from synthvlm_ui.backends.generator_facts import GeneratorFacts, Status, has_vq_layout, vq_facts
from synthvlm_ui.backends.http_patience import Budget
from synthvlm_ui.backends.model_files import (
    PIPELINE_INDEX,
    cached_file,
    cached_snapshot,
    looks_like_hub_id,
    probe_hub,
    problem_of_pipeline,
    read_json,
    reads_images,
)
from synthvlm_ui.backends.presets import PRESETS
from synthvlm_ui.backends.writer_names import DEFAULT_INSTRUCT_MODEL, full_writer_name, require_local_writer
from synthvlm_ui.config import MINIATURE, environment
from synthvlm_ui.errors import BadSetting, ModelUnavailable, SynthVLMError, UnknownName
from synthvlm_ui.protocols import CaptionWriter, Embedder, ImageGenerator, RoundTripEngine, Scorer
from synthvlm_ui.records import EngineSettings

VQ_TOKENS = "synthvlm_ui.backends.vq_token_generator:VqTokenGenerator"
DIFFUSERS = "synthvlm_ui.backends.pipeline_opening:open_pipeline"
ROUND_TRIP = "synthvlm_ui.backends.torch_round_trip:TorchRoundTrip"
OPEN_CLIP = "synthvlm_ui.backends.open_clip_embedder:OpenClipEmbedder"
CLIP_CONFIG = "open_clip_config.json"


@dataclass(frozen=True, slots=True)
class EmbedderEntry:
    """An embedder by name: a directory of this repository, or a model of the Hub."""

    name: str
    note: str
    directory: Path | None = None
    hub_id: str = ""


EMBEDDERS: dict[str, EmbedderEntry] = {
    entry.name: entry
    for entry in (
        EmbedderEntry("miniature", "small world: only compares its own scenes", directory=MINIATURE / "clip"),
        EmbedderEntry("ViT-B-32-quickgelu/openai", "as in SynthVLM and CLIPScore; 0.6 GB",
                      hub_id="timm/vit_base_patch32_clip_224.openai"),
        EmbedderEntry("ViT-L-14-336-quickgelu/openai", "LLaVA's vision tower; 1.7 GB, wants a card",
                      hub_id="timm/vit_large_patch14_clip_336.openai"),
    )
}

# What papers call them -> the entry, which says the activation too.
EMBEDDER_ALIASES = {"ViT-B/32": "ViT-B-32-quickgelu/openai", "ViT-L/14-336": "ViT-L-14-336-quickgelu/openai",
                    "ViT-L/14@336px": "ViT-L-14-336-quickgelu/openai"}

# Caption writers by name -> what they are; a Hub id or directory opens transformers, openai:MODEL@URL a server.
WRITERS: dict[str, str] = {
    "miniature": "small world: writes its own sentences, follows no instruction",
    "transformers": "any instruct model by Hub id or directory, one with a vision tower sees images too; by this name "
                    f"{DEFAULT_INSTRUCT_MODEL}, 3 GB",
    "openai": "any OpenAI-compatible server: SYNTHVLM_WRITER_URL and _MODEL, or openai:MODEL@URL",
}
# Scorers of other models by the word before the colon of their name: what opens them with what follows it.
SCORERS: dict[str, str] = {"vqascore": "synthvlm_ui.backends.vqa_scorer:VqaScorer"}
MINIATURE_WRITER = "synthvlm_ui.backends.miniature_writer:MiniatureWriter"
VISION_WRITER = "synthvlm_ui.backends.vision_writer:VisionWriter"
TRANSFORMERS_WRITER = "synthvlm_ui.backends.transformers_writer:TransformersWriter"
OPENAI_WRITER = "synthvlm_ui.backends.openai_writer:OpenAiWriter"


def list_generators() -> list[GeneratorFacts]:
    """Every named generator, the embedded one first, with its status on this machine."""
    return [vq_facts("miniature", MINIATURE), *(_with_status(facts) for facts in PRESETS.values())]


def list_backends() -> dict[str, list[dict[str, str]]]:
    """{"generators" | "embedders" | "writers": [{name, status, note}]} without importing any engine."""
    return {
        "generators": [{"name": f.name, "status": f.status, "note": f.note} for f in list_generators()],
        "embedders": [{"name": e.name, "status": _embedder_status(e), "note": e.note} for e in EMBEDDERS.values()],
        "writers": [{"name": name, "status": _writer_status(name), "note": note} for name, note in WRITERS.items()],
    }


def require_scorer(name: str) -> None:
    """Makes sure that a scorer as ``vqascore:MODEL`` can be had. Raises: UnknownName, ModelUnavailable."""
    kind, _, model = name.partition(":")
    if kind not in SCORERS:
        raise UnknownName.of("scorer", kind, list(SCORERS))
    _require_package("transformers", "transformers")
    if looks_like_hub_id(model):
        if cached_snapshot(model, "config.json") is None:
            probe_hub(model, "config.json")
    elif not (Path(model).expanduser() / "config.json").is_file():
        raise ModelUnavailable("no model directory (config.json)", where=model,
                               fix="Give the directory of a model, or a Hub id.")


def create_scorer(name: str, device: str = "auto") -> Scorer:
    """Loads a scorer as ``vqascore:MODEL``. Raises: UnknownName, ModelUnavailable."""
    require_scorer(name)
    from synthvlm_ui.backends.device import choose_device

    kind, _, model = name.partition(":")
    source = model if looks_like_hub_id(model) else str(Path(model).expanduser())
    return cast(Scorer, _open(SCORERS[kind])(source, device=choose_device(device)))


def create_round_trip_engine(device: str = "auto") -> RoundTripEngine:
    """What resizes pictures for SSIM, and on a card compares them there. Raises: BadSetting."""
    from synthvlm_ui.backends.device import choose_device

    return cast(RoundTripEngine, _open(ROUND_TRIP)(choose_device(device)))


def require_generator(name: str) -> None:
    """Makes sure, within seconds, that this generator can be had. Raises: UnknownName, ModelUnavailable.

    Asks the Hub only for a model that is not on this machine; downloads nothing.
    """
    _locate_generator(name)


def create_generator(name_or_path: str, device: str = "auto", engine: EngineSettings | None = None) -> ImageGenerator:
    """Loads a generator: a preset's name, a Hub id, or a local directory (diffusers pipeline or VQ parts).

    ``engine`` says how a pipeline of diffusers is put together; the small world has nothing to choose.
    Raises: UnknownName, ModelUnavailable, BadSetting when the device is not here, OutOfMemory.
    """
    directory, facts = _locate_generator(name_or_path)
    from synthvlm_ui.backends.device import choose_device

    device = choose_device(device)
    if directory is not None and has_vq_layout(directory):
        return _open_vq(directory, device, name_or_path)
    return cast(ImageGenerator, _open(DIFFUSERS)(directory or facts.model, device=device, name=name_or_path,
                                                 preset=PRESETS.get(name_or_path), engine=engine))


def require_embedder(name: str) -> None:
    """Makes sure, within seconds, that this embedder can be had. Raises: UnknownName, ModelUnavailable, BadSetting."""
    _require_package("open_clip", "open_clip_torch")
    name = EMBEDDER_ALIASES.get(name, name)
    entry = EMBEDDERS.get(name) or _custom_embedder(name)
    if entry.directory is not None:
        _check_clip_directory(entry)
    elif entry.hub_id and cached_snapshot(entry.hub_id, CLIP_CONFIG) is None:
        probe_hub(entry.hub_id, CLIP_CONFIG)


def create_embedder(name: str, device: str = "auto") -> Embedder:
    """Loads an embedder: a name of the table, "local-dir:PATH", "hf-hub:org/name" or open_clip's "MODEL/TAG".

    Raises: UnknownName, ModelUnavailable, BadSetting.
    """
    require_embedder(name)
    name = EMBEDDER_ALIASES.get(name, name)
    from synthvlm_ui.backends.device import choose_device

    entry = EMBEDDERS.get(name) or _custom_embedder(name)
    return cast(Embedder, _open(OPEN_CLIP)(name, directory=entry.directory, hub_id=entry.hub_id,
                                           device=choose_device(device)))


def open_image_tower(name: str, device: str = "cpu") -> tuple[Any, tuple[float, ...], tuple[float, ...], int]:
    """The image network of an embedder in float32, with the mean, standard deviation and side in px of its input.

    Raises: UnknownName, ModelUnavailable, BadSetting.
    """
    require_embedder(name)
    entry = EMBEDDERS.get(name) or _custom_embedder(name)
    tower: tuple[Any, tuple[float, ...], tuple[float, ...], int] = _open(OPEN_CLIP)(
        name, directory=entry.directory, hub_id=entry.hub_id, device=device, precision="fp32").image_tower()
    return tower


def require_writer(name: str) -> str:
    """Makes sure, within seconds, that this writer can be had, and returns its full name: see ``full_writer_name``.

    A server is not asked. Raises: UnknownName, ModelUnavailable, BadSetting.
    """
    name = full_writer_name(name)
    if name == "miniature":
        if not (MINIATURE / "lm" / "config.json").is_file():
            raise ModelUnavailable("the small world's weights are not in this copy", where=str(MINIATURE),
                                   fix="Fetch the repository whole, with its assets.")
    elif not name.startswith("openai:"):
        _require_package("transformers", "transformers")
        require_local_writer(name)
    return name


def create_writer(name: str, device: str = "auto", budget: Budget | None = None) -> CaptionWriter:
    """Loads a caption writer: a name of the table, a Hub id, a directory, or openai:MODEL@URL.

    ``budget`` limits what is asked of a server; a model on this machine has none.
    Raises: UnknownName, ModelUnavailable, BadSetting, OutOfMemory.
    """
    name = require_writer(name)
    if name.startswith("openai:"):
        return cast(CaptionWriter, _open(OPENAI_WRITER)(name, budget=budget))
    from synthvlm_ui.backends.device import choose_device

    device = choose_device(device)
    if name == "miniature":
        return cast(CaptionWriter, _open(MINIATURE_WRITER)(device=device))
    from synthvlm_ui.backends.transformers_writer import directory_of

    opened = VISION_WRITER if reads_images(directory_of(name)) else TRANSFORMERS_WRITER
    return cast(CaptionWriter, _open(opened)(name, device=device, name=name))


def _open(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _open_vq(directory: Path, device: str, name: str) -> ImageGenerator:
    try:
        return cast(ImageGenerator, _open(VQ_TOKENS)(directory, device=device, name=name))
    except SynthVLMError:
        raise
    except Exception as error:  # parts written by another version fail in as many ways as there are versions
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelUnavailable(f"this VQ token generator cannot be loaded: {reason}", where=str(directory),
                               fix="Take all its parts from one version of this program.") from error


def _locate_generator(name: str) -> tuple[Path | None, GeneratorFacts]:
    """The directory (None: still to be downloaded) and facts of a generator that can be had."""
    if name == "miniature":
        if not has_vq_layout(MINIATURE):
            raise ModelUnavailable("the small world's weights are not in this copy", where=str(MINIATURE),
                                   fix="Fetch the repository whole, with its assets.")
        return MINIATURE, vq_facts(name, MINIATURE)
    if name in PRESETS or looks_like_hub_id(name):
        return _locate_hub_pipeline(PRESETS.get(name) or GeneratorFacts.of_custom(name))
    directory = Path(name).expanduser()
    if not directory.is_dir():
        if directory.exists() or len(directory.parts) > 1:
            raise ModelUnavailable("no such model directory", where=name, fix="Give an existing directory or a Hub id.")
        known = ["miniature", *PRESETS]
        error = UnknownName.of("generator", name, known)
        raise UnknownName(error.what, fix=f"{error.fix} Or give a Hub id (org/name) or a local directory.")
    if not has_vq_layout(directory):
        _check_pipeline_directory(directory)
        _require_package("diffusers", "diffusers")
    return directory, GeneratorFacts.of_custom(name)


def _locate_hub_pipeline(facts: GeneratorFacts) -> tuple[Path | None, GeneratorFacts]:
    _require_package("diffusers", "diffusers")
    for hub_id, file in _missing_parts(facts):
        probe_hub(hub_id, file)
    snapshot = cached_snapshot(facts.model, PIPELINE_INDEX)
    if snapshot is not None and not problem_of_pipeline(snapshot):
        return snapshot, facts
    probe_hub(facts.model, PIPELINE_INDEX)
    return None, facts


def _check_pipeline_directory(directory: Path) -> None:
    if not (directory / PIPELINE_INDEX).is_file():
        raise ModelUnavailable(
            f"neither a diffusers pipeline ({PIPELINE_INDEX}) nor a VQ token generator (lm/, vq/, generator/)",
            where=str(directory), fix="Give the directory that holds one of them.")
    problem = problem_of_pipeline(directory)
    if problem:
        raise ModelUnavailable(f"this pipeline cannot be loaded: {problem}", where=str(directory),
                               fix="Save it whole with save_pretrained(..., safe_serialization=True).")


def _check_clip_directory(entry: EmbedderEntry) -> None:
    directory = cast(Path, entry.directory)
    if not (directory / CLIP_CONFIG).is_file() or not any(directory.glob("*.safetensors")):
        raise ModelUnavailable(f"no open_clip model ({CLIP_CONFIG} with *.safetensors)", where=str(directory),
                               fix="Give an open_clip directory as local-dir:PATH, or a name of the table.")


def _custom_embedder(name: str) -> EmbedderEntry:
    scheme, colon, rest = name.partition(":")
    if colon and scheme == "local-dir":
        return EmbedderEntry(name, "local directory", directory=Path(rest).expanduser())
    if colon and scheme == "hf-hub":
        return EmbedderEntry(name, "Hugging Face Hub", hub_id=rest)
    if Path(name).is_dir():
        return EmbedderEntry(name, "local directory", directory=Path(name))
    architecture, slash, tag = name.partition("/")
    config = _open_clip_config(architecture)
    if not (slash and tag and config):
        error = UnknownName.of("embedder", name, list(EMBEDDERS))
        raise UnknownName(error.what, fix=f"{error.fix} Or give local-dir:PATH, hf-hub:org/name or MODEL/TAG.")
    if tag == "openai" and not config.get("quick_gelu"):
        raise BadSetting(f"{architecture} has another activation than OpenAI's weights were trained with", where=name,
                         fix=f"Use {architecture}-quickgelu/{tag}.")
    return EmbedderEntry(name, "open_clip")


def _open_clip_config(architecture: str) -> dict[str, Any]:
    """open_clip's own config of an architecture, read without importing open_clip."""
    spec = importlib.util.find_spec("open_clip")
    for place in (spec.submodule_search_locations or []) if spec else []:
        return read_json(Path(place) / "model_configs" / f"{architecture}.json")
    return {}


def _with_status(facts: GeneratorFacts) -> GeneratorFacts:
    if importlib.util.find_spec("diffusers") is None:
        return replace(facts, status="missing extra", note="pip install diffusers transformers")
    snapshot = cached_snapshot(facts.model, PIPELINE_INDEX)
    whole = snapshot is not None and not problem_of_pipeline(snapshot) and not _missing_parts(facts)
    return replace(facts, status="ready") if whole else facts


def _missing_parts(facts: GeneratorFacts) -> list[tuple[str, str]]:
    """(Hub id, file) of what a preset puts in and this machine does not have."""
    named = [tuple(reference.split(":", 1)) for reference in (facts.parts.unet, facts.parts.lora) if reference]
    named += [(facts.parts.refiner, PIPELINE_INDEX)] if facts.parts.refiner else []
    return [(hub_id, file) for hub_id, file in named if cached_file(hub_id, file) is None]


def _embedder_status(entry: EmbedderEntry) -> Status:
    if importlib.util.find_spec("open_clip") is None:
        return "missing extra"
    where = entry.directory if entry.directory is not None else cached_snapshot(entry.hub_id, CLIP_CONFIG)
    return "ready" if where is not None and any(where.glob("*.safetensors")) else "needs download"


def _writer_status(name: str) -> Status:
    if name == "openai":
        return "ready" if environment("WRITER_URL", "") and environment("WRITER_MODEL", "") else "missing extra"
    if importlib.util.find_spec("transformers") is None:
        return "missing extra"
    if name == "miniature":
        return "ready" if (MINIATURE / "lm" / "config.json").is_file() else "needs download"
    return "ready" if cached_snapshot(DEFAULT_INSTRUCT_MODEL, "config.json") is not None else "needs download"


def _require_package(module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ModelUnavailable(f"the package {package} is not installed", fix=f"Run: pip install {package}")

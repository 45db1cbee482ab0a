"""From a request to a finished training: opens the networks, checks memory and disk, builds the recipe and runs it.

The only file that knows all recipes. Knows no store and no job.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from synthvlm_ui.errors import BadSetting, DiskFull, OutOfMemory
from synthvlm_ui.models import sizes, storage
from synthvlm_ui.models.language import LanguageModel, load_language_model
from synthvlm_ui.models.masked_generator import GeneratorConfig, MaskedGenerator
from synthvlm_ui.models.vlm import TokenVlm, load_vlm
from synthvlm_ui.models.vq_tokenizer import PictureTokenizer
from synthvlm_ui.models.vqgan import VqGan, VqGanConfig
from synthvlm_ui.training.captioning import CaptionTraining
from synthvlm_ui.training.discriminator import PatchDiscriminator
from synthvlm_ui.training.loop import CHECKPOINT_EVERY_S, Recipe, Report, run
from synthvlm_ui.training.masked import MaskedTraining
from synthvlm_ui.training.pairs import Mixture, Source
from synthvlm_ui.training.parts import copy_language, copy_part, find_part
from synthvlm_ui.training.pictures import PictureBatches
from synthvlm_ui.training.request import Outcome, TrainRequest
from synthvlm_ui.training.run_directory import RunDirectory
from synthvlm_ui.training.token_feed import FreshTokens, TokenFeed
from synthvlm_ui.training.tokens import MAX_CODES, EncodingStopped, TokenTable
from synthvlm_ui.training.vq import CODES_FIXED, VqNetworks, VqTraining
from synthvlm_ui.training.watcher import Watcher

_BYTES_PER_TRAINED = 20  # weight, gradient, two moments, running mean
_DECODER_ONLY = ("paper-decoder",)


def train(request: TrainRequest, watcher: Watcher, checkpoint_every_s: float = CHECKPOINT_EVERY_S) -> Outcome:
    """Trains, or goes on, and leaves the trained parts and a checkpoint in ``request.out``.

    Raises: UnknownName, BadSetting, EmptyInput, ModelUnavailable, DiskFull, OutOfMemory, Failure.
    """
    preset = request.preset()
    mixture = Mixture(request.sources, preset.batch_size, request.seed)
    if request.device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")
    torch.manual_seed(request.seed)
    with ExitStack() as on_leaving:
        watcher.phase("opening the networks")
        builder = {"synth2-vq": _vq, "synth2-generator": _generator, "synth2-tokens": _vlm, "synth2-pixels": _vlm}[
            request.recipe]
        directory = RunDirectory(request.out)
        build = builder(request, mixture, watcher, on_leaving)
        directory.begin(_settings(request), resume=request.resume)
        try:
            recipe = build()
        except EncodingStopped:
            return Outcome(0, float("nan"), False)
        report: Report = lambda step, numbers: watcher.numbers(step, preset.steps, numbers)  # noqa: E731
        return run(recipe, directory, report, watcher.should_stop, checkpoint_every_s)


def _settings(request: TrainRequest) -> dict[str, Any]:
    preset = request.preset()
    return {
        "recipe": request.recipe, "configuration": request.configuration_name(), "steps": preset.steps,
        "batch_size": preset.batch_size, "learning_rate": preset.learning_rate, "seed": request.seed,
        "device": request.device, "init_from": str(request.init_from) if request.init_from else None,
        "on_the_fly": request.on_the_fly,
        "sources": [[s.name, s.pairs.key, len(s.pairs), s.weight] for s in request.sources], **request.facts,
    }  # fmt: skip


def _vq(request: TrainRequest, mixture: Mixture, watcher: Watcher, on_leaving: ExitStack) -> Callable[[], Recipe]:
    tokenizer = _tokenizer_to_train(request)
    judge = PatchDiscriminator()
    preset = request.preset()
    check_room(request, [tokenizer, judge])
    features = request.features() if request.features is not None and preset.perceptual_weight else None
    decoder_only = request.configuration_name() in _DECODER_ONLY
    networks = VqNetworks(tokenizer, judge, features, decoder_only)
    batches = on_leaving.enter_context(PictureBatches(mixture, tokenizer.config.side))
    return lambda: VqTraining(networks, batches, preset, request.out, seed=request.seed, device=request.device)


def _tokenizer_to_train(request: TrainRequest) -> storage.ImageTokenizer:
    finished = request.init_from / "vq" if request.init_from else None
    if finished is not None and request.configuration is None:
        return storage.load_image_tokenizer(finished)
    config = sizes.TOKENIZERS[request.configuration_name()]
    new = VqGan(config) if isinstance(config, VqGanConfig) else PictureTokenizer(config)
    if request.configuration_name() in _DECODER_ONLY:
        if finished is None:
            raise BadSetting("this configuration trains a decoder for finished codes", where="--config",
                             fix="Name the tokenizer's directory with --init-from.")
        kept = {name: tensor for name, tensor in storage.load_image_tokenizer(finished).state_dict().items()
                if name.startswith(CODES_FIXED)}
        shapes = new.state_dict()
        if {name for name in shapes if name.startswith(CODES_FIXED)} != set(kept) or any(
                shapes[name].shape != tensor.shape for name, tensor in kept.items()):
            raise BadSetting("the tokenizer to start from has another encoder", where=str(finished),
                             fix="Train one with --config paper first.")
        new.load_state_dict(kept, strict=False)
    return new


def _generator(request: TrainRequest, mixture: Mixture, watcher: Watcher,
               on_leaving: ExitStack) -> Callable[[], Recipe]:
    vq = find_part("vq", request.init_from, request.parts)
    tokenizer = storage.load_image_tokenizer(vq).to(request.device)
    config = sizes.GENERATORS[request.configuration_name()]
    lm = request.language or find_part("lm", request.init_from, request.parts)
    language = load_language_model(lm, request.device, config.text_length)
    model = _generator_to_train(request, config, tokenizer, language)
    check_room(request, [model])

    def build() -> Recipe:
        copy_part(vq, request.out, "vq")
        copy_language(lm, request.out)
        tokens = _filled_table(request, dict(enumerate(mixture.sources)), tokenizer, vq, watcher)
        return MaskedTraining(model.to(request.device), language, mixture, tokens, request.preset(), request.out,
                              seed=request.seed)

    return build


def _filled_table(request: TrainRequest, sources: dict[int, Source], tokenizer: storage.ImageTokenizer, vq: Path,
                  watcher: Watcher) -> TokenTable:
    with open(vq / storage.WEIGHTS, "rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()
    tokens = TokenTable(request.out / "run" / "tokens", sources, tokenizer, key)

    def show(done: int, total: int) -> bool:
        watcher.phase(f"encoding pictures, {done} of {total}", 0, request.preset().steps)
        return watcher.should_stop()

    tokens.fill(show)
    return tokens


def _vlm(request: TrainRequest, mixture: Mixture, watcher: Watcher, on_leaving: ExitStack) -> Callable[[], Recipe]:
    vq, lm = (find_part(part, request.init_from, request.parts) for part in ("vq", "lm"))
    lm = request.language or lm
    tokenizer = storage.load_image_tokenizer(vq).to(request.device)
    length = sizes.GENERATORS.get(request.configuration_name(), sizes.GENERATORS["paper"]).text_length
    language = load_language_model(lm, request.device, length)
    model = _vlm_to_train(request, tokenizer, language)
    check_room(request, [model])
    numbers = range(len(mixture.sources))
    as_tokens = {n for n in numbers if request.recipe == "synth2-tokens" and mixture.sources[n].synthetic}
    drawn = frozenset(as_tokens if request.on_the_fly else ())
    fresh = _fresh(request, tokenizer, language) if drawn else None
    pictures = on_leaving.enter_context(
        PictureBatches(mixture, tokenizer.config.side, only=frozenset(numbers) - as_tokens))

    def build() -> Recipe:
        copy_part(vq, request.out, "vq")
        copy_language(lm, request.out)
        cached = {n: mixture.sources[n] for n in sorted(as_tokens - drawn)}
        table = _filled_table(request, cached, tokenizer, vq, watcher) if cached else None
        feed = TokenFeed(mixture, tokenizer, pictures, table, fresh, drawn)
        return CaptionTraining(model.to(request.device), feed, request.preset(), request.out, seed=request.seed)

    return build


def _vlm_to_train(request: TrainRequest, tokenizer: storage.ImageTokenizer, language: LanguageModel) -> TokenVlm:
    kind = language.network.config.model_type
    if kind != "llama":
        raise BadSetting(f"the VLM is built around LLaMA models, and this one is {kind}", where="--language-model",
                         fix="Give a model of the LLaMA class.")
    finished = request.init_from / "vlm" if request.init_from else None
    goes_on = request.configuration in (None, "finetune") and finished is not None and finished.is_dir()
    if request.configuration_name() == "finetune" and not goes_on:
        raise BadSetting("there is no VLM to fine-tune", where="--init-from", fix="Give a directory with a part vlm.")
    if goes_on and finished is not None:
        model = load_vlm(finished, language)
        trained = model.state_dict().keys() & storage.read(finished, "token-vlm")[1].keys()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in trained)
        return model
    codebook = tokenizer.codebook()
    config = replace(sizes.VLMS[request.configuration_name()], tokens=tokenizer.config.tokens, codes=len(codebook),
                     code_width=codebook.shape[1])
    return TokenVlm(language, codebook, config)


def _fresh(request: TrainRequest, tokenizer: storage.ImageTokenizer, language: LanguageModel) -> FreshTokens:
    part = find_part("generator", request.init_from, request.parts)
    generator = storage.load_generator(part).to(request.device)
    if (generator.config.levels, generator.config.grid) != (tokenizer.config.digits, tokenizer.config.grid) or (
            generator.config.text_width != language.state_width):
        raise BadSetting("the generator belongs to another tokenizer or language model", where=str(part),
                         fix="Give a directory with parts that belong together as --init-from.")
    return FreshTokens(generator, language, request.seed)


def _generator_to_train(request: TrainRequest, config: GeneratorConfig, tokenizer: storage.ImageTokenizer,
                        language: LanguageModel) -> MaskedGenerator:
    digits, grid = tokenizer.config.digits, tokenizer.config.grid
    wanted = replace(config, levels=digits, grid=grid, text_width=language.state_width)
    if wanted.codes > MAX_CODES:
        raise BadSetting(f"a codebook of {wanted.codes} codes", fix=f"Use a tokenizer with at most {MAX_CODES}.")
    if grid % wanted.fold:
        raise BadSetting(f"a grid of {grid} tokens cannot be folded by {wanted.fold}", where="--config",
                         fix="Use a configuration or a tokenizer that fit each other.")
    finished = request.init_from / "generator" if request.init_from else None
    if finished is not None and finished.is_dir() and request.configuration is None:
        model = storage.load_generator(finished)
        if (model.config.levels, model.config.grid, model.config.text_width) != (digits, grid, language.state_width):
            raise BadSetting("this generator belongs to another tokenizer or language model", where=str(finished),
                             fix="Name a configuration with --config to train a new one.")
        language.length = model.config.text_length
        return model
    return MaskedGenerator(wanted)


def check_room(request: TrainRequest, networks: list[nn.Module]) -> None:
    """Whether the networks' training state fits into memory and a checkpoint onto the disk, without their activations.

    Raises: OutOfMemory, DiskFull, before anything is written.
    """
    needed = _BYTES_PER_TRAINED * sum(parameter.numel() for net in networks for parameter in net.parameters())
    free = _free_memory(request.device)
    if free is not None and needed > free:
        raise OutOfMemory(f"training needs {needed / 2**30:.1f} GiB and more, {free / 2**30:.1f} GiB are free",
                          where=request.device, fix="Choose a smaller --config or another --device.")
    place = request.out
    while not place.exists():
        place = place.parent
    room = shutil.disk_usage(place).free
    if 2 * needed > room:  # the old checkpoint stays until the new one is whole
        raise DiskFull(f"checkpoints need {2 * needed / 2**30:.1f} GiB, {room / 2**30:.1f} GiB are free",
                       where=str(request.out), fix="Free some space, or choose another --out.")


def _free_memory(device: str) -> int | None:
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    if device == "cpu":
        import psutil

        return int(psutil.virtual_memory().available)
    return None


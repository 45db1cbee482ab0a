"""Diversity: starting the job that measures it and reading what it found.

Joins no room: the worker does the work. Knows which runs there are and what the same on the command line is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthvlm_ui.backends import TEXT_EMBEDDERS, require_embedder, require_text_embedder
from synthvlm_ui.diversity import DEFAULT_FITS, DEFAULT_K, check_range
from synthvlm_ui.errors import BadSetting, UnknownName
from synthvlm_ui.service.command_line import command_line
from synthvlm_ui.service.diversity.diversity_sets import PARTS, embeddings_of_files
from synthvlm_ui.service.machine.devices import resolve_device
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.store import Workspace

DEFAULT_EMBEDDER = "lm"
IMAGES = "clip-image"


class DiversityDesk:
    """``studio.diversity``."""

    def __init__(self, workspace: Workspace, jobs: JobDesk) -> None:
        self._workspace, self._jobs = workspace, jobs

    def start(self, datasets: Sequence[str] = (), selections: Sequence[str] = (), *, parts: Sequence[str] = (),
              embedder: str = DEFAULT_EMBEDDER, embeddings: Sequence[str] = (), k: int = DEFAULT_K,
              **settings: Any) -> str:
        """Queues a measurement of all named sets together and returns the job's id, which is the run's name too.

        ``settings``: seed, fits, elbow as (MIN, MAX), device. ``parts``: "dropped" adds what each selection drops,
        "real" the datasets' real images. Raises: UnknownName, BadSetting, ModelUnavailable, UnreadableFile.
        """
        config = self._checked(datasets, selections, parts, k, settings)
        if embeddings:
            names = list(datasets) or _names_of(embeddings)
            if len(names) != len(embeddings):
                raise BadSetting(f"{len(embeddings)} files for {len(names)} names", where="--embeddings",
                                 fix="Give one file for each dataset, in their order.")
            files = [str(Path(file).expanduser().absolute()) for file in embeddings]
            embeddings_of_files(files, names)
            config |= {"embeddings": files, "names": names, "embedder": "files"}
        else:
            self._check_names(datasets, selections)
            config |= {"embedder": _checked_embedder(embedder)}
        return self._jobs.submit("diversity", config, resolve_device(str(settings.get("device") or "auto")))

    def report(self, run: str) -> dict[str, Any]:
        """What a run found. Raises: UnknownName, CorruptData."""
        return self._workspace.clusterings.report(run)

    def runs(self) -> dict[str, Any]:
        """Every run, newest first, with what it measured."""
        found = []
        for run in reversed(self._workspace.clusterings.runs()):
            report = self._workspace.clusterings.report(run)
            found.append({"run": run, "created": report["created"], "k": report["k"], "embedder": report["embedder"],
                          "sets": [each["name"] for each in report["sets"]]})
        return {"runs": found}

    def embedders(self) -> list[dict[str, str]]:
        """The names an embedder can have, the default first, with a note each."""
        found = [{"name": name, "note": note} for name, note in TEXT_EMBEDDERS.items()]
        return [*found, {"name": IMAGES, "note": "images by the CLIP that scored them; clip-image:NAME for another"}]

    def command(self, config: Mapping[str, Any]) -> str:
        """The command line that starts the same measurement."""
        words = ["diversity"]
        for option in ("datasets", "selections", "parts", "embeddings"):
            if config.get(option):
                words += [f"--{option}", ",".join(config[option])]
        if not config.get("embeddings") and config.get("embedder") not in (None, "", DEFAULT_EMBEDDER):
            words += ["--embedder", str(config["embedder"])]
        for option, default in (("k", DEFAULT_K), ("seed", 0), ("fits", DEFAULT_FITS)):
            if config.get(option, default) != default:
                words += [f"--{option}", str(config[option])]
        if config.get("elbow"):
            words += ["--elbow", ":".join(map(str, config["elbow"]))]
        return command_line(self._workspace.root, words)

    def _checked(self, datasets: Sequence[str], selections: Sequence[str], parts: Sequence[str], k: int,
                 settings: Mapping[str, Any]) -> dict[str, Any]:
        seed, fits, elbow = int(settings.get("seed") or 0), settings.get("fits"), settings.get("elbow")
        fits = DEFAULT_FITS if fits is None else int(fits)
        if not 2 <= k <= 1000:
            raise BadSetting(f"k {k} is not from 2 to 1000", where="--k", fix="Give another number of clusters.")
        if not 1 <= fits <= 100:
            raise BadSetting(f"{fits} fits are not from 1 to 100", where="--fits", fix="Give another number of fits.")
        if seed < 0:
            raise BadSetting(f"seed {seed} is below 0", where="--seed", fix="Give a number from 0 on.")
        if elbow:
            check_range(*elbow)
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise UnknownName.of("part", unknown[0], list(PARTS))
        return {"datasets": list(datasets), "selections": list(selections), "parts": list(parts), "k": k,
                "seed": seed, "fits": fits, "elbow": list(elbow) if elbow else None}

    def _check_names(self, datasets: Sequence[str], selections: Sequence[str]) -> None:
        if not datasets and not selections:
            raise BadSetting("there is no set to measure", where="--datasets, --selections",
                             fix="Name at least one dataset or selection.")
        for kind, given, known in (("dataset", datasets, self._workspace.captions.datasets()),
                                   ("selection", selections, self._workspace.selections.names())):
            for name in given:
                if name not in known:
                    raise UnknownName.of(kind, name, known)
            if len(set(given)) < len(given):
                raise BadSetting(f"a {kind} is named twice", fix="Name each once.")


def _checked_embedder(name: str) -> str:
    kind, _, model = name.partition(":")
    if kind == IMAGES:
        if model:
            require_embedder(model)
        return name
    return require_text_embedder(name)


def _names_of(files: Sequence[str]) -> list[str]:
    """The files' stems, with a number where two are equal."""
    names: list[str] = []
    for file in files:
        stem = Path(file).stem or "embeddings"
        names.append(stem if stem not in names else f"{stem}-{len(names) + 1}")
    return names

"""Studio: everything the browser and the command line can do, one desk per room.

Opens a workspace and joins rooms; imports neither torch nor gradio. What takes long is queued as a job for a worker.
"""

from __future__ import annotations

import importlib.metadata
import platform
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import synthvlm_ui
from synthvlm_ui.backends import list_backends, list_generators
from synthvlm_ui.jobs.locks import FileLock
from synthvlm_ui.service.app_lock import hold
from synthvlm_ui.service.captions.caption_curation_desk import CaptionCurationDesk
from synthvlm_ui.service.captions.caption_desk import CaptionDesk
from synthvlm_ui.service.captions.hub_desk import HubDesk
from synthvlm_ui.service.captions.writing_desk import WritingDesk
from synthvlm_ui.service.comparison.comparison_desk import ComparisonDesk
from synthvlm_ui.service.comparison.preference_desk import PreferenceDesk
from synthvlm_ui.service.curation.candidate_desk import CandidateDesk
from synthvlm_ui.service.curation.curation_desk import CurationDesk
from synthvlm_ui.service.curation.finding_desk import FindingDesk
from synthvlm_ui.service.curation.insight_desk import InsightDesk
from synthvlm_ui.service.curation.items import Items
from synthvlm_ui.service.curation.neighbours import Neighbours
from synthvlm_ui.service.curation.saved_view_desk import SavedViewDesk
from synthvlm_ui.service.curation.verdict_desk import VerdictDesk
from synthvlm_ui.service.curation.views import Views
from synthvlm_ui.service.dataset_rows import rows_of
from synthvlm_ui.service.diversity.diversity_desk import DiversityDesk
from synthvlm_ui.service.diversity.diversity_map_desk import DiversityMapDesk
from synthvlm_ui.service.export.export_desk import ExportDesk
from synthvlm_ui.service.findings.claims_desk import ClaimsDesk
from synthvlm_ui.service.generation.generation_desk import GenerationDesk
from synthvlm_ui.service.generation.generator_fit import fit_of, memory_here
from synthvlm_ui.service.generation.matrix_desk import MatrixDesk
from synthvlm_ui.service.machine.devices import default_device
from synthvlm_ui.service.machine.hosting import hardware, notice
from synthvlm_ui.service.real_images.real_image_desk import RealImageDesk
from synthvlm_ui.service.scoring.head_desk import HeadDesk
from synthvlm_ui.service.scoring.scoring_desk import ScoringDesk
from synthvlm_ui.service.training.evaluation_desk import EvaluationDesk
from synthvlm_ui.service.training.run_desk import RunDesk
from synthvlm_ui.service.training.training_desk import TrainingDesk
from synthvlm_ui.service.training.trial_desk import TrialDesk
from synthvlm_ui.service.work.job_desk import JobDesk
from synthvlm_ui.service.work.query import QueryDesk
from synthvlm_ui.store import Workspace

_NAMED_PACKAGES = ("torch", "diffusers", "transformers", "open_clip_torch", "gradio", "scikit-image", "numpy")


class Studio:
    """One open workspace and its desks: captions, writing, generation, scoring, curation, training, exports, jobs."""

    def __init__(self, workspace: Workspace, actor: str = "local", *, wake: Callable[[str], None] | None = None,
                 queries: QueryDesk | None = None) -> None:
        """``wake`` and ``queries``: see JobDesk and QueryDesk, for workspaces that share processes."""
        self.workspace = workspace
        self.changing = threading.Lock()  # held by a server for each change, so that they come one after the other
        self._refreshing = threading.Lock()
        self._place: FileLock | None = None
        self.jobs = JobDesk(workspace, wake)
        self.captions = CaptionDesk(workspace, self._candidates_per_caption)
        self.hub = HubDesk(workspace, self.jobs)
        self.writing = WritingDesk(workspace, self.jobs)
        self.generation = GenerationDesk(workspace, self.captions, self.jobs)
        self.matrix = MatrixDesk(workspace, self.generation, self.jobs)
        self.scoring = ScoringDesk(workspace, self.jobs)
        self.real_images = RealImageDesk(workspace, self.captions, self.jobs)
        views, neighbours = Views(workspace), Neighbours(workspace)
        items = Items(workspace, views.captions_at_hand)
        self.queries = QueryDesk(workspace, queries)
        self.finding = FindingDesk(workspace, neighbours, self.queries.embed_text)
        self.insight = InsightDesk(workspace, views)
        self.verdicts = VerdictDesk(workspace, views, self.finding, actor)
        self.candidates = CandidateDesk(workspace, views, items, neighbours)
        self.saved_views = SavedViewDesk(workspace, views, self.verdicts)
        self.curation = CurationDesk(workspace, views, items, self.finding, self.insight, self.verdicts,
                                     self.candidates)
        self.diversity = DiversityDesk(workspace, self.jobs)
        self.training = TrainingDesk(workspace, self.jobs)
        self.runs = RunDesk(workspace, self.jobs)
        self.evaluation = EvaluationDesk(workspace, self.jobs)
        self.trials = TrialDesk(self.queries)
        self.claims = ClaimsDesk(workspace, self.jobs)
        self.diversity_maps = DiversityMapDesk(workspace, self.jobs)
        self.exports = ExportDesk(workspace, self.jobs, self.curation.command)
        self.caption_curation = CaptionCurationDesk(workspace, self.jobs, actor)
        self.heads = HeadDesk(workspace, self.jobs)
        self.comparison = ComparisonDesk(workspace, self.jobs)
        self.preference = PreferenceDesk(workspace, self.comparison, self.jobs, actor)
        self.hardware = hardware()

    @property
    def notice(self) -> str:
        """What a user has to know of the place that hosts this, "" when there is nothing to say."""
        return notice(self.workspace.root)

    @classmethod
    def open(cls, workspace: Path | str, *, actor: str = "local", read_only: bool = False) -> Studio:
        """Opens or creates a workspace. Raises: WorkspaceError."""
        return cls(Workspace.open(Path(workspace), create=not read_only, read_only=read_only), actor)

    def serve_at(self, address: str) -> None:
        """Makes this process the one app of the workspace. Raises: WorkspaceError naming the app that is it already."""
        self._place = hold(self.workspace.root, address)

    def close(self) -> None:
        """Lets go of the workspace and of the process that answers questions."""
        if self._place is not None:
            self._place.release()
        self.queries.close()
        self.curation.close()
        self.workspace.close()

    def query(self, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A short question that needs a model, answered by a small warm process. Raises: WorkerDied and others."""
        return self.queries.ask(kind, payload)

    def refresh(self) -> bool:
        """Takes in new shards, scores and decisions, also other processes'; returns whether anything changed."""
        with self._refreshing:
            return self.workspace.columns.refresh()

    def info(self) -> dict[str, Any]:
        """Versions, device, back ends and counts."""
        self.refresh()
        versions = {"synthvlm_ui": synthvlm_ui.__version__, "python": platform.python_version()}
        for name in _NAMED_PACKAGES:
            try:
                versions[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                versions[name] = "not installed"
        captions = sum(self.workspace.captions.count(name) for name in self.workspace.captions.datasets())
        real = int(self.workspace.columns.is_real.sum())
        backends, memory = list_backends(), memory_here()
        for each, facts in zip(backends["generators"], list_generators(), strict=True):
            each["engine"] = fit_of(facts, memory)
        return {"versions": versions, "device": default_device(), "backends": backends,
                "counts": {"captions": captions, "candidates": self.workspace.columns.n - real,
                           "real_images": real},
                "workspace": str(self.workspace.root)}

    def summary(self) -> dict[str, Any]:
        """What there is, for the head of every page."""
        self.refresh()
        columns = self.workspace.columns
        datasets = []
        known = "clip_cosine" in columns.score_columns()
        clip = columns.score("clip_cosine") if known else np.full(columns.n, np.nan, np.float32)
        for name in self.workspace.captions.datasets():
            mask, real = rows_of(columns, name), rows_of(columns, name, real=True)
            made = len(mask)
            scored = int(np.isfinite(clip[mask]).sum()) if made else 0
            datasets.append({"name": name, "captions": self.workspace.captions.count(name), "candidates": made,
                             "failed": made - int(columns.ok[mask].sum()), "scored": scored,
                             "real": len(real), "real_scored": int(np.isfinite(clip[real]).sum()) if len(real) else 0})
        return {"datasets": datasets, "selections": self.workspace.selections.names(),
                "jobs_running": self.jobs.running(), "version": columns.version,
                "problems": [f"{problem.where}: {problem.what}" for problem in columns.problems],
                "read_only": self.workspace.read_only}

    def _candidates_per_caption(self, dataset: str) -> Counter[str]:
        columns = self.workspace.columns
        rows = rows_of(columns, dataset)
        rows = rows[columns.ok[rows]]
        codes, counts = np.unique(columns.caption_code[rows], return_counts=True)
        return Counter({columns.caption_id(int(code)): int(count) for code, count in zip(codes, counts, strict=True)})

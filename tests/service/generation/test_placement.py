"""Where a generation runs: the queues it means, the options it takes, and the Slurm script that is shown."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from made_content import content

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import GenerationSettings
from synthvlm_ui.service import Placement, Studio
from synthvlm_ui.service.generation.placement import device_of_queue, is_share

SETTINGS = GenerationSettings("miniature", num_inference_steps=2, chunk_images=2, batch_size=2, device="cpu")


def test_shares_have_queues_of_their_own() -> None:
    assert Placement().queue("cuda:1") == "cuda:1"
    assert Placement("ray").queue("cuda") == "ray"
    queues = {Placement(worker=f"{number}/3").queue("cuda:1") for number in (1, 2, 3)}
    assert len(queues) == 3
    assert {device_of_queue(queue) for queue in queues} == {"cuda:1"}
    assert all(is_share(queue) for queue in queues) and not is_share("cuda:1")


@pytest.mark.parametrize("placement", [Placement("dask"), Placement(worker="0/2"), Placement("ray", "1/2"),
                                       Placement("ray", ray_workers=0)])
def test_impossible_placements_are_refused(placement: Placement) -> None:
    with pytest.raises(BadSetting):
        placement.check()


def test_the_address_comes_from_the_option_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert Placement("ray").cluster().address == "head:6379"
    monkeypatch.setenv("SYNTHVLM_RAY_ADDRESS", "other:6379")
    assert Placement("ray").cluster().address == "other:6379"
    assert Placement("ray", ray_address="auto").cluster().address == "auto"
    assert Placement("ray", ray_address="auto", ray_workers=2).words() == [
        "--executor", "ray", "--ray-address", "auto", "--ray-workers", "2"]


@pytest.mark.slow
def test_the_shown_array_makes_every_chunk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with closing(Studio.open(tmp_path / "work space")) as studio:
        studio.captions.load_sample()
        script = studio.generation.slurm(SETTINGS, 2, dataset="sample", limit=7, scorers=("ssim",))
        assert "#SBATCH --array=1-2" in script and "--cpus-per-task=4" in script
        assert not list(studio.workspace.paths.jobs.glob("2*")), "showing a script started a job"
        tasks = [subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, env={**os.environ, "SLURM_ARRAY_TASK_ID": str(number)})
                 for number in (1, 2)]
        said = [task.communicate(script, timeout=180) for task in tasks]
        assert [task.returncode for task in tasks] == [0, 0], said
        assert len(studio.workspace.shards.names("sample")) == 4
        made = content(studio)
        assert len(made) == 7 and all("ssim" in scores for _, scores in made.values())
        studio.jobs.follow(studio.generation.start(SETTINGS, dataset="sample", limit=7, scorers=("ssim",)),
                           lambda _: None)
        assert len(studio.workspace.shards.names("sample")) == 4, "a chunk was left for the whole run"


def test_a_script_asks_for_a_card_unless_told_otherwise(tmp_path: Path) -> None:
    with closing(Studio.open(tmp_path)) as studio:
        studio.captions.load_sample()
        script = studio.generation.slurm(GenerationSettings("miniature"), 8, dataset="sample")
        assert "#SBATCH --gpus=1" in script and "--device cuda --worker" in script
        with pytest.raises(BadSetting, match="array"):
            studio.generation.slurm(SETTINGS, 0, dataset="sample")

"""The lines of the external harnesses, a run that breaks, and recorded result files."""

import json
import sys

import pytest

from synthvlm_ui.config import MINIATURE
from synthvlm_ui.errors import Failure, ModelUnavailable, UnreadableFile
from synthvlm_ui.evaluation import lm_eval_command, lmms_eval_command, read_results, run_lm_eval

# As the tools write them (lm-eval 0.4.13, lmms-eval 0.7.3), cut to two tasks.
LM_EVAL = {"results": {"mmlu": {"acc,none": 0.2295, "acc_stderr,none": 0.0035, "alias": "mmlu"},
                       "mmlu_anatomy": {"alias": " - anatomy", "acc,none": 0.1851, "acc_stderr,none": 0.0336}},
           "versions": {"mmlu": 2}, "config": {"model": "hf"}}
LMMS_EVAL = {"results": {"pope": {"alias": "pope", "pope_accuracy,none": 0.861, "pope_accuracy_stderr,none": "N/A"},
                         "mme": {"alias": "mme", "mme_perception_score,none": 1480.2}}}


@pytest.mark.parametrize(("recorded", "expected"), [
    (LM_EVAL, {"mmlu/acc": 0.2295, "mmlu_anatomy/acc": 0.1851}),
    (LMMS_EVAL, {"pope/pope_accuracy": 0.861, "mme/mme_perception_score": 1480.2})])
def test_recorded_results_are_read(tmp_path, recorded, expected):
    file = tmp_path / "model/results_2026-11-21T10-00-00.json"
    file.parent.mkdir()
    file.write_text(json.dumps(recorded))
    assert read_results(tmp_path) == read_results(file) == expected


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"results": []}', '{"results": {"a": {"b": "c"}}}', "[" * 9999])
def test_what_is_no_result_file_is_said(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UnreadableFile):
        read_results(tmp_path)
    with pytest.raises(UnreadableFile):
        read_results(tmp_path / "nothing")


def test_a_vision_language_checkpoint_answers_text_tasks_too(tmp_path):
    (tmp_path / "config.json").write_text('{"vision_config": {}}')
    line = lm_eval_command(tmp_path, ["mmlu"], tmp_path / "out", include_path=tmp_path, num_fewshot=5, limit=3)
    assert "hf-multimodal" in line and line[-2:] == ["--limit", "3"] and line[line.index("--tasks") + 1] == "mmlu"
    (tmp_path / "config.json").write_text("{}")
    assert "hf" in lm_eval_command(tmp_path, ["mmlu"], tmp_path / "out")
    shown = lmms_eval_command(tmp_path, tmp_path / "out")
    assert "scienceqa_img" in shown[shown.index("--tasks") + 1] and "llava_hf" in shown


def test_a_run_s_results_are_read_and_its_failure_is_told(tmp_path):
    content = json.dumps(json.dumps(LM_EVAL))
    write = f"import pathlib; pathlib.Path(r'{tmp_path}/out/results.json').write_text({content})"
    log = tmp_path / "log"
    assert run_lm_eval([sys.executable, "-c", write], tmp_path / "out", log)["mmlu/acc"] == 0.2295
    with pytest.raises(Failure, match="out of luck"):
        run_lm_eval([sys.executable, "-c", "raise SystemExit('out of luck')"], tmp_path / "out", log)
    with pytest.raises(ModelUnavailable, match="not installed"):
        missing = "import sys; sys.exit(\"No module named 'lm_eval'\")"
        run_lm_eval([sys.executable, "-c", missing], tmp_path / "out", log)


@pytest.mark.slow
def test_lm_eval_itself_answers_a_local_task_offline(tmp_path, monkeypatch):
    """The real harness as a process of its own, where it is installed: multiple choice from a file, as MMLU asks it."""
    pytest.importorskip("lm_eval")
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    questions = [{"question": "a red", "choices": ["meadow", "the the", "of of", "a a"], "answer": 0}] * 4
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
    (tmp_path / "small.yaml").write_text("\n".join([
        "task: small", "dataset_path: json", f"dataset_kwargs: {{data_files: {{test: {tmp_path}/questions.jsonl}}}}",
        "test_split: test", "output_type: multiple_choice", "doc_to_text: '{{question}}'",
        "doc_to_choice: '{{choices}}'", "doc_to_target: '{{answer}}'", "metric_list:", "  - metric: acc"]))
    command = lm_eval_command(MINIATURE / "lm", ["small"], tmp_path / "out", include_path=tmp_path)
    found = run_lm_eval(command, tmp_path / "out", tmp_path / "log")
    assert found["small/acc"] == 1.0, "the small world's language model knows which words follow"

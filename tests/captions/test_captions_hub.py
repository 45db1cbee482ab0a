"""Data sets of the Hub, asked of a Hub on loopback by the clients that ask the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, HubServer, picture, serving, table

from synthvlm_ui.captions import HubDataset, hub_dataset, read_captions
from synthvlm_ui.errors import BadSetting
from synthvlm_ui.service.real_images.hub_images import HubImages, RefusedImage

PAIRS = "them/pairs"
CONFIGS = b"---\nconfigs:\n- config_name: en\n  data_files: en.jsonl\n- config_name: de\n  data_files: de.jsonl\n---\n"
# The clients read the address of the Hub when they are imported, hence a process of its own for all questions.
ASK = """
import json, sys
from synthvlm_ui.captions import read_captions
from synthvlm_ui.errors import SynthVLMError
for line in sys.stdin:
    name, mapping, limit = json.loads(line)
    try:
        read = read_captions(name, mapping=mapping, limit=limit)
        rows = [[caption.caption, caption.image, dict(caption.meta)] for caption in read]
        answer = {"rows": rows, "notes": read.notes, "at_limit": read.at_limit, "torch": "torch" in sys.modules}
    except SynthVLMError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    print(json.dumps(answer), flush=True)
"""


LLAVA = [{"id": "7", "image": "00/7.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
                                                             {"from": "gpt", "value": "a tin robot"}]}]
DATASETS = {
    PAIRS: {"README.md": b"---\nlicense: mit\n---\n", "data/train-00000-of-00002.parquet": table(range(20)),
            "data/train-00001-of-00002.parquet": table(range(20, 25)),
            "data/test-00000-of-00001.parquet": table(range(25, 30))},
    "them/configs": {"README.md": CONFIGS, "en.jsonl": b'{"text": "a cat"}\n', "de.jsonl": b'{"text": "eine Katze"}\n'},
    "them/large": {"README.md": b"", "train.parquet": table(range(40), padding=1_000_000)},
    "them/beside": {"README.md": b"", "metadata.jsonl": b'{"file_name": "a.png", "text": "a grey wall"}\n',
                    "a.png": picture(3)},
    "them/mixed": {"README.md": b"", "pairs.json": json.dumps(LLAVA).encode(), "meta.json": b'[{"id": 1, "url": "x"}]'},
    "them/gated": {"README.md": b"", "train.parquet": table(range(2))},
    "them/script": {"README.md": b"", "script.py": b"raise SystemExit"},
    "them/nothing": {"README.md": b""}}


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with serving(HubServer(DATASETS, frozenset({"them/gated"}))) as server:
        yield server


def environment(hub_url: str, home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "HF_ENDPOINT": hub_url, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **more}


class Asker:
    """A process that reads what it is told to, and says what it got."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", ASK], env=env, stdin=subprocess.PIPE, text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def __call__(self, name: str, mapping: dict[str, str] | None = None, limit: int | None = None) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, mapping or {}, limit]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def ask(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    asker = Asker(environment(hub.url, tmp_path_factory.mktemp("hub")))
    yield asker
    asker.close()


def test_splits_come_one_after_the_other_up_to_a_limit(ask: Asker) -> None:
    whole = ask(PAIRS)
    assert [row[0] for row in whole["rows"]] == [f"caption {number}" for number in range(30)]
    assert whole["rows"][24][1:] == ["train/24", {"split": "train"}]
    assert whole["rows"][25][1:] == ["test/0", {"split": "test"}]
    assert not whole["torch"], "reading captions loads no engine"
    some = ask("hf:" + PAIRS, limit=22)
    assert some["rows"] == whole["rows"][:22]
    assert some["at_limit"] and not whole["at_limit"]
    assert ask(f"hf:{PAIRS}?split=test")["rows"] == whole["rows"][25:]


def test_bytes_of_images_are_not_fetched_for_captions(ask: Asker, hub: HubServer) -> None:
    hub.sent_bytes = 0
    assert len(ask("hf:them/large")["rows"]) == 40
    assert hub.sent_bytes < 25_000_000, "of 40 MB, some of it read ahead"


@pytest.mark.parametrize(("name", "said"), [
    ("them/gated", "them/gated is gated (Hugging Face Hub). Accept its terms on its page and set HF_TOKEN."),
    ("them/none", "there is no public data set them/none, nor a file of that name"),
    ("them/configs", "Name one with --config."),
    ("hf:them/configs?config=fr", "Available: ['en', 'de']"),
    (f"hf:{PAIRS}?split=dev", "Available splits: ['train', 'test']"),
    (f"hf:{PAIRS}?revision=v9", "them/pairs has no revision 'v9'"),
    ("them/script", "code of a data set is not run"),
    ("them/nothing", "holds no data files that can be read"),
])
def test_what_cannot_be_had_is_one_clear_line(ask: Asker, name: str, said: str) -> None:
    answer = ask(name)
    assert answer["kind"] == "UnreadableFile"
    assert said in answer["error"] and "\n" not in answer["error"]


def test_columns_are_guessed_or_named(ask: Asker) -> None:
    assert [row[0] for row in ask("hf:them/configs?config=de")["rows"]] == ["eine Katze"]
    assert "there is no column 'title'" in ask(PAIRS, {"caption": "title"})["error"]
    assert "column 'image' holds images, not text" in ask(PAIRS, {"caption": "image"})["error"]
    assert [row[:2] for row in ask("them/beside")["rows"]] == [["a grey wall", "train/0"]]


def test_files_of_a_data_set_are_named(ask: Asker) -> None:
    assert ask("hf:them/mixed?files=pairs.json")["rows"] == [["a tin robot", "00/7.jpg", {"split": "train"}]]
    assert "holds no data files that can be read" in ask("hf:them/mixed?files=*.csv")["error"]


def test_without_a_network_the_cache_is_read_or_said_to_be_missing(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "datasets--them--pairs" / "snapshots" / COMMIT
    for name, content in DATASETS[PAIRS].items():
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_bytes(content)
    (tmp_path / "hub" / "datasets--them--pairs" / "refs").mkdir()
    (tmp_path / "hub" / "datasets--them--pairs" / "refs" / "main").write_text(COMMIT)
    asker = Asker(environment("http://127.0.0.1:9", tmp_path))
    found, missing, part = asker(PAIRS), asker("them/other"), asker(f"hf:{PAIRS}?split=test")
    asker.close()
    assert sorted(row[0] for row in found["rows"]) == sorted(f"caption {number}" for number in range(30))
    assert [row[0] for row in part["rows"]] == [f"caption {number}" for number in range(25, 30)]
    assert any("from its cache" in note for note in found["notes"])
    assert "the Hub cannot be reached" in missing["error"]
    offline = Asker(environment("http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1"))
    assert "HF_HUB_OFFLINE is set" in offline("them/other")["error"]
    offline.close()


def test_the_command_line_brings_captions_and_images(hub: HubServer, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "synthvlm_ui", "--workspace", str(tmp_path / "w"), "--json", "captions", "import",
             PAIRS, "--split", "train", "--limit", "23", "--dataset", "theirs", "--images"]
    ran = subprocess.run(words, env=environment(hub.url, tmp_path / "home"), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert "stopped at 23 captions; --limit N takes more" in told["notes"]
    assert (told["imported"], told["rejected"], told["images"]["stored"], told["images"]["skipped"]) == (23, 0, 23, 0)
    refused = subprocess.run([*words[:8], "them/gated", "--dataset", "theirs2"], capture_output=True, text=True,
                             env=environment(hub.url, tmp_path / "home"))
    assert refused.returncode == 2 and "them/gated is gated" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(("text", "named"), [
    ("hf:them/pairs", HubDataset("them/pairs")), ("hf:squad", HubDataset("squad")), ("them/pairs", HubDataset(PAIRS)),
    ("https:/huggingface.co/datasets/them/pairs", HubDataset(PAIRS)),
    ("hf:/datasets/them/pairs?split=a&config=b&revision=refs/convert/parquet&files=a/*.json",
     HubDataset(PAIRS, "b", "a", "refs/convert/parquet", "a/*.json")),
    ("tests/pairs", None), ("pairs", None), ("./them/pairs", None), ("/them/pairs", None), ("a/b/c", None),
    ("captions.jsonl", None), ("mistyped/captions.jsonl", None),
])
def test_what_names_a_data_set(text: str, named: HubDataset | None) -> None:
    assert hub_dataset(text) == named
    assert named is None or hub_dataset(str(named)) == named


@pytest.mark.parametrize("text", ["hf:", "hf:a/b/c", "hf:../x", "hf:a/b?x=1", "hf:a b"])
def test_names_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        read_captions(text)


@pytest.mark.parametrize("value", [
    None, {"bytes": None, "path": None}, {"bytes": None, "path": "/etc/passwd"}, {"bytes": None, "path": "a.png"},
    {"bytes": None, "path": "hf://datasets/them/secret@main/a.png"}, {"bytes": None, "path": "http://127.0.0.1/a.png"},
    {"bytes": None, "path": "file:///etc/passwd::hf://datasets/them/pairs@main/a.zip"}])
def test_a_row_leads_nowhere_but_into_its_data_set(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthvlm_ui.service.real_images.hub_images.stream_column", lambda *_: iter([value]))
    with pytest.raises(RefusedImage):
        HubImages(HubDataset(PAIRS)).read("train/0")

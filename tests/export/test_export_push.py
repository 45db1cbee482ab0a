"""Pushing to the Hub, against a server on this machine that speaks the Hub's protocol and records what it gets."""

import pytest
from hub_taker import Hub
from test_export_writing import items

from synthvlm_ui.errors import BadSetting, Failure, ModelUnavailable, UnreadableFile, UserError
from synthvlm_ui.export import export, plan_push, push


@pytest.fixture
def hub():
    with Hub() as server:
        yield server


@pytest.fixture
def exported(tmp_path):
    export("imagefolder", items(3), tmp_path / "out")
    return tmp_path / "out"


def test_every_file_of_the_manifest_is_sent_and_nothing_else(exported, hub):
    (exported / "notes-to-self.txt").write_text("private")
    planned = plan_push(exported, "me/toys", private=True)
    shown = planned.to_json(dry_run=True)
    assert shown["files"] == len(planned.files) and "README.md" in shown["listing"] and not hub.repos
    assert push(planned, token="hf_secret", endpoint=hub.url) == f"{hub.url}/datasets/me/toys"
    assert set(hub.files) == set(planned.files) and "notes-to-self.txt" not in hub.files
    assert all(content == (exported / name).read_bytes() for name, content in hub.files.items())
    made = hub.repos[0]
    assert made["type"] == "dataset" and (made.get("private") is True or made.get("visibility") == "private")
    assert hub.tokens == {"Bearer hf_secret"}


@pytest.mark.parametrize(("status", "error"), [(401, UserError), (403, UserError), (400, UserError), (500, Failure)])
def test_what_the_hub_answers_is_said_in_one_line(exported, hub, status, error):
    hub.status = status
    with pytest.raises(error) as raised:
        push(plan_push(exported, "me/toys"), token="hf_secret", endpoint=hub.url)
    assert "\n" not in str(raised.value) and "hf_secret" not in str(raised.value)


def test_without_a_network_it_says_so(exported):
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        push(plan_push(exported, "me/toys"), token="x", endpoint="http://127.0.0.1:9")


def test_what_is_no_whole_export_is_not_sent(exported, tmp_path):
    for name in ("toys", "a/b/c", "me/toys; rm", "../x/y"):
        with pytest.raises(BadSetting):
            plan_push(exported, name)
    with pytest.raises(UnreadableFile):
        plan_push(tmp_path, "me/toys")
    (exported / "train/metadata.jsonl").write_text("{}")
    with pytest.raises(UnreadableFile, match="metadata.jsonl"):
        plan_push(exported, "me/toys")

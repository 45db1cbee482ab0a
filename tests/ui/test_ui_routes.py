"""The app's own routes over a real small workspace: what they answer, refuse, and never interpret."""

from __future__ import annotations

import base64
import io
import tarfile
import threading
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_workspace import BASE, CAPTIONS, MARKUP, REPEATS, ROUTES, client_of
from starlette.testclient import TestClient

from synthvlm_ui.records import Candidate, ScorerInfo
from synthvlm_ui.service import Studio
from synthvlm_ui.service.curation import near_tables
from synthvlm_ui.service.export.export_desk import ExportRequest

ALL = len(CAPTIONS) * REPEATS


def view(client: TestClient, rule: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    answer = client.post(ROUTES + "/curate/view", json={"rule": {"dataset": "small", **(rule or {})}, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_thumbnail_and_image_decode_and_may_be_kept_for_ever(client: TestClient, candidates: list[Candidate]) -> None:
    for path in ("thumb", "image"):
        answer = client.get(f"{ROUTES}/{path}/{candidates[0].id}")
        assert answer.headers["content-type"] == "image/webp"
        assert "immutable" in answer.headers["cache-control"]
        assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


def test_thumbnails_of_a_page_come_in_one_answer(client: TestClient, candidates: list[Candidate]) -> None:
    some, unknown = [candidate.id for candidate in candidates[:3]], ["f" * 16, "../../journal.sqlite"]
    answer = client.post(f"{ROUTES}/thumbs", json={"ids": some + unknown})
    found = answer.json()["thumbnails"]
    assert list(found) == some + unknown and "no-store" in answer.headers["cache-control"]
    for name in some:
        assert base64.b64decode(found[name]) == client.get(f"{ROUTES}/thumb/{name}").content
    assert [found[name] for name in unknown] == [None, None]
    for ids in (some * 50, [], "all", [1]):
        assert client.post(f"{ROUTES}/thumbs", json={"ids": ids}).status_code == 400


def test_a_rule_whose_duplicates_are_still_looked_for_is_said_to_wait(
        client: TestClient, studio: Studio, candidates: list[Candidate], monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.arange(len(candidates), dtype=np.uint64) << np.uint64(40)
    studio.workspace.scores.write("small", "shard-1", ScorerInfo("guards", ("phash",), {}),
                                  [candidate.id for candidate in candidates], {"phash": hashes})
    studio.refresh()
    monkeypatch.setattr(near_tables, "FEW_ROWS", 0)
    gate, work = threading.Event(), near_tables.NearTables._work
    monkeypatch.setattr(near_tables.NearTables, "_work", lambda *given: gate.wait(60) and work(*given))
    rule = {"near_duplicates": "phash"}
    answer = view(client, rule, parts=["yield"])
    assert answer["waiting"] == {"for": "near_duplicates", "share": 0.0} and "yield" not in answer
    whole = {"dataset": "small", **rule}
    for path, body in (("select", {"name": "some", "rule": whole}),
                       ("verdict", {"verdict": "keep", "all": {"rule": whole}})):
        refused = client.post(f"{ROUTES}/{path}", json=body)
        assert refused.status_code == 400 and "still being looked for" in refused.json()["error"]["text"]
    assert "yield" in view(client, parts=["yield"]), "other rules are answered meanwhile"
    gate.set()
    until = time.monotonic() + 60
    while "waiting" in (answer := view(client, rule, parts=["yield"])):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert 0 < answer["yield"]["kept"] < ALL


@pytest.mark.parametrize("path", [
    "/thumb/../../../etc/passwd", "/thumb/..%2f..%2f..%2fetc%2fpasswd", "/image/%2e%2e%2f%2e%2e", "/thumb/0",
    "/image/zzzzzzzzzzzzzzzz", "/jobs/..%2f..%2fjournal/live", "/jobs/x/image/..%2f..", "/static/../api.py",
    "/static/js/../../api.py", "/static/js/%2e%2e/%2e%2e/api.py", "/static//etc/passwd", "/candidate/" + "0" * 17,
])
def test_a_path_that_climbs_finds_nothing(client: TestClient, path: str) -> None:
    answer = client.get(ROUTES + path)
    assert answer.status_code == 404
    assert "root:" not in answer.text and "import" not in answer.text


def test_unknown_candidate_is_named_as_such(client: TestClient) -> None:
    answer = client.get(ROUTES + "/candidate/" + "0" * 16)
    assert answer.status_code == 404
    assert answer.json()["error"]["kind"] == "UnknownName"


def test_scripts_and_styles_are_served_and_checked_again(client: TestClient) -> None:
    first = client.get(ROUTES + "/static/js/main.js")
    assert first.status_code == 200 and first.headers["content-type"].startswith("text/javascript")
    again = client.get(ROUTES + "/static/js/main.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content


@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
])
def test_a_change_asked_for_by_another_site_is_refused(
        client: TestClient, candidates: list[Candidate], headers: dict[str, str]) -> None:
    body = {"ids": [candidates[0].id], "verdict": "reject"}
    answer = client.post(ROUTES + "/verdict", json=body, headers=headers)
    assert answer.status_code == 403
    assert view(client)["yield"]["reject_verdicts"] == 0


def test_a_change_asked_for_by_the_page_itself_is_made(client: TestClient, candidates: list[Candidate]) -> None:
    headers = {"origin": BASE, "sec-fetch-site": "same-origin"}
    body = {"ids": [candidates[0].id], "verdict": "reject"}
    assert client.post(ROUTES + "/verdict", json=body, headers=headers).json()["changed"] == 1
    assert view(client)["yield"]["reject_verdicts"] == 1


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:7860", "[::2]:7860", ""])
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get(ROUTES + "/state", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860", "LOCALHOST"])
def test_this_machine_is_answered(client: TestClient, host: str) -> None:
    assert client.get(ROUTES + "/state", headers={"host": host}).status_code == 200


def test_the_server_fetches_nothing_for_others(client: TestClient) -> None:
    assert client.get(BASE + "/gradio_api/file=https://example.com/x.png").status_code == 403


def test_every_answer_forbids_the_page_to_load_from_elsewhere(client: TestClient) -> None:
    headers = client.get(ROUTES + "/state").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_form_post_is_not_json(client: TestClient) -> None:
    answer = client.post(ROUTES + "/undo", content="{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 400


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff", b'"x"'])
def test_unreadable_json_is_a_clear_error(client: TestClient, content: bytes) -> None:
    answer = client.post(ROUTES + "/verdict", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and "JSON" in answer.json()["error"]["text"]


def test_markup_in_a_caption_comes_back_as_data(client: TestClient, candidates: list[Candidate]) -> None:
    rows = client.get(ROUTES + "/captions", params={"dataset": "small"})
    assert rows.headers["content-type"] == "application/json"
    assert MARKUP in [row["caption"] for row in rows.json()["rows"]]
    wanted = next(candidate for candidate in candidates if candidate.caption == MARKUP)
    assert client.get(f"{ROUTES}/candidate/{wanted.id}").json()["caption"] == MARKUP


def test_a_threshold_changes_yield_histogram_and_page_together(client: TestClient) -> None:
    every, cut = view(client), view(client, {"clip_min": 0.25}, sequence=7)
    assert every["yield"]["kept"] == ALL and cut["sequence"] == 7
    assert 0 < cut["yield"]["kept"] < ALL
    assert sum(cut["histograms"]["clip_cosine"]["kept"]) == cut["yield"]["kept"] == cut["page"]["total"]
    assert sum(cut["histograms"]["clip_cosine"]["all"]) == ALL
    assert all(item["clip_cosine"] >= 0.25 and item["kept"] for item in cut["page"]["items"])
    dropped = view(client, {"clip_min": 0.25}, page={"show": "dropped"})["page"]
    assert dropped["total"] == ALL - cut["yield"]["kept"]


def test_only_the_asked_parts_come(client: TestClient) -> None:
    always = {"sequence", "rule", "version", "last_event", "score_columns"}
    assert set(view(client, parts=["yield"])) == {*always, "yield"}


def test_pages_do_not_overlap(client: TestClient) -> None:
    pages = [view(client, page={"offset": offset, "limit": 6, "show": "all"})["page"] for offset in range(0, ALL, 6)]
    ids = [item["id"] for page in pages for item in page["items"]]
    assert len(ids) == len(set(ids)) == ALL


@pytest.mark.parametrize("rule", [{"dataset": "absent"}, {"preset": "absent"}, {"top_k": 3, "keep_ratio": 0.5},
                                  {"unheard_of": 1}, {"clip_min": "many"}])
def test_a_rule_that_cannot_be_is_a_user_error(client: TestClient, rule: dict[str, Any]) -> None:
    answer = client.post(ROUTES + "/curate/view", json={"rule": {"dataset": "small", **rule}})
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["error"]["text"]


def test_verdict_undo_redo(client: TestClient, candidates: list[Candidate]) -> None:
    client.post(ROUTES + "/verdict", json={"ids": [candidates[0].id], "verdict": "reject"})
    assert view(client)["yield"]["kept"] == ALL - 1
    assert client.post(ROUTES + "/undo", json={}).json()["changed"] == 1
    assert view(client)["yield"]["kept"] == ALL
    assert client.post(ROUTES + "/redo", json={}).json()["changed"] == 1
    assert view(client)["yield"]["kept"] == ALL - 1


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": "all", "verdict": "keep"}, {"ids": [1], "verdict": "keep"}])
def test_a_verdict_on_nothing_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert client.post(ROUTES + "/verdict", json=body).status_code == 400


def test_a_selection_keeps_what_the_page_showed(client: TestClient) -> None:
    rule = {"dataset": "small", "clip_min": 0.25, "best_per_caption": True}
    shown = view(client, rule)["yield"]
    saved = client.post(ROUTES + "/select", json={"name": "best", "rule": rule}).json()
    assert saved["kept"] == shown["kept"]
    assert [row["name"] for row in client.get(ROUTES + "/selections").json()["selections"]] == ["best"]
    assert client.get(ROUTES + "/state").json()["summary"]["selections"] == ["best"]


def test_an_export_comes_as_a_tar_of_the_size_that_is_said(client: TestClient, studio: Studio) -> None:
    studio.curation.select("best", studio.curation.rule("small", best_per_caption=True))
    studio.exports.run(ExportRequest("best", "imagefolder"))
    (listed,) = client.get(ROUTES + "/exports").json()["exports"]
    assert (listed["name"], listed["format"], listed["written"]) == ("best-imagefolder", "imagefolder", len(CAPTIONS))
    answer = client.get(ROUTES + "/exports/best-imagefolder.tar")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "best-imagefolder.tar" in answer.headers["content-disposition"]
    folder = studio.exports.default_out("best", "imagefolder")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        assert {tar.extractfile(name).read() for name in tar.getnames()} == {
            path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["other", "..", "%2e%2e", "%2e%2e%2fshards", "best-imagefolder%2f..%2f..", "%00"])
def test_nothing_but_an_export_is_sent(client: TestClient, studio: Studio, name: str) -> None:
    studio.curation.select("best", studio.curation.rule("small", best_per_caption=True))
    studio.exports.run(ExportRequest("best", "imagefolder"))
    assert client.get(f"{ROUTES}/exports/{name}.tar").status_code == 404


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "x" * 500])
def test_a_selection_cannot_be_named_like_a_path(client: TestClient, studio: Studio, name: str) -> None:
    answer = client.post(ROUTES + "/select", json={"name": name, "rule": {"dataset": "small"}})
    assert answer.status_code == 400
    assert not studio.curation.selections()["selections"]


def test_reading_only_shows_and_changes_nothing(studio: Studio, candidates: list[Candidate]) -> None:
    client = client_of(studio, read_only=True)
    assert client.get(ROUTES + "/state").json()["read_only"] is True
    for path, body in [("/verdict", {"ids": [candidates[0].id], "verdict": "keep"}), ("/undo", {}), ("/demo", {}),
                       ("/select", {"name": "x", "rule": {"dataset": "small"}}),
                       ("/generate", {"prompt": "a red cat"})]:
        answer = client.post(ROUTES + path, json=body)
        assert answer.status_code == 400 and answer.json()["error"]["kind"] == "WorkspaceError"
    assert view(client)["yield"]["total"] == ALL


@pytest.mark.parametrize(("settings", "named"), [
    ({"width": "sixty"}, "width"), ({"seed": "1.5"}, "seed"), ({"guidance_scale": "x"}, "guidance_scale"),
    ({"generator": "no-such-generator"}, "no-such-generator"), ({"width": 66}, "66"), ({"images_per_caption": 0}, "0"),
])
def test_a_setting_that_cannot_be_is_named(client: TestClient, settings: dict[str, Any], named: str) -> None:
    answer = client.post(ROUTES + "/generate", json={"prompt": "a red cat", "settings": settings})
    assert answer.status_code in (400, 404), answer.text
    assert named in answer.json()["error"]["text"]
    assert client.get(ROUTES + "/state").json()["jobs"] == []


def test_nothing_to_draw_is_a_user_error(client: TestClient) -> None:
    assert client.post(ROUTES + "/generate", json={"settings": {}}).status_code == 400


def test_an_estimate_comes_with_the_same_command(client: TestClient) -> None:
    body = {"dataset": "small", "settings": {"generator": "miniature", "images_per_caption": "3", "width": ""}}
    found = client.post(ROUTES + "/estimate", json=body).json()
    assert found["images"] == 3 * len(CAPTIONS) and found["bytes"] > 0
    assert "generate --dataset small" in found["command"] and "--images-per-caption 3" in found["command"]


def test_the_page_chooses_where_a_run_is_carried_out_but_no_cluster(client: TestClient,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    drawn = {"dataset": "small", "settings": {"seed": "7"}}
    under_ray = client.post(ROUTES + "/estimate", json={
        **drawn, "executor": "ray", "ray_workers": "2", "ray_address": "evil.example:6379"}).json()["command"]
    assert under_ray.endswith("--executor ray --ray-workers 2") and "--seed 7" in under_ray
    array = client.post(ROUTES + "/estimate", json={**drawn, "executor": "slurm", "slurm_tasks": "4"}).json()
    assert array["command"].endswith("--show-slurm 4 | sbatch")
    assert "--array=1-4" in array["script"] and "--seed 7" in array["script"]
    for executor in ("slurm", "dask"):
        assert client.post(ROUTES + "/generate", json={**drawn, "executor": executor}).status_code == 400
    offered = {one["name"]: one for one in client.get(ROUTES + "/generators").json()["executors"]}
    assert list(offered) == ["local", "ray", "slurm"]
    assert not offered["ray"]["ready"] or "SYNTHVLM_RAY_ADDRESS names" in offered["ray"]["note"]
    assert client.get(ROUTES + "/state").json()["jobs"] == []


def test_missing_scores_are_null_and_not_nan(studio: Studio) -> None:
    studio.captions.import_texts("a red cat", "bare")
    answer = client_of(studio).post(ROUTES + "/curate/view", json={"rule": {"dataset": "bare"}})
    assert answer.status_code == 200 and "NaN" not in answer.text

"""Curation of a small real workspace: pages and places, searches, verdicts of several people, links, bad input."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_workspace import MARKUP, fill

from synthvlm_ui.errors import BadSetting, EmptyInput, UnknownName, WorkerDied
from synthvlm_ui.records import ScorerInfo
from synthvlm_ui.service import Find, Studio, state_of
from synthvlm_ui.service.curation.caption_words import CaptionWords, parse_query
from synthvlm_ui.service.curation.ordering import Order
from synthvlm_ui.service.curation.view_state import state_of_query

CAPTIONS = ["a red cat on a mat", "a red car", "cats are red", "two birds, red and blue", "a blue boat", MARKUP]
ALL = 3 * len(CAPTIONS)
NOTHING = Find()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("curation") / "workspace"
    studio = Studio.open(root)
    ids = [candidate.id for candidate in fill(studio, "toys", CAPTIONS, 3)]
    vectors = np.random.default_rng(0).normal(size=(ALL, 8)).astype(np.float16)
    vectors[1] = vectors[0]
    clip = ScorerInfo("clip", ("clip_cosine",), {"model": "test"})
    spread = np.linspace(0.1, 0.4, ALL, dtype=np.float32)
    spread[5] = np.nan
    studio.workspace.scores.write("toys", "shard-1", clip, ids, {"clip_cosine": spread}, vectors)
    studio.close()
    return root


@pytest.fixture
def studio(filled: Path) -> Iterator[Studio]:
    opened = Studio.open(filled)
    opened.refresh()
    yield opened
    for actor in ("local", "ann", "bob"):
        while opened.verdicts.undo(actor)["undone"]:
            pass
    opened.close()


def ids(studio: Studio, **page: Any) -> list[str]:
    rule = studio.curation.rule("toys", **page.pop("rule", {}))
    return [item["id"] for item in studio.curation.page(rule, limit=100, **{"show": "all", **page})["items"]]


def verdict_of(studio: Studio, candidate_id: str) -> int:
    return int(studio.curation.candidate(candidate_id)["verdict"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 300), st.integers(0, 320), st.integers(1, 60), st.floats(0, 1))
def test_a_page_before_sorting_is_the_page_after(seed: int, size: int, offset: int, limit: int, share: float) -> None:
    chance = np.random.default_rng(seed)
    keys = chance.permutation(size).astype(np.uint64)
    mask = chance.random(size) < share
    order = Order(keys)
    expected = [row for row in np.argsort(~keys).tolist() if mask[row]]
    assert order.all(mask).tolist() == expected
    assert order.page(mask, offset, limit).tolist() == expected[offset : offset + limit]
    order._sorted = None
    order._sort_soon = lambda: None  # type: ignore[method-assign]
    assert order.page(mask, offset, limit).tolist() == expected[offset : offset + limit]
    assert [order.place(row, mask) for row in expected] == list(range(len(expected)))


def test_the_page_that_holds_a_rank_or_a_candidate(studio: Studio) -> None:
    every = ids(studio)
    rule = studio.curation.rule("toys")
    for at, rank in (({"rank": 7}, 7), ({"id": every[11]}, 11), ({"rank": 999}, ALL - 1)):
        page = studio.curation.page(rule, limit=4, show="all", at=at)
        assert page["offset"] == rank // 4 * 4 and page["items"][page["place"]]["id"] == every[rank]
        assert page["items"][page["place"]]["rank"] == rank
    rejected = studio.curation.page(rule, limit=4, show="reject", at={"id": every[11]})
    assert rejected["place"] is None and rejected["total"] == 0
    with pytest.raises(BadSetting):
        studio.curation.page(rule, at={"rank": "x"})


def test_any_score_orders_both_ways_and_missing_scores_come_last(studio: Studio) -> None:
    down, up = ids(studio, order="clip_cosine"), ids(studio, order="-clip_cosine")
    assert down[-1] == up[-1], "the candidate without a score"
    assert down[:-1] == up[:-1][::-1]
    for order in ("loud", "similarity"):
        with pytest.raises(BadSetting):
            ids(studio, order=order)


@pytest.mark.parametrize(("query", "found"), [
    ("red", {0, 1, 2, 3}), ("RED cat", {0}), ("cat*", {0, 2}), ('"red cat"', {0}), ('"red and blue"', {3}),
    ("red -cat", {1, 2, 3}), ("birds, two", {3}), ("absent", set()), ('-red -blue -boat "a"', set()), ("onerror", {5})])
def test_words_of_captions(studio: Studio, query: str, found: set[int]) -> None:
    wanted = {CAPTIONS[number] for number in found}
    rule = studio.curation.rule("toys")
    page = studio.curation.page(rule, show="all", limit=100, find=Find(text=query))
    assert {item["caption"] for item in page["items"]} == wanted and page["total"] == 3 * len(found)
    quoted = f"'{query}'"
    assert len(ids(studio, rule={"where": f"caption contains {quoted}", "guards": False}, show="kept")) \
        == len([item for item in page["items"] if item["clip_cosine"] is not None])


def test_a_query_without_a_word_is_told() -> None:
    with pytest.raises(BadSetting):
        parse_query(" - * ")


def test_lengths_words_tokens_and_names_in_filters(studio: Studio) -> None:
    def captions(where: str) -> set[str]:
        rule = studio.curation.rule("toys", where=where)
        return {item["caption"] for item in studio.curation.page(rule, limit=100)["items"]}

    assert captions("length < 10") == {"a red car"}
    assert captions("words == 6 and tokens >= 8") == {"a red cat on a mat"}
    assert captions("tokens > 77") == set()
    assert len(captions('dataset == "toys" and generator == "miniature" and not combined > 9')) == len(CAPTIONS)
    studio.curation.select("cars", studio.curation.rule("toys", where='caption contains "car"'))
    assert captions('selection == "cars"') == {"a red car"}
    for where in ('selection == "absent"', 'dataset == "absent"', "cluster == 1", "clip_cosine >", 'caption == "x"'):
        with pytest.raises((BadSetting, UnknownName)) as refused:
            captions(where)
        assert refused.value.fix


def test_likeness_is_the_cosine_of_stored_embeddings(studio: Studio) -> None:
    first = studio.workspace.columns.ids_of(np.array([0]))[0]
    page = studio.curation.page(studio.curation.rule("toys"), show="all", limit=100, find=Find(like=first),
                                order="similarity")
    assert [item["similarity"] for item in page["items"][:2]] == pytest.approx([1, 1], abs=1e-3)
    likeness = [item["similarity"] for item in page["items"]]
    assert likeness == sorted(likeness, reverse=True) and len(likeness) == ALL
    near = studio.candidates.neighbours(first)["neighbours"]
    assert near[0]["similarity"] == pytest.approx(1, abs=1e-3) and first not in [item["id"] for item in near]
    kept = ids(studio, rule={"near_duplicates": "embedding", "duplicate_cosine": 0.999, "guards": False}, show="kept")
    assert len(kept) == ALL - 2, "one has no score and one is another's copy"


def test_a_later_verdict_of_anyone_survives_the_undo_of_an_earlier_bulk_act(studio: Studio) -> None:
    every = ids(studio)
    rule = studio.curation.rule("toys")
    done = studio.verdicts.verdict_on_all(rule, NOTHING, "all", "keep", actor="ann", expected=ALL)
    assert done["changed"] == ALL
    studio.verdicts.verdict([every[3]], "reject", actor="bob")
    assert studio.verdicts.undo("ann")["changed"] == ALL
    assert verdict_of(studio, every[3]) == -1 and verdict_of(studio, every[4]) == 0
    assert studio.verdicts.redo("ann")["redone"] == f"keep of {ALL}"
    assert verdict_of(studio, every[3]) == -1 and verdict_of(studio, every[4]) == 1
    assert studio.verdicts.undo("bob")["ids"] == [every[3]]
    assert verdict_of(studio, every[3]) == 1, "what ann decided is in force again"
    history = studio.curation.candidate(every[3])["history"]
    assert [(act["actor"], act["verdict"], act["undone"]) for act in history[-2:]] \
        == [("ann", "keep", False), ("bob", "reject", True)]


def test_a_filter_that_changed_meanwhile_is_not_acted_on(studio: Studio) -> None:
    rule = studio.curation.rule("toys", clip_min=9.0)
    with pytest.raises(BadSetting, match="by now"):
        studio.verdicts.verdict_on_all(studio.curation.rule("toys"), NOTHING, "kept", "keep", expected=2)
    with pytest.raises(EmptyInput):
        studio.verdicts.verdict_on_all(rule, NOTHING, "kept", "keep")
    assert studio.curation.page(rule)["total"] == 0


def test_a_range_is_what_stands_between_two_places(studio: Studio) -> None:
    every = ids(studio)
    rule = studio.curation.rule("toys")
    assert studio.verdicts.verdict_on_range(rule, NOTHING, "all", "combined", (9, 4), "keep")["changed"] == 6
    assert [verdict_of(studio, name) for name in every[3:11]] == [0, 1, 1, 1, 1, 1, 1, 0]


def test_a_verdict_against_the_rule_is_shown_as_such_and_overrides_it(studio: Studio) -> None:
    rule = studio.curation.rule("toys", clip_min=0.25)
    kept, dropped = (ids(studio, rule={"clip_min": 0.25}, show=show) for show in ("kept", "dropped"))
    studio.verdicts.verdict([dropped[0]], "keep")
    studio.verdicts.verdict([kept[0]], "reject")
    studio.verdicts.verdict([kept[1]], "keep")
    against = studio.curation.page(rule, show="overridden")["items"]
    assert {item["id"] for item in against} == {dropped[0], kept[0]} and all(item["overrides"] for item in against)
    assert dropped[0] in ids(studio, rule={"clip_min": 0.25}, show="kept")
    assert studio.curation.yield_of(rule)["overridden"] == 2


def test_the_strip_is_what_stands_on_both_sides_of_the_cut(studio: Studio) -> None:
    order = ids(studio, rule={"guards": False}, show="kept", order="clip_cosine")
    strip = studio.curation.strip(studio.curation.rule("toys", clip_min=0.25), "clip_cosine", 4)
    values = [item["clip_cosine"] for item in strip["above"]]
    assert values == sorted(values) and min(values) >= 0.25 and strip["cut"] == pytest.approx(values[0], abs=1e-6)
    place = order.index(strip["above"][0]["id"])
    assert [item["id"] for item in strip["below"]] == order[place + 1 : place + 5]
    top = studio.curation.strip(studio.curation.rule("toys", top_k=5), count=3)
    best = ids(studio, show="all")
    assert [item["id"] for item in top["above"]] == best[4:1:-1] and [item["id"] for item in top["below"]] == best[5:8]


def test_agreement_counts_only_what_was_decided_one_by_one(studio: Studio) -> None:
    fields = {"ssim_weight": 0.0, "guards": False}
    every, rule = ids(studio, rule=fields), studio.curation.rule("toys", combined_min=0.3, **fields)
    studio.verdicts.verdict_on_all(studio.curation.rule("toys"), NOTHING, "all", "reject")
    for name in every[:6]:
        studio.verdicts.verdict([name], "keep")
    for name in every[8:14]:
        studio.verdicts.verdict([name], "reject")
    found = studio.insight.judged(rule)
    assert (found["k"], found["keep"], found["reject"]) == (12, 6, 6)
    assert found["cut"]["precision"] == 1 and found["cut"]["recall"] == 1
    assert 0 <= found["precision"]["low"] <= found["precision"]["value"] <= found["precision"]["high"] <= 1


def test_news_name_the_actor_and_the_candidates(studio: Studio) -> None:
    last = studio.verdicts.news(0)["last_event"]
    name = ids(studio)[0]
    assert not studio.verdicts.has_news(last, None, None)
    studio.verdicts.verdict([name], "keep", actor="ann")
    assert studio.verdicts.has_news(last, None, None)
    news = studio.verdicts.news(last, "bob")
    assert [(event["actor"], event["verdict"], event["ids"]) for event in news["events"]] == [("ann", "keep", [name])]
    assert "bob" in news["actors"]
    last = news["last_event"]
    assert not studio.verdicts.has_news(last, None, news["people"], "bob")
    assert studio.verdicts.has_news(last, None, news["people"], "cleo"), "somebody came"
    assert studio.verdicts.news(last, "bob")["actors"][0] == "cleo"
    for actor in ("", "x" * 41, "a\x00b"):
        with pytest.raises(BadSetting):
            studio.verdicts.verdict([name], "keep", actor=actor)


STATES = st.builds(lambda **fields: fields, rule=st.fixed_dictionaries(
    {"dataset": st.just("toys")}, optional={
        "clip_min": st.floats(0, 1), "where": st.text("abc <>=\"'&%#+é", max_size=20).filter(str.strip),
        "top_k": st.integers(1, 9), "guards": st.booleans(), "near_duplicates": st.sampled_from(["phash", "both"])}),
    find=st.fixed_dictionaries({}, optional={"text": st.text("ab \"-*é", min_size=1, max_size=9).filter(str.strip)}),
    show=st.sampled_from(["kept", "all"]), order=st.sampled_from(["combined", "-ssim"]), offset=st.integers(0, 999),
    limit=st.integers(1, 500), id=st.sampled_from(["", "0123456789abcdef"]))


@settings(max_examples=100, deadline=None)
@given(STATES)
def test_a_link_opens_exactly_the_view_it_was_made_of(state: dict[str, Any]) -> None:
    made = state_of(state)
    assert state_of_query(made.to_query()) == made


def test_a_wrong_link_is_told_and_saved_views_are_kept(studio: Studio) -> None:
    for query in ("dataset=toys&clip_min=much", "dataset=toys&colour=red", "dataset=absent", "dataset=toys&offset=x"):
        with pytest.raises((BadSetting, UnknownName)):
            studio.saved_views.open(query)
    state = state_of({"rule": {"dataset": "toys", "clip_min": 0.2}, "find": {"text": "red"}, "show": "all"})
    studio.saved_views.save("red ones", state, actor="ann")
    studio.saved_views.save("red ones", state_of({"rule": {"dataset": "toys"}}), actor="bob")
    (view,) = studio.saved_views.list()["views"]
    assert (view["name"], view["actor"], view["query"]) == ("red ones", "bob", "dataset=toys")
    assert "find --dataset toys --clip-min 0.2" in studio.saved_views.link(state)["command"]
    studio.saved_views.delete("red ones")
    assert studio.saved_views.list()["views"] == []


def test_percentiles_and_statistics(studio: Studio) -> None:
    rule = studio.curation.rule("toys")
    found = studio.insight.percentile(rule, "clip_cosine", percentile=50)
    assert studio.insight.percentile(rule, "clip_cosine", value=found["value"])["percentile"] \
        == pytest.approx(50, abs=100 / ALL)
    assert studio.curation.yield_of(studio.curation.rule("toys", clip_min=found["value"], guards=False))["kept"] \
        == found["at_least"]
    with pytest.raises(BadSetting):
        studio.insight.percentile(rule, "loudness", value=1.0)
    statistics = studio.insight.statistics(rule)
    at = statistics["columns"].index
    assert statistics["pearson"][at("clip_cosine")][at("ssim")] == pytest.approx(-1, abs=1e-4)
    assert sum(statistics["variance_share"].values()) == pytest.approx(1)


def test_questions_to_the_warm_process_and_its_errors(studio: Studio) -> None:
    assert studio.query("ping", {"word": "x"}) == {"pong": "x"}
    process = studio.queries._process
    assert studio.query("ping", {"word": "y"}) == {"pong": "y"} and studio.queries._process is process
    assert process is not None
    process.kill()
    process.wait()
    assert studio.query("ping", {"word": "z"}) == {"pong": "z"}, "a new one answers"
    with pytest.raises(BadSetting, match="nobody answers"):
        studio.query("weather", {})
    assert studio.queries._process is not None
    os.kill(studio.queries._process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerDied):
        studio.queries.ask("ping", {}, limit_s=0.2)


def test_a_shard_deleted_under_the_running_app_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path / "workspace")
    fill(studio, "toys", CAPTIONS, 3)
    name = ids(studio)[0]
    studio.workspace.paths.shard("toys", "shard-1").unlink()
    found = studio.curation.candidate(name)
    assert found["problem"] and found["scores"]["clip_cosine"] is not None
    studio.refresh()
    rule = studio.curation.rule("toys")
    assert studio.curation.yield_of(rule)["total"] == 0
    failed = studio.curation.page(rule, show="failed")
    assert failed["total"] == ALL and "missing" in failed["items"][0]["error_message"]
    studio.close()


def test_closing_waits_until_nothing_is_read_any_more(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, prepare, done = threading.Event(), CaptionWords.prepare, []

    def slow(words: CaptionWords) -> None:
        begun.set()
        time.sleep(0.3)
        prepare(words)
        done.append(words)

    monkeypatch.setattr(CaptionWords, "prepare", slow)
    studio = Studio.open(filled)
    studio.refresh()
    studio.curation.page(studio.curation.rule("toys"))
    assert begun.wait(30)
    studio.close()
    assert len(done) == 1


def test_captions_that_another_process_deletes_while_they_are_read_end_no_thread(
        tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(filled, root)
    ended = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    studio = Studio.open(root)
    studio.refresh()
    monkeypatch.setattr(CaptionWords, "prepare", lambda _: (root / "captions" / "gone.parquet").stat())
    studio.curation.page(studio.curation.rule("toys"))
    studio.close()
    assert not ended

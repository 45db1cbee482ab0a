"""The job that writes captions: slots of classes, batch after batch, each written once whatever happens in between.

Runs in a worker process. The ledger in the job directory says which slots are done; the store is filled from it, and
filling twice adds nothing, since a caption's id follows from its text.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthvlm_ui.backends import Budget, BudgetSpent
from synthvlm_ui.captions import Synth2Profile, WritingProfile, entropy_bits, reason_of, same_caption
from synthvlm_ui.errors import CorruptData, Failure, ModelUnavailable
from synthvlm_ui.jobs import JobContext
from synthvlm_ui.miniature.writing import SmallWorldProfile
from synthvlm_ui.protocols import CaptionWriter, WriteRequest
from synthvlm_ui.records import Caption, WriterInfo, caption_id_of, seed_of
from synthvlm_ui.store import Workspace

ATTEMPTS = 4
STORE_EVERY_S = 15.0
BATCHES_WITHOUT_ANSWER = 3
_LEDGER, _SPENT = "written.jsonl", "spent.json"
_SHOWN = 50

OpenWriter = Callable[[str, Budget], CaptionWriter]


def run_write(context: JobContext, workspace: Workspace, open_writer: OpenWriter) -> Mapping[str, Any]:
    """Carries a write job to its end or to the user's stop. Returns {written, rejected, reasons, ...}.

    Raises: ModelUnavailable or Failure when the writer gives no answers; resuming goes on from there.
    """
    config = context.config
    context.progress.update(0, 0, message="loading the writer")
    budget = _budget_of(context)
    writer = open_writer(config["writer"], budget)
    run = _Run(context, workspace, writer, budget)
    run.begin()
    while run.waiting and not budget.spent and not context.progress.should_stop():
        context.check_disk(workspace.root)
        run.write_batch()
    run.store()
    if budget.spent and run.waiting:
        run.give_up("the budget is spent")
    return run.result()


def profile_of(info: WriterInfo, words: Sequence[int] | None, template: str | None) -> WritingProfile:
    """The prompts and checks this writer is used with. Raises: BadSetting."""
    if info.profile == "small-world":
        return SmallWorldProfile()
    options: dict[str, Any] = {}
    if words:
        options |= {"min_words": words[0], "max_words": words[1], "max_new_tokens": 40 + 3 * words[1]}  # 1.3 a word
    if template:
        options["template"] = template
    return Synth2Profile(**options)


class _Run:
    """The slots of one job, the ledger of those that are done, and what of it has been stored."""

    def __init__(self, context: JobContext, workspace: Workspace, writer: CaptionWriter, budget: Budget) -> None:
        self._context, self._workspace, self._writer, self._budget = context, workspace, writer, budget
        config = context.config
        self._config: Mapping[str, Any] = config
        self._profile = profile_of(writer.info, config.get("words"), config.get("template"))
        self._classes: list[str] = config["classes"]
        self._ledger = context.dir / _LEDGER
        self._rows = _read_ledger(self._ledger)
        self._seen = self._texts_of_others()
        self._seen |= {same_caption(row["caption"]) for row in self._rows.values() if row["status"] == "ok"}
        self.waiting = [slot for slot in range(len(self._classes)) if slot not in self._rows]
        self._unstored = [slot for slot, row in sorted(self._rows.items()) if row["status"] == "ok"]
        self._stored_at = time.monotonic()
        self._without_answer = 0

    def begin(self) -> None:
        self._context.progress.restart_rate()
        self._progress()

    def write_batch(self) -> None:
        """As many slots as the writer works on at twice, each asked for again while its text fails a check."""
        batch = self.waiting[: 2 * self._writer.info.concurrency]
        rows: dict[int, dict[str, Any]] = {}
        failed: dict[int, Counter[str]] = {slot: Counter() for slot in batch}
        open_slots = batch
        for attempt in range(ATTEMPTS):
            answers = self._writer.write([self._request(slot, attempt) for slot in open_slots])
            self._remember_spent()
            if self._is_without_answers(answers):
                break
            for slot, answer in zip(open_slots, answers, strict=True):
                row = self._judge(slot, attempt, answer, failed[slot])
                if row is not None:
                    rows[slot] = row
            open_slots = [slot for slot in open_slots if slot not in rows]
            if not open_slots or self._context.progress.should_stop():
                break
        self._record(rows)

    def store(self) -> None:
        """Adds what was written since the last time to the dataset."""
        if self._unstored:
            self._workspace.captions.add(self._config["dataset"], [self._caption(slot) for slot in self._unstored],
                                         on_duplicate="skip", source=f"written by {self._writer.info.name}")
            self._unstored = []
        self._stored_at = time.monotonic()

    def give_up(self, reason: str) -> None:
        """The rest are rows with a reason too."""
        self._record({slot: self._row(slot, "failed", reason=reason) for slot in self.waiting})

    def result(self) -> dict[str, Any]:
        failed = [row for _, row in sorted(self._rows.items()) if row["status"] != "ok"]
        written = Counter(row["class"] for row in self._rows.values() if row["status"] == "ok")
        again: Counter[str] = Counter()
        for row in self._rows.values():
            again.update(row["again"])
        return {"dataset": self._config["dataset"], "written": written.total(), "rejected": len(failed),
                "reasons": dict(Counter(row["reason"] for row in failed).most_common()),
                "asked_again": dict(again.most_common()), "classes": len(written),
                "class_entropy_bits": entropy_bits(written), "requests": self._budget.requests,
                "tokens": self._budget.tokens,
                "rejected_rows": [{"line": row["slot"] + 1, "reason": row["reason"], "excerpt": row["caption"][:200]}
                                  for row in failed[:_SHOWN]]}

    def _request(self, slot: int, attempt: int) -> WriteRequest:
        seed = self._seed(slot, attempt)
        return WriteRequest(self._profile.prompt(self._classes[slot], seed), seed=seed,
                            temperature=float(self._config["temperature"]), max_new_tokens=self._profile.max_new_tokens)

    def _seed(self, slot: int, attempt: int) -> int:
        return seed_of(int(self._config["seed"]), f"slot {slot}", attempt)

    def _judge(self, slot: int, attempt: int, answer: str | Exception, failed: Counter[str]) -> dict[str, Any] | None:
        """The row of a slot, or None when it is to be asked for again."""
        last = attempt + 1 == ATTEMPTS
        if isinstance(answer, BudgetSpent):
            return None
        if isinstance(answer, Exception):
            reason, text = "the writer failed", str(answer)
            last = True  # it has tried again by itself
        else:
            text, problem = reason_of(answer, self._classes[slot], self._profile)
            same = same_caption(text)
            reason = problem or ("duplicate" if same in self._seen else "")
            if not reason:
                self._seen.add(same)
                return self._row(slot, "ok", text, attempt=attempt, again=failed)
        if not last:
            failed[reason] += 1
            return None
        return self._row(slot, "failed", text, reason=reason, attempt=attempt, again=failed)

    def _row(self, slot: int, status: str, caption: str = "", *, reason: str = "", attempt: int = 0,
             again: Mapping[str, int] | None = None) -> dict[str, Any]:
        return {"slot": slot, "class": self._classes[slot], "status": status, "caption": caption, "reason": reason,
                "attempt": attempt, "again": dict(again or {})}

    def _caption(self, slot: int) -> Caption:
        row, info = self._rows[slot], self._writer.info
        facts = {"class": row["class"], "writer": info.name, "model": info.model, "revision": info.revision,
                 "profile": self._profile.name, "template": self._profile.template,
                 "temperature": self._config["temperature"], "seed": self._seed(slot, row["attempt"]),
                 "job": self._context.id}
        return Caption(caption_id_of(row["caption"]), row["caption"], meta=facts)

    def _record(self, rows: Mapping[int, dict[str, Any]]) -> None:
        if not rows:
            return
        lines = "".join(json.dumps(rows[slot], ensure_ascii=False) + "\n" for slot in sorted(rows))
        with self._ledger.open("ab") as file:
            file.write(lines.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        self._rows.update(rows)
        self._unstored += [slot for slot in sorted(rows) if rows[slot]["status"] == "ok"]
        self.waiting = [slot for slot in self.waiting if slot not in rows]
        if time.monotonic() - self._stored_at > STORE_EVERY_S:
            self.store()
        self._progress()

    def _is_without_answers(self, answers: Sequence[str | Exception]) -> bool:
        """Whether the writer failed on all of them, so that they are asked again instead of recorded as failed.

        Raises: ModelUnavailable, or Failure after BATCHES_WITHOUT_ANSWER of these, since going on would fail the rest.
        """
        for answer in answers:
            if isinstance(answer, ModelUnavailable):
                self.store()
                raise answer
        failures = [each for each in answers if isinstance(each, Exception) and not isinstance(each, BudgetSpent)]
        without = len(failures) == len(answers)
        self._without_answer = self._without_answer + 1 if without else 0
        if self._without_answer >= BATCHES_WITHOUT_ANSWER:
            self.store()
            raise Failure(f"the writer answers nothing any more: {failures[-1]}", where=self._writer.info.name,
                          fix="See to the writer, then resume the job; it goes on from here.")
        return without

    def _texts_of_others(self) -> set[str]:
        """The captions the dataset has from elsewhere; this job's own are in the ledger."""
        dataset = self._config["dataset"]
        if dataset not in self._workspace.captions.datasets():
            return set()
        return {same_caption(caption.caption) for caption in self._workspace.captions.load(dataset)
                if caption.meta.get("job") != self._context.id}

    def _remember_spent(self) -> None:
        partial = self._context.dir / (_SPENT + ".tmp")
        partial.write_text(json.dumps({"requests": self._budget.requests, "tokens": self._budget.tokens}))
        os.replace(partial, self._context.dir / _SPENT)

    def _progress(self) -> None:
        failed = sum(row["status"] != "ok" for row in self._rows.values())
        self._context.progress.update(len(self._rows), len(self._classes), failed=failed)


def _budget_of(context: JobContext) -> Budget:
    """The user's limits, less what earlier runs of this job have used."""
    budget = Budget(context.config.get("max_requests"), context.config.get("max_tokens"))
    try:
        spent = json.loads((context.dir / _SPENT).read_text(encoding="utf-8"))
        budget.requests, budget.tokens = int(spent["requests"]), int(spent["tokens"])
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptData("what this job has spent does not read back", where=str(context.dir / _SPENT),
                          fix="Delete the file; the budget then starts anew.") from error
    return budget


def _read_ledger(path: Path) -> dict[int, dict[str, Any]]:
    """The rows by slot; what a kill cut off in the middle of a line is written again."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    try:
        rows = [json.loads(line) for line in whole.splitlines()]
        return {int(row["slot"]): row for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptData("the ledger of a writing job does not read back", where=str(path),
                          fix="Start the job anew; what it stored stays.") from error

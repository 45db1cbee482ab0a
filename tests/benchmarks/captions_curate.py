"""Measures the caption rules on a million captions, and beside py-data-juicer's own operators; prints one JSON line.

    python tests/benchmarks/captions_curate.py [--captions 1000000] [--near]
        [--reference-python VENV/bin/python] [--reference-captions 20000]

The captions are made up from a fixed seed: words by Zipf's law, punctuation, digits, accents, emoji, repeated phrases,
flagged words, copies. Ours: a process of its own reads the jsonl, measures every statistic, and applies a preset;
seconds and peak memory are that process's. The reference needs py-data-juicer (1.6) in an environment of its own, whose
python is named: its operators run in one thread over batches of 1,000 on the first captions of the same file, with our
list of flagged words. ``parity`` is the largest difference of any statistic of the same definition.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SAME = {"alphanumeric": "alnum_ratio", "character_repetition": "char_rep_ratio",
        "flagged_words": "flagged_words_ratio", "special_characters": "special_char_ratio",
        "word_repetition": "word_rep_ratio", "words": "num_words", "characters": "text_len"}
REFERENCE = """
import json, sys, time
from data_juicer.ops.filter.alphanumeric_filter import AlphanumericFilter
from data_juicer.ops.filter.character_repetition_filter import CharacterRepetitionFilter
from data_juicer.ops.filter.flagged_words_filter import FlaggedWordFilter
from data_juicer.ops.filter.special_characters_filter import SpecialCharactersFilter
from data_juicer.ops.filter.text_length_filter import TextLengthFilter
from data_juicer.ops.filter.word_repetition_filter import WordRepetitionFilter
from data_juicer.ops.filter.words_num_filter import WordsNumFilter
from data_juicer.utils.constant import Fields
path, count, words = sys.argv[1], int(sys.argv[2]), sys.argv[3]
texts = []
with open(path, encoding="utf-8") as file:
    for line in file:
        texts.append(json.loads(line)["caption"])
        if len(texts) == count:
            break
operators = [AlphanumericFilter(min_ratio=0.6), CharacterRepetitionFilter(rep_len=10, max_ratio=0.09373663),
             FlaggedWordFilter(lang="en", max_ratio=0.0, flagged_words_dir=words),
             SpecialCharactersFilter(min_ratio=0.16534802, max_ratio=0.42023757),
             WordRepetitionFilter(lang="en", rep_len=10, max_ratio=0.03085751),
             WordsNumFilter(lang="en", min_num=1), TextLengthFilter(min_len=1)]
best = None
for lap in range(3):
    stats, kept, spent = [], 0, (time.perf_counter(), time.process_time())
    for start in range(0, len(texts), 1000):
        part = texts[start:start + 1000]
        batch = {"text": part, Fields.stats: [{} for _ in part]}
        keep = [True] * len(part)
        for one in operators:
            batch = one.compute_stats_batched(batch)
            keep = [a and bool(b) for a, b in zip(keep, one.process_batched(batch))]
        stats += batch[Fields.stats]
        kept += sum(keep)
    wall, cpu = time.perf_counter() - spent[0], time.process_time() - spent[1]
    best = (wall, cpu) if best is None else (min(best[0], wall), min(best[1], cpu))
with open(sys.argv[4], "w") as file:
    json.dump({"wall_s": best[0], "cpu_s": best[1], "kept": kept, "stats": stats}, file)
"""


def captions(count: int) -> Iterator[str]:
    """Made-up captions, always the same ones."""
    chance = random.Random(20407)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, range(26, 0, -1), k=chance.randint(2, 9))) for _ in range(50_000)]
    total, heights = 0.0, []
    for rank in range(len(words)):
        total += 1 / (rank + 10)
        heights.append(total)
    extras = ["café", "naïve", "“quoted”", "Straße", "5.0L", "No. 7", "🐈", "北京", "İstanbul", "nude", "(left)", "—"]
    before: list[str] = []
    for number in range(count):
        if before and chance.random() < 0.02:
            yield chance.choice(before)
            continue
        chosen = chance.choices(words, cum_weights=heights, k=chance.randint(6, 18))
        if chance.random() < 0.15:
            chosen.insert(chance.randrange(len(chosen)), chance.choice(extras))
        if chance.random() < 0.01:
            chosen = chosen[:6] * 4
        text = " ".join(chosen) + chance.choice([".", "", "!"])
        text = text.capitalize() if chance.random() < 0.7 else text
        if number % 50 == 0:
            before.append(text)
        yield text


def ours(path: Path, near: bool) -> dict[str, Any]:
    """Runs in a process of its own."""
    from synthvlm_ui.captions.rules import BY_NAME, decide, measure_near, measure_texts, preset_settings

    def now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    start = now()
    with path.open(encoding="utf-8") as file:
        texts = [json.loads(line)["caption"] for line in file]
    read = now()
    columns = measure_texts(texts, {name: rule.options({}) for name, rule in BY_NAME.items()})
    measured = now()
    kept = {name: int(decide(preset_settings(name), columns, len(texts), {}).survives.sum())
            for name in ("synthvlm", "plain")}
    decided = now()
    found = {"captions": len(texts), "read_s": read[0] - start[0], "measure_wall_s": measured[0] - read[0],
             "measure_cpu_s": measured[1] - read[1], "decide_both_presets_s": decided[0] - measured[0], "kept": kept,
             "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    if near:
        before = now()
        similar = measure_near(texts)["near_duplicates"]
        found |= {"near_wall_s": now()[0] - before[0], "near_0.8": int((similar > 0.8).sum()),
                  "peak_bytes_with_near": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    return found


def same_statistics(texts: list[str]) -> tuple[dict[str, Any], dict[str, float]]:
    """Only what the reference measures too, and the least of three times."""
    from synthvlm_ui.captions.rules.catalogue import BY_NAME
    from synthvlm_ui.captions.rules.measuring import BLOCK
    from synthvlm_ui.captions.rules.text_block import TextBlock

    best = {"wall_s": float("inf"), "cpu_s": float("inf")}
    columns: dict[str, Any] = {}
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        parts: dict[str, list[Any]] = {name: [] for name in SAME}
        for start in range(0, len(texts), BLOCK):
            block = TextBlock(texts[start: start + BLOCK])
            for name, found in parts.items():
                rule = BY_NAME[name]
                assert rule.measure is not None
                found.append(rule.measure(block, rule.options({})))
        best = {"wall_s": min(best["wall_s"], time.perf_counter() - wall),
                "cpu_s": min(best["cpu_s"], time.process_time() - cpu)}
        columns = {name: [value for part in found for value in part.tolist()] for name, found in parts.items()}
    return columns, best


def compared(path: Path, python: str, count: int) -> dict[str, Any]:
    """Our statistics beside the reference's, and both rates."""
    from synthvlm_ui.captions.rules.flagged_words import SHIPPED_LIST, read_words

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flagged_words.json").write_text(json.dumps({"en": sorted(read_words(SHIPPED_LIST))}))
        answer = Path(folder) / "answer.json"
        ran = subprocess.run([python, "-c", REFERENCE, str(path), str(count), folder, str(answer)], capture_output=True,
                             text=True)
        if ran.returncode:
            sys.exit(f"the reference does not run:\n{ran.stderr[-2000:]}")
        theirs = json.loads(answer.read_text())
    with path.open(encoding="utf-8") as file:
        texts = [json.loads(line)["caption"] for _, line in zip(range(count), file, strict=False)]
    columns, best = same_statistics(texts)
    parity = {name: max(abs(value - row[key]) for value, row in zip(columns[name], theirs["stats"], strict=True))
              for name, key in SAME.items()}
    return {"captions": count, "ours": best, "reference": {"wall_s": theirs["wall_s"], "cpu_s": theirs["cpu_s"]},
            "ratio_wall": theirs["wall_s"] / best["wall_s"], "ratio_cpu": theirs["cpu_s"] / best["cpu_s"],
            "parity": parity}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--near", action="store_true", help="look for near duplicates too")
    parser.add_argument("--reference-python", help="the python of an environment with py-data-juicer")
    parser.add_argument("--reference-captions", type=int, default=20_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(ours(options.measure, options.near)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for text in captions(max(options.captions, options.reference_captions)):
                file.write(json.dumps({"caption": text}, ensure_ascii=False) + "\n")
        result: dict[str, Any] = {"load": os.getloadavg()[0]}
        if options.reference_python:
            result["beside_reference"] = compared(path, options.reference_python, options.reference_captions)
        words = [sys.executable, __file__, "--measure", str(path), *["--near"] * options.near]
        result["all_rules"] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""What a workspace holds after a run, read from its shards and score files themselves."""

from __future__ import annotations

from synthvlm_ui.service import Studio


def content(studio: Studio, dataset: str = "sample") -> dict[str, tuple[bytes, dict[str, float]]]:
    """Pixels (lossless files, whose facts are equal too) and scores of every candidate, by id."""
    found = {}
    for shard in studio.workspace.shards.names(dataset):
        scores: dict[str, dict[str, float]] = {}
        for key in studio.workspace.scores.keys(dataset, shard):
            table = studio.workspace.scores.read(dataset, shard, key)
            for row, candidate_id in enumerate(table.candidate_ids):
                scores.setdefault(candidate_id.decode(), {}).update(
                    {name: float(values[row]) for name, values in table.columns.items()})
        for member in studio.workspace.shards.read(dataset, shard):
            assert member.image is not None
            assert member.candidate.id not in found, "an image was made twice"
            found[member.candidate.id] = (member.image, scores[member.candidate.id])
    return found

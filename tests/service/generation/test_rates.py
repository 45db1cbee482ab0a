"""Estimates: a marked guess first, what was measured afterwards."""

from __future__ import annotations

from pathlib import Path

from synthvlm_ui.service.generation.rates import Rate, Rates, bytes_per_image


def test_a_guess_is_marked_and_a_measurement_replaces_it(tmp_path: Path) -> None:
    rates = Rates(tmp_path / "rates.json")
    assert not rates.get("miniature", "cpu", 8, 64, 64).measured
    rates.put("miniature", "cpu", 8, 64, 64, 0.25)
    assert Rates(tmp_path / "rates.json").get("miniature", "cpu", 8, 64, 64) == Rate(0.25, True)
    assert not rates.get("miniature", "cpu", 16, 64, 64).measured


def test_a_damaged_file_only_costs_the_measurement(tmp_path: Path) -> None:
    (tmp_path / "rates.json").write_text("[", encoding="utf-8")
    assert not Rates(tmp_path / "rates.json").get("miniature", "cpu", 8, 64, 64).measured


def test_larger_pictures_take_more_room() -> None:
    assert bytes_per_image(1024, 1024, "webp") > bytes_per_image(64, 64, "webp") > 0
    assert bytes_per_image(1024, 1024, "jpeg") < bytes_per_image(1024, 1024, "png")

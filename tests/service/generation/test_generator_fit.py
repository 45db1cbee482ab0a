"""What info says of a generator's place in memory."""

from __future__ import annotations

from synthvlm_ui.backends import DeviceMemory, list_generators
from synthvlm_ui.service.generation.generator_fit import fit_of, memory_here

FACTS = {facts.name: facts for facts in list_generators()}


def test_a_card_that_holds_it_and_one_that_does_not() -> None:
    assert "all parts on the device" in fit_of(FACTS["sdxl"], DeviceMemory("cuda", 24 * 10**9))
    assert "layer by layer" in fit_of(FACTS["flux-dev"], DeviceMemory("cuda", 12 * 10**9))
    assert fit_of(FACTS["flux-dev"], DeviceMemory("cpu", 16 * 10**9)).startswith("too large: the weights take 67")


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert fit_of(FACTS["miniature"], DeviceMemory("cpu", 10**9)) == ""
    assert fit_of(FACTS["sdxl"], None) == ""
    here = memory_here()
    assert here is None or here.free_bytes > 0

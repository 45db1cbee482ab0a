"""Which rules are on and with which limits: presets, and what the user changed of them.

Measures nothing. A rule is on when it has an entry; its limits are inclusive, None is no limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synthvlm_ui.captions.rules.catalogue import BY_NAME
from synthvlm_ui.captions.rules.rule import Rule
from synthvlm_ui.captions.rules.wording import SKILL_NAMES
from synthvlm_ui.errors import BadSetting, UnknownName

RuleValues = Mapping[str, Any]

# SynthVLM appendix, table 1 (the same in FLARE, table 12). Perplexity's limit is of a KenLM 5-gram model.
_TABLE: Mapping[str, RuleValues] = {
    "alphanumeric": {"min": 0.60},
    "character_repetition": {"max": 0.09373663},
    "flagged_words": {"max": 0.0},
    "perplexity": {"max": 5500.0},
    "special_characters": {"min": 0.16534802, "max": 0.42023757},
    "word_repetition": {"max": 0.03085751},
    "image_text_matching": {"min": 0.8, "max": 1.0},
    "image_text_similarity": {"min": 0.28},
}
# The floor of special characters was fitted on text with <image> and end tokens in it; of the eight plain captions that
# the appendix prints it rejects two. Everything else is the table's.
PRESETS: Mapping[str, Mapping[str, RuleValues]] = {
    "synthvlm": _TABLE,
    "plain": {**_TABLE, "special_characters": {"max": 0.42023757}},
}
ABOUT_PRESETS: Mapping[str, str] = {
    "synthvlm": "The paper's table, as printed.",
    "plain": "The paper's table without the floor of special characters, which misfires on plain captions.",
}
_LIMITS = ("min", "max")
# What switching a rule on means when nothing else is said.
_WHEN_ON: Mapping[str, RuleValues] = {
    "tokens": {"max": 77.0}, "exact_duplicates": {"max": 0.0}, "near_duplicates": {"max": 0.8},
    "shared_ngrams": {"max": 0.8}, "prompt_echo": {"max": 0.0}, "llm_gate": {"min": 1.0}, "words": {"min": 3.0},
    "characters": {"min": 10.0},
}


@dataclass(frozen=True)
class CurationSettings:
    """The rules that are on, by name: {"min", "max", and the rule's own parameters}.

    ``given`` names the limits that the user set in person: some preset limits hold for one model only.
    """

    preset: str = "synthvlm"
    rules: Mapping[str, RuleValues] = field(default_factory=lambda: _TABLE)
    given: frozenset[str] = frozenset()

    def limits(self, name: str) -> tuple[float | None, float | None]:
        values = self.rules.get(name, {})
        return values.get("min"), values.get("max")

    def options(self, name: str) -> dict[str, Any]:
        return BY_NAME[name].options(self.rules.get(name, {}))

    def to_json(self) -> dict[str, Any]:
        return {"preset": self.preset, "rules": {name: dict(values) for name, values in self.rules.items()},
                "given": sorted(self.given)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CurationSettings:
        """Raises: BadSetting, UnknownName."""
        settings = preset_settings(str(content.get("preset") or "synthvlm"))
        rules = content.get("rules")
        if rules is None:
            return settings
        if not isinstance(rules, Mapping) or not all(isinstance(values, Mapping) for values in rules.values()):
            raise BadSetting("rules is not an object of rules", where="rules")
        checked = {name: {parameter: _value(_rule(name), parameter, value) for parameter, value in values.items()
                          if value is not None} for name, values in rules.items()}
        for name, values in checked.items():
            _check(name, values)
        return cls(settings.preset, checked, frozenset(map(str, content.get("given") or ())))


def preset_settings(name: str) -> CurationSettings:
    """Raises: UnknownName."""
    if name not in PRESETS:
        raise UnknownName.of("preset", name, list(PRESETS))
    return CurationSettings(name, PRESETS[name])


def changed(settings: CurationSettings, changes: Iterable[str]) -> CurationSettings:
    """The settings with changes written as ``rule.parameter=value`` or ``rule=on|off``; none, off or nothing as a value
    lifts a limit. Raises: BadSetting, UnknownName."""
    rules = {name: dict(values) for name, values in settings.rules.items()}
    given = set(settings.given)
    for change in changes:
        target, equals, value = change.partition("=")
        name, dot, parameter = target.strip().partition(".")
        if not equals:
            raise BadSetting(f"{change!r} is no change of a rule", where="--set", fix="Give rule.parameter=value.")
        rule = _rule(name)
        if not dot:
            _switch(rules, name, value.strip())
            continue
        known = rules.setdefault(name, {})
        if value.strip().lower() in ("", "none", "off"):
            known.pop(parameter, None)
            _value(rule, parameter, None)
        else:
            known[parameter] = _value(rule, parameter, value.strip())
        given.add(f"{name}.{parameter}")
        if parameter == "keep_ratio":
            known.pop("min", None)
    for name, values in rules.items():
        _check(name, values)
    return CurationSettings(settings.preset, rules, frozenset(given))


def _switch(rules: dict[str, dict[str, Any]], name: str, value: str) -> None:
    if value == "off":
        rules.pop(name, None)
    elif value == "on":
        rules.setdefault(name, dict(_WHEN_ON.get(name, _TABLE.get(name, {}))))
    else:
        raise BadSetting(f"{name} is {value!r}", where="--set",
                         fix=f"Give {name}=on, {name}=off or {name}.PARAMETER=VALUE.")


def _rule(name: str) -> Rule:
    if name not in BY_NAME:
        raise UnknownName.of("rule", name, list(BY_NAME))
    return BY_NAME[name]


def _value(rule: Rule, parameter: str, given: Any) -> Any:
    if parameter not in (*_LIMITS, *rule.parameters):
        known = ", ".join((*_LIMITS, *rule.parameters))
        raise BadSetting(f"rule {rule.name} has no {parameter!r}", where="--set", fix=f"It has: {known}.")
    if given is None:
        return None
    kind = "number" if parameter in _LIMITS else rule.parameters[parameter].kind
    if kind == "text":
        return str(given)
    if kind == "names":
        return _skills(given)
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or (kind == "whole" and (number != int(number) or not 1 <= number <= 100)):
        fix = "Give a whole number from 1 to 100." if kind == "whole" else "Give a number."
        raise BadSetting(f"{rule.name}.{parameter} is {str(given)[:40]!r}", where="--set", fix=fix)
    return int(number) if kind == "whole" else number


def _skills(given: Any) -> tuple[str, ...]:
    names = [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)
    for name in names:
        if name not in SKILL_NAMES:
            raise UnknownName.of("skill", str(name), list(SKILL_NAMES))
    return tuple(dict.fromkeys(names))


def _check(name: str, values: RuleValues) -> None:
    low, high = values.get("min"), values.get("max")
    if low is not None and high is not None and low > high:
        raise BadSetting(f"{name} from {low:g} to {high:g} lets nothing through", where="--set",
                         fix="Give a min that is not above the max.")
    ratio = values.get("keep_ratio")
    if ratio is not None and not 0 < ratio <= 1:
        raise BadSetting(f"{name}.keep_ratio is {ratio:g}", where="--set", fix="Give a share above 0 and up to 1.")
    if ratio is not None and low is not None:
        raise BadSetting(f"{name} has both a minimum and a share to keep", where="--set", fix="Give one of the two.")

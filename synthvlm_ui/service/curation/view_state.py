"""What one looks at, as a value: a rule, a search, an order and a place in it. Checked from JSON, written as a link.

Knows no column and no candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from synthvlm_ui.errors import BadSetting
from synthvlm_ui.records import SelectionRule

MOST_CHARACTERS = 2_000
MOST_ROWS = 500
MAX_QUERY_CHARACTERS = 16_000

RULE_TYPES: dict[str, tuple[type, ...]] = {
    field.name: (bool,) if "bool" in str(field.type) else (int,) if "int" in str(field.type)
    else (int, float) if "float" in str(field.type) else (str,) for field in fields(SelectionRule)}


@dataclass(frozen=True, slots=True)
class Find:
    """A search: words of captions, a sentence that images should mean, or a candidate they should be like."""

    text: str = ""
    meaning: str = ""
    like: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.meaning or self.like)

    @property
    def is_by_likeness(self) -> bool:
        return bool(self.meaning or self.like)


NOTHING = Find()


@dataclass(frozen=True, slots=True)
class ViewState:
    """Everything that a link or a saved view opens again; ``rule`` holds only the fields the user set."""

    rule: Mapping[str, Any]
    find: Find = NOTHING
    show: str = "kept"
    order: str = "combined"
    offset: int = 0
    limit: int = 48
    id: str = ""

    def to_json(self) -> dict[str, Any]:
        found = {name: value for name, value in asdict(self.find).items() if value}
        return {"rule": dict(self.rule), "find": found, "show": self.show, "order": self.order,
                "offset": self.offset, "limit": self.limit, "id": self.id}

    def to_query(self) -> str:
        """The state as the query part of an address: flat, readable, without what is as it would be anyway."""
        pairs = [(name, _as_text(value)) for name, value in self.rule.items() if value is not None]
        pairs += [(name, value) for name, value in asdict(self.find).items() if value]
        plain = ViewState({})
        pairs += [(name, str(getattr(self, name))) for name in ("show", "order", "offset", "limit", "id")
                  if getattr(self, name) != getattr(plain, name)]
        return urlencode(pairs)


def state_of(given: Mapping[str, Any]) -> ViewState:
    """A state from JSON. Raises: BadSetting naming the part that cannot be."""
    rule = given.get("rule")
    return ViewState(
        rule=typed_rule(rule if isinstance(rule, Mapping) else {}),
        find=find_of(given.get("find")),
        show=_word(given, "show", "kept"), order=_word(given, "order", "combined"),
        offset=_whole(given, "offset", 0, 0, 10**9), limit=_whole(given, "limit", 48, 1, MOST_ROWS),
        id=_word(given, "id", ""))


def state_of_query(query: str) -> ViewState:
    """The state of a link; its opposite is ``to_query``. Raises: BadSetting naming the part that cannot be."""
    if len(query) > MAX_QUERY_CHARACTERS:
        raise BadSetting("the link is too long", where="query")
    pairs = dict(parse_qsl(query.lstrip("#?").removeprefix("curate?"), keep_blank_values=True))
    rule = {name: _typed(name, pairs.pop(name)) for name in RULE_TYPES if name in pairs}
    find = {name: pairs.pop(name) for name in ("text", "meaning", "like") if name in pairs}
    rest: dict[str, Any] = {name: pairs.pop(name) for name in ("show", "order", "offset", "limit", "id")
                            if name in pairs}
    if pairs:
        raise BadSetting(f"the link has a part {next(iter(pairs))[:40]!r} that means nothing", where="query",
                         fix="Copy the link again.")
    return state_of({"rule": rule, "find": find, **rest})


def find_of(given: Any) -> Find:
    """A search from JSON; None is none. Raises: BadSetting."""
    if given is None:
        return NOTHING
    if not isinstance(given, Mapping):
        raise BadSetting("find is not an object", where="find")
    unknown = sorted(set(given) - set(Find.__dataclass_fields__))
    if unknown:
        raise BadSetting(f"there is no search by {unknown[0][:40]!r}", where="find",
                         fix="Search by text, meaning or like.")
    found = Find(**{name: _word(given, name, "").strip() for name in given})
    if found.meaning and found.like:
        raise BadSetting("meaning and like at once", where="find", fix="Give one of them.")
    return found


def typed_rule(given: Mapping[str, Any]) -> dict[str, Any]:
    """The set fields of a rule, each of its type. Raises: BadSetting naming the field."""
    rule = {name: value for name, value in given.items() if value is not None}
    for name, value in rule.items():
        if name not in RULE_TYPES:
            raise BadSetting(f"unknown rule field {str(name)[:40]!r}", where="rule")
        # bool is an int to Python, and no number to a user
        if not isinstance(value, RULE_TYPES[name]) or (isinstance(value, bool) and bool not in RULE_TYPES[name]):
            raise BadSetting(f"{name} cannot be {str(value)[:40]!r}", where=name, fix=_expected(name))
    return rule


def moved_to(state: ViewState, offset: int) -> ViewState:
    """The same view at another place."""
    return replace(state, offset=offset)


def _expected(name: str) -> str:
    wanted = RULE_TYPES[name][-1]
    return {bool: "Give true or false.", int: "Give a whole number.", float: "Give a number, such as 0.25.",
            str: "Give a text."}[wanted]


def _typed(name: str, text: str) -> Any:
    wanted = RULE_TYPES[name][-1]
    if wanted is bool:
        if text not in ("true", "false"):
            raise BadSetting(f"{name} cannot be {text[:40]!r}", where=name, fix=_expected(name))
        return text == "true"
    convert: Callable[[str], Any] = wanted
    try:
        return convert(text)
    except ValueError:
        raise BadSetting(f"{name} cannot be {text[:40]!r}", where=name, fix=_expected(name)) from None


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def _word(given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        raise BadSetting(f"{name} cannot be {str(value)[:40]!r}", where=name,
                         fix=f"Give a text of at most {MOST_CHARACTERS} characters.")
    return value


def _whole(given: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = given.get(name)
    if value in (None, ""):
        return default
    try:
        if isinstance(value, bool):
            raise ValueError
        return max(least, min(most, int(value)))
    except (TypeError, ValueError):
        raise BadSetting(f"{name} {str(value)[:40]!r} is not a whole number", where=name) from None

"""A prompt template and a caption make a prompt.

Knows nothing of generators, and never looks inside a caption: its braces are only characters.
"""

from __future__ import annotations

from string import Formatter

from synthvlm_ui.errors import BadSetting

FIELD = "caption"
_FIX = "Write the caption's place as {caption}, and a literal brace twice: {{ or }}."


def check_template(template: str) -> None:
    """Refuses a template that has no ``{caption}`` or names any other field.

    Raises: BadSetting.
    """
    _pieces(template)


def resolve(template: str, caption: str) -> str:
    """The prompt: the template with every ``{caption}`` replaced by the caption as it is.

    Raises: BadSetting for an unknown field, a lone brace, or a template without ``{caption}``.
    """
    return "".join(literal + caption * has_caption for literal, has_caption in _pieces(template))


def _pieces(template: str) -> list[tuple[str, bool]]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as problem:
        raise BadSetting(f"prompt template {template!r}: {problem}", where="prompt_template", fix=_FIX) from None
    for _, name, spec, conversion in parsed:
        if name is not None and (name != FIELD or spec or conversion):
            shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise BadSetting(f"unknown field {{{shown}}} in the prompt template", where="prompt_template", fix=_FIX)
    if not any(name == FIELD for _, name, _, _ in parsed):
        raise BadSetting(f"prompt template {template!r} has no {{caption}}", where="prompt_template", fix=_FIX)
    return [(literal, name is not None) for literal, name, _, _ in parsed]

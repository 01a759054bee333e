"""XHTML in ``Narrative.div``: well-formed, and only the elements and attributes that FHIR allows.

Source: FHIR R4, 2.4.0 Narrative (invariants txt-1 and txt-2): the basic formatting of HTML 4.0 chapters 7–11 (without
section 4 of chapter 9) and 15, links, images and internal styles; no head, scripts, forms, frames or event attributes.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import name2codepoint

XHTML = "http://www.w3.org/1999/xhtml"

_ELEMENTS = """
p br div h1 h2 h3 h4 h5 h6 a span b em i strong small big tt dfn q var abbr acronym cite blockquote hr address bdo kbd
sub sup ul ol li dl dt dd pre table caption colgroup col thead tr tfoot th td tbody code samp img map area
"""
_ATTRIBUTES = """
title style class id lang xml:lang dir accesskey tabindex span width align char charoff valign abbr axis headers scope
rowspan colspan border cellspacing cellpadding frame rules summary src alt longdesc height hspace vspace ismap usemap
shape coords nohref href name hreflang rel rev type charset cite datetime start value compact nowrap xmlns xml:space
"""
ELEMENTS = frozenset(_ELEMENTS.split())
ATTRIBUTES = frozenset(_ATTRIBUTES.split())

_TOKEN = re.compile(
    r"""([^<&]+)|&(?:#x[0-9A-Fa-f]{1,6}|#[0-9]{1,7}|[A-Za-z][A-Za-z0-9]*);"""
    r"""|<([A-Za-z][\w:.-]*)((?:\s+[A-Za-z_][\w:.-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(/?)>|</([A-Za-z][\w:.-]*)\s*>"""
    r"""|<!--(?:(?!--).)*-->""",
    re.S,
)
_ATTRIBUTE = re.compile(r"""\s+([A-Za-z_][\w:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")
_ENTITY = re.compile(r"&(?!(?:#x[0-9A-Fa-f]{1,6}|#[0-9]{1,7}|([A-Za-z][A-Za-z0-9]*));)")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_BLANK = dict.fromkeys(range(0x21))  # browsers skip white space and control characters in a scheme


def fault(div: str) -> str | None:
    """What is wrong with a narrative, as a short phrase, or None.

    >>> fault('<div xmlns="http://www.w3.org/1999/xhtml">well <b>done</b></div>')
    >>> fault('<div xmlns="http://www.w3.org/1999/xhtml"><script/></div>')
    'element script'
    """
    text = div.strip()
    if not text.startswith("<div"):
        return "not a div"
    stack: list[str] = []
    position, end, content, closed = 0, len(text), False, False
    match = _TOKEN.match
    while position < end:
        token = match(text, position)
        if token is None:
            return "not well-formed"
        if closed:
            return "content after the div"
        position = token.end()
        words, name, attributes, empty, ending = token.groups()
        if words is not None:
            content = content or not words.isspace()
        elif name is not None:
            if name not in ELEMENTS:
                return f"element {name}"
            if attributes and (found := _attributes(attributes)):
                return found
            if not stack and f'xmlns="{XHTML}"' not in attributes and f"xmlns='{XHTML}'" not in attributes:
                return "namespace"
            content = content or name == "img"
            if not empty:
                stack.append(name)
            elif not stack:
                closed = True
        elif ending is not None:
            if not stack or stack.pop() != ending:
                return "not well-formed"
            closed = not stack
        elif token[0].startswith("&"):
            content = True
            if (
                (named := _NAMED.fullmatch(token[0]))
                and named[1] not in name2codepoint
                and named[1] != "apos"
            ):
                return "unknown entity"
    if stack or not closed:
        return "not well-formed"
    return None if content else "empty"


def _attributes(text: str) -> str | None:
    seen: set[str] = set()
    for match in _ATTRIBUTE.finditer(text):
        name, value = match[1], match[2] if match[2] is not None else match[3]
        if name in seen:
            return "not well-formed"
        seen.add(name)
        if name not in ATTRIBUTES:
            return f"attribute {name}"
        if name in ("href", "src", "cite", "longdesc") and unescape(value).translate(
            _BLANK
        ).lower().startswith(("javascript:", "vbscript:")):
            return f"attribute {name}"
        if "&" in value and _ENTITY.search(value):
            return "not well-formed"
        if name == "xmlns" and value != XHTML:
            return "namespace"
    return None

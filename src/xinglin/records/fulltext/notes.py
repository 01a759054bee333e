"""The text of a note: of an Attachment that holds its text in itself."""

from __future__ import annotations

import codecs
import html
import re
from base64 import b64decode
from binascii import Error
from typing import Any, Final

MOST_BYTES: Final = 1024 * 1024
"""Of one attachment. 200,000 characters of a resource are searchable, at most 600 kB of Chinese; the rest is for markup."""

_MARKED_UP: Final = frozenset(("text/html", "text/xml", "text/xhtml"))
_NO_WORDS: Final = frozenset(("text/rtf", "text/css", "text/javascript"))
_PIECE: Final = re.compile(
    r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^<>]*>", re.IGNORECASE | re.DOTALL
)  # no piece is looked through twice, whatever is left open
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:\-]+)", re.IGNORECASE | re.ASCII)
_SAFE: Final = re.compile(
    r"utf-(8|8-sig|16|16-[lb]e|32|32-[lb]e)|ascii|iso8859-\d+|cp\d+|koi8-[ru]|gb\w+|big5\w*|shift_jis\w*|euc_\w+|hz"
)
"""Python's names of encodings of text; its others make something else of the bytes, or take long over them."""


def note(node: dict[str, Any]) -> str | None:
    """The words of an Attachment with data of a text type, tags taken away; None where it is another thing.

    >>> note({"contentType": "text/html; charset=GBK", "data": "PHA+zMfE8rKhPC9wPg=="})
    ' 糖尿病 '
    """
    type_, data = node.get("contentType"), node.get("data")
    if type(type_) is not str or type(data) is not str or "resourceType" in node:
        return None
    kind = type_.partition(";")[0].strip().lower()
    if (not kind.startswith("text/") and kind != "application/xhtml+xml") or kind in _NO_WORDS:
        return None
    try:
        held = b64decode("".join(data[: MOST_BYTES // 3 * 4].split()))
    except (Error, ValueError):
        return None
    text = _decoded(held, type_)
    if kind in _MARKED_UP or kind == "application/xhtml+xml":
        text = html.unescape(_PIECE.sub(" ", text))
    return text


def _decoded(held: bytes, type_: str) -> str:
    """In the encoding that is named; without one that is known UTF-8, or else the GB 18030 of older Chinese systems."""
    named = _CHARSET.search(type_)
    if named:
        try:
            name = codecs.lookup(named[1]).name
        except LookupError:
            name = ""
        if _SAFE.fullmatch(name):
            # As browsers read it: what calls itself GB 2312 holds later characters.
            return held.decode("gb18030" if name in ("gb2312", "gbk") else name, "replace")
    for name in ("utf-8-sig", "gb18030"):
        try:
            return codecs.getincrementaldecoder(name)().decode(held)  # a last character may have been cut
        except UnicodeDecodeError:
            continue
    return held.decode("utf-8", "replace")

"""What Google, or a provider less careful than Google, makes of a description that a client sends."""

import html
import re
from html.parser import HTMLParser

from local.google.behaviour import Behaviour

# The lines around what Google Meet adds. Shorter ones, typed by a person, are left alone.
_LINE = r"-::~:~::(?:~:){20,}:~:~::-"
_BLOCK = re.compile(rf"\s*{_LINE}.*?{_LINE}\s*", re.DOTALL)
_TAG_OR_ENTITY = re.compile(r"</?[A-Za-z!]|&#?\w+;")
_KEPT = frozenset({"a", "b", "br", "div", "em", "i", "li", "ol", "p", "span", "strong", "u", "ul"})
_VOID = frozenset({"br"})
# Gone with all that is in them.
_SWALLOWED = frozenset({"script", "style"})


def rewritten(description: str, behaviour: Behaviour) -> str:
    """The description as it is kept."""
    if behaviour.strip_own_block:
        description = without_own_block(description)
    if behaviour.rewrite_descriptions:
        description = sanitised(description)
    return description


def without_own_block(description: str) -> str:
    """Without Google Meet's block and the white space around it; unchanged if there is none."""
    if not _BLOCK.search(description):
        return description
    return "\n\n".join(part for part in _BLOCK.split(description) if part)


def sanitised(description: str) -> str:
    """Equivalent HTML (plain text stays plain), lines ended by LF and without white space at the end."""
    text = description.replace("\r\n", "\n").replace("\r", "\n")
    if _TAG_OR_ENTITY.search(text):
        parser = _Sanitiser()
        parser.feed(text)
        parser.close()
        text = "".join(parser.parts)
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


class _Sanitiser(HTMLParser):
    """Writes `parts` anew: known tags, the address of a link, characters instead of entities where that is safe."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._swallowed = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SWALLOWED:
            self._swallowed += 1
        elif tag in _KEPT:
            links = [value for name, value in attrs if tag == "a" and name == "href" and value]
            attributes = f' href="{html.escape(links[0])}"' if links else ""
            self.parts.append(f"<{tag}{attributes}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SWALLOWED:
            self._swallowed = max(0, self._swallowed - 1)
        elif tag in _KEPT - _VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._swallowed:
            self.parts.append(html.escape(data, quote=False))

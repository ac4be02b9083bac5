"""HTML as a tree, for tests: elements with their text and what stands above them."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "link", "input", "hr"}


class Element:
    """One element."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.parts: list[Element | str] = []

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    def every(self, tag: str = "") -> Iterator[Element]:
        for part in self.parts:
            if isinstance(part, Element):
                if tag in ("", part.tag):
                    yield part
                yield from part.every(tag)

    def above(self) -> Iterator[Element]:
        element = self.parent
        while element is not None:
            yield element
            element = element.parent


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.at = Element("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.parts.append(element)
        if tag not in _VOID:
            self.at = element

    def handle_endtag(self, tag: str) -> None:
        if self.at.tag != tag or self.at.parent is None:
            raise AssertionError(f"</{tag}> closes <{self.at.tag}>")
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.parts.append(data)


def tree(page: str) -> Element:
    """The tree of a page.

    Raises:
        AssertionError: An element is closed by the end of another, or not at all.
    """
    builder = _Builder()
    builder.feed(page)
    builder.close()
    if builder.at is not builder.root:
        raise AssertionError(f"<{builder.at.tag}> is not closed")
    return builder.root

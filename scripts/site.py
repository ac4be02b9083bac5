"""Builds the documentation site into ``build/site``, strictly, and looks at what came out.

The generator reads a copy of ``docs``. The first line of an example may go on after its language: ``console exact``,
``python no-run: the reason``. These words are for `tests/docs`, and the generator would take such a fence for text.

The generator's strict mode finds pages and headings that a link does not meet. `findings` adds what it does not see:
files that are missing, pictures among them, and whatever a browser would fetch from elsewhere when it shows a page.

Known limitation: what a script would fetch is not seen; the theme's own scripts fetch for diagrams and galleries only,
so a page with one of these is a finding.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"

# Attributes that a browser follows by itself; those of <a> wait for the reader.
_FETCHED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
_ONLY_SAID = {"canonical", "next", "prev"}
"""Relations of a <link> that nothing is fetched for."""

_FENCE = re.compile(r"^```(\w+)[ \t]+\S.*$", re.MULTILINE)
_FETCHING_CLASSES = {"mermaid", "glightbox", "arithmatex"}
_CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?(?:https?:)?//[^"')\s]+""", re.IGNORECASE)


class _Page(HTMLParser):
    """What one page refers to, and what it can be referred to by."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.styles: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        self.classes |= set(given.get("class", "").split())
        self.styles.append(given.get("style", ""))
        self._in_style = tag == "style"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and set(given.get("rel", "").split()) & _ONLY_SAID:
            return
        for name in _FETCHED.get(tag, ()):
            if given.get(name):
                self.fetched += (
                    [part.split()[0] for part in given[name].split(",")] if name == "srcset" else [given[name]]
                )

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False


def findings(site: Path) -> Iterator[str]:
    """What is wrong in a built site, one line each.

    Args:
        site: The folder with the site's pages.
    """
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: there are no pages"
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for address in page.fetched:
            if _is_elsewhere(address):
                yield f"{name}: would be fetched from elsewhere: {address}"
        for style in page.styles:
            for match in _CSS_URL.finditer(style):
                yield f"{name}: would be fetched from elsewhere: {match.group()}"
        for fetching in sorted(page.classes & _FETCHING_CLASSES):
            yield f"{name}: the theme would fetch a script for {fetching!r}"
        if name == "404.html":  # its links start at the root of wherever the site will stand
            continue
        for address in dict.fromkeys([*page.fetched, *page.links]):
            if not _is_elsewhere(address) and not _is_there(address, path, pages):
                yield f"{name}: leads nowhere: {address}"
    for path in sorted(site.rglob("*.css")):
        for match in _CSS_URL.finditer(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site).as_posix()}: would be fetched from elsewhere: {match.group()}"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_elsewhere(address: str) -> bool:
    """Whether an address leads out of the site; ``data:`` and ``mailto:`` fetch nothing."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp")


def _is_there(address: str, path: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(address)
    if parts.scheme:
        return True
    target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors


def copy_docs(docs: Path, copy: Path) -> None:
    """Copy the docs, each fence in their pages cut down to its language; what was there before goes."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(docs, copy)
    for path in copy.rglob("*.md"):
        path.write_text(_FENCE.sub(r"```\1", path.read_text(encoding="utf-8")), encoding="utf-8")


def build(root: Path = ROOT) -> int:
    """Build the site anew; the generator's exit code."""
    copy_docs(root / "docs", root / "build" / "docs")
    shutil.rmtree(root / "build" / "site", ignore_errors=True)
    return subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=root).returncode


def main() -> int:
    """Build and look; 1 if something was found, 2 if there is nothing to look at."""
    if build() != 0:
        print("the site was not built: see above", file=sys.stderr)
        return 2
    found = list(findings(SITE))
    print("\n".join(found) or f"the site is in {SITE.relative_to(ROOT)}", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

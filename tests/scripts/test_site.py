from __future__ import annotations

from pathlib import Path

import pytest

from scripts.site import ROOT, copy_docs, findings

PAGE = "<html><body><h1 id='top'>A page</h1>{}</body></html>"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of two pages, a stylesheet and a picture, with nothing wrong in it."""
    files = {
        "index.html": PAGE.format(
            '<link rel="stylesheet" href="a/style.css"><link rel="canonical" href="https://example.invalid/">'
            '<a href="https://example.invalid/">out</a> <a href="more/page.html#top">more</a> <a href="more/">more</a>'
            '<a href="mailto:a@example.invalid">mail</a> <img src="a/picture%201.png" alt=""> <a href="#top">up</a>'
            '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt="">'
        ),
        "more/index.html": PAGE.format(""),
        "more/page.html": PAGE.format('<a href="../index.html?q=1#top">back</a>'),
        "404.html": PAGE.format('<a href="/index.html">home</a>'),
        "a/style.css": "h1 { background: url(picture.png) }",
        "a/picture 1.png": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_sound_site_has_no_findings(site: Path) -> None:
    assert list(findings(site)) == []


@pytest.mark.parametrize(
    ("markup", "finding"),
    [
        ('<script src="https://cdn.invalid/a.js"></script>', "fetched from elsewhere: https://cdn.invalid/a.js"),
        ('<script src="//cdn.invalid/a.js"></script>', "fetched from elsewhere: //cdn.invalid/a.js"),
        ('<link rel="preconnect" href="https://fonts.invalid">', "fetched from elsewhere: https://fonts.invalid"),
        ('<link rel="icon" href="a/icon.png">', "leads nowhere: a/icon.png"),
        ('<img src="https://img.invalid/a.png" alt="">', "fetched from elsewhere"),
        ('<img srcset="a/picture%201.png 1x, https://img.invalid/b.png 2x" alt="">', "https://img.invalid/b.png"),
        ('<iframe src="https://video.invalid/"></iframe>', "fetched from elsewhere"),
        ("<style>@import '//fonts.invalid/a.css';</style>", "fetched from elsewhere"),
        ('<p style="background: url(https://img.invalid/a.png)">a</p>', "fetched from elsewhere"),
        ('<pre class="mermaid">graph LR</pre>', "would fetch a script for 'mermaid'"),
        ('<a href="gone.html">a</a>', "leads nowhere: gone.html"),
        ('<a href="more/page.html#gone">a</a>', "leads nowhere: more/page.html#gone"),
        ('<a href="#gone">a</a>', "leads nowhere: #gone"),
        ('<img src="gone.png" alt="">', "leads nowhere: gone.png"),
        ('<a href="../outside.md">a</a>', "leads nowhere: ../outside.md"),
    ],
)
def test_what_is_found_in_a_page(site: Path, markup: str, finding: str) -> None:
    (site / "new.html").write_text(PAGE.format(markup), encoding="utf-8")
    (found,) = findings(site)
    assert found.startswith("new.html: ")
    assert finding in found


def test_a_stylesheet_that_fetches_is_found(site: Path) -> None:
    (site / "a/style.css").write_text("@font-face { src: url('https://fonts.invalid/a.woff2') }", encoding="utf-8")
    (found,) = findings(site)
    assert "a/style.css: would be fetched from elsewhere" in found


def test_a_folder_without_pages_is_no_site(tmp_path: Path) -> None:
    assert list(findings(tmp_path)) == [f"{tmp_path}: there are no pages"]


def test_fences_are_cut_down_to_their_language(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    text = "```console exact\n$ a\n```\n\n```python no-run: why not\n# ```python no-run\nb\n```\n\n```toml\n```\n"
    (docs / "page.md").write_text(text)
    (docs / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "old.md").write_text("gone")
    copy_docs(docs, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["page.md", "picture.png"]
    cut = "```console\n$ a\n```\n\n```python\n# ```python no-run\nb\n```\n\n```toml\n```\n"
    assert (tmp_path / "copy" / "page.md").read_text() == cut
    assert (docs / "page.md").read_text() == text


def test_every_page_of_the_docs_stands_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    named = {line.split()[-1] for line in navigation.splitlines() if line.endswith(".md")}
    assert pages - named == {"decisions/template.md"}
    assert named - pages == set()

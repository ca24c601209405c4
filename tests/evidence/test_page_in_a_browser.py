# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of evidence in a real, headless Chromium: as a person with a large or a small screen, a keyboard, a printer,
a dark room or no network gets it. Chromium is Debian's package; where it is missing the tests install it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils import _page

from tests.evidence import sample
from tests.evidence.browser import FLAGS, Browser, browser, install

SAMPLES = ("healthy", "broken", "hostile", "huge")
#: A phone, a narrow and a wide window.
WIDTHS = (320, 390, 768, 1280, 1920)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each sample as a file, as the report writes it."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name in SAMPLES:
        found[name] = folder / f"{name}.html"
        found[name].write_text(_page.page(*getattr(sample, name)()), encoding="utf-8")
    return found


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_asks_nobody_and_runs_nothing(chromium: Browser, pages: dict[str, Path], name: str, dark: bool) -> None:
    chromium.open(pages[name], dark=dark)
    assert chromium.requests() == [pages[name].as_uri()]
    assert chromium.complaints() == []
    assert (
        chromium.run("document.scripts.length + document.images.length + document.querySelectorAll('iframe').length")
        == 0
    )
    assert chromium.run("document.styleSheets.length") == 1
    assert chromium.run("document.title") != "owned"


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(chromium: Browser, pages: dict[str, Path], name: str, width: int) -> None:
    chromium.open(pages[name], width=width, mobile=width < 500)
    chromium.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    # What is cut off with an ellipsis is inside of what cuts it.
    beyond = chromium.run(
        f"""[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > {width} + 0.5
             && !one.closest('.value')).slice(0, 3).map(one => one.outerHTML.slice(0, 120))"""
    )
    assert beyond == []
    assert chromium.run("document.documentElement.scrollWidth") <= width


def test_hostile_names_are_words_on_the_page(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"])
    shown = chromium.run("document.body.innerText")
    assert "</script><script>document.title='owned'</script>" in shown
    assert '"><img src=x onerror="document.title=1">' in shown
    assert "{{ 7 * 7 }}" in shown and "␛[31m" in shown
    assert chromium.run("getComputedStyle(document.body).display") == "block"


def colours(chromium: Browser) -> list[float]:
    """Red, green and blue of the ground of the page."""
    text = chromium.run("getComputedStyle(document.body).backgroundColor")
    return [float(part) for part in text.removeprefix("rgb(").removesuffix(")").split(",")]


def test_dark_and_light_follow_the_person(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["broken"])
    assert min(colours(chromium)) > 240
    chromium.open(pages["broken"], dark=True)
    assert max(colours(chromium)) < 40


CONTRAST = """(() => {
  const parse = text => { const p = text.match(/[\\d.]+/g).map(Number); return p.length > 3 ? p : [...p, 1]; };
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = one => { for (let at = one; at; at = at.parentElement) {
    const c = parse(getComputedStyle(at).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const bad = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || one.closest('.unseen, .skip') || one.closest('svg')) continue;
    const a = light(parse(getComputedStyle(one).color)), b = light(ground(one));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push([one.className || one.tagName, one.textContent.slice(0, 30), ratio.toFixed(2)]);
  }
  return bad.slice(0, 5);
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_word_can_be_read(chromium: Browser, pages: dict[str, Path], dark: bool) -> None:
    """WCAG 2.2, 1.4.3, on what is really painted."""
    chromium.open(pages["broken"], dark=dark)
    assert chromium.run(CONTRAST) == []


def focused(chromium: Browser) -> dict[str, Any]:
    return chromium.run(
        """(() => { const one = document.activeElement, style = getComputedStyle(one);
             return {tag: one.tagName, text: one.textContent.trim().slice(0, 40), href: one.getAttribute('href'),
                     ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                     seen: one.getBoundingClientRect().left >= 0}; })()"""
    )


def test_a_keyboard_reaches_everything(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["broken"])
    chromium.press("Tab")
    first = focused(chromium)
    assert (first["text"], first["seen"], first["ring"]) == ("Skip to what is wrong", True, True)
    chromium.press("Enter")
    assert chromium.run("location.hash") == "#wrong"
    assert chromium.run("document.activeElement.id") == "wrong"
    seen = []
    for _step in range(60):
        chromium.press("Tab")
        at = focused(chromium)
        if at["tag"] == "BODY":
            break
        assert at["ring"], at
        seen.append(at["text"])
    count = chromium.run("document.querySelectorAll('summary').length")
    assert len([text for text in seen if text]) == count == 17


def test_a_keyboard_opens_and_closes(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["healthy"])
    chromium.run("document.querySelector('.verdicts summary').focus()")
    assert chromium.run("document.querySelector('.verdicts details').open") is False
    chromium.press("Enter")
    assert chromium.run("document.querySelector('.verdicts details').open") is True
    assert chromium.run("document.querySelector('.checks tbody tr').innerText").split()[0] == "ok"


def test_the_tree_of_headings_has_no_gap(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["broken"])
    levels = [int(tag[1]) for tag in chromium.run("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName)")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


@pytest.mark.parametrize("width", [390, 1280])
def test_a_screen_reader_is_told_the_same(chromium: Browser, pages: dict[str, Path], width: int) -> None:
    """Roles and names as the browser hands them to assistive technology, also where rows are laid out as blocks."""
    chromium.open(pages["broken"], width=width, mobile=width < 500)
    nodes = [node for node in chromium.send("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    roles = [node["role"]["value"] for node in nodes]
    for role in (
        "main",
        "navigation",
        "banner",
        "contentinfo",
        "heading",
        "table",
        "rowheader",
        "columnheader",
        "article",
    ):
        assert role in roles, role
    names = {node["name"]["value"] for node in nodes if "name" in node}
    assert {"What is wrong", "Success criteria", "Error budgets", "Sections"} <= names
    text = " ".join(node["name"]["value"] for node in nodes if node["role"]["value"] == "StaticText")
    assert text.count("failed") >= 8 and "unknown" in text


def test_a_click_on_a_fix_takes_the_command_alone(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["broken"])
    box = chromium.run(
        """(() => { const one = document.querySelector('.fix .line'); one.scrollIntoView({block: 'center'});
             const box = one.getBoundingClientRect(); return [box.left + 40, box.top + 8]; })()"""
    )
    for kind in ("mousePressed", "mouseReleased"):
        chromium.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
    taken = chromium.run("getSelection().toString()")
    assert taken.startswith("kubectl -n monitoring patch secret") and taken.endswith("NEW\"}}'")


def test_it_prints_with_everything_opened(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["healthy"])
    assert chromium.run("document.querySelector('.verdicts details').open") is False
    chromium.send("Emulation.setEmulatedMedia", media="print", features=[])
    assert chromium.run("document.querySelector('.checks tbody tr').getBoundingClientRect().height") > 5
    assert chromium.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    printed = chromium.pdf()
    assert printed.startswith(b"%PDF") and printed.count(b"/Type /Page\n") >= 3


def test_panels_are_really_drawn(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["broken"])
    drawn = chromium.run(
        """[...document.querySelectorAll('.sketch path[class^=s]')].filter(path => path.getTotalLength() > 20
             && path.getBoundingClientRect().width > 60).length"""
    )
    assert drawn == chromium.run("document.querySelectorAll('.sketch path[class^=s]').length") > 30
    bars = """[...document.querySelectorAll('.slos .bar, .slos .over, .gantt .bar')]
                .map(bar => bar.getBoundingClientRect().width)"""
    assert len(chromium.run(bars)) == 21 and min(chromium.run(bars)) > 0.5


def test_the_largest_page_opens_within_seconds(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["huge"], width=390, mobile=True)
    took = chromium.run("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < took < 10_000


def test_a_plain_browser_shows_it_too(pages: dict[str, Path], tmp_path: Path) -> None:
    """Without any of the means above: what `chromium file` shows."""
    command = [
        str(install()),
        *(flag for flag in FLAGS if "pipe" not in flag),
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*command, pages["broken"].as_uri()], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert "5 of 112 checks are red" in done.stdout, done.stderr[-500:]

# SPDX-FileCopyrightText: dataplatform.monitoring contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page without a browser: what it says, that nothing breaks out of it, how large it gets, if it can be read."""

from __future__ import annotations

import html.parser
import itertools
import re

import pytest
from ansible_collections.dataplatform.monitoring.plugins.module_utils import (
    _checks,
    _report,
    _report_page,
    _report_text,
    _report_times,
)
from ansible_collections.dataplatform.monitoring.plugins.module_utils._causes import CAUSES
from ansible_collections.dataplatform.monitoring.plugins.plugin_utils import _page
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence import sample

VOID = {"meta", "col", "br", "img", "path", "rect", "use"}
TAGS = {"html", "head", "meta", "title", "style", "body", "a", "svg", "symbol", "path", "div", "rect", "header", "p",
        "strong", "span", "time", "h1", "h2", "h3", "h4", "table", "caption", "tbody", "thead", "tr", "th", "td", "i",
        "b", "nav", "ul", "ol", "li", "main", "section", "article", "dl", "dt", "dd", "code", "details", "summary",
        "footer", "use", "colgroup", "col"}  # fmt: skip


class Reader(html.parser.HTMLParser):
    """Collects tags, attributes, and the text outside of the style sheet; checks that tags are balanced."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.stack, self.ids = set(), [], [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


PAGES = {name: _page.page(*getattr(sample, name)()) for name in ("healthy", "broken", "hostile", "huge")}


@pytest.mark.parametrize("name", PAGES)
def test_it_is_whole_and_refers_to_nothing_outside(name):
    text = PAGES[name]
    page = Reader(text)
    assert page.tags <= TAGS
    assert [a for a in page.attributes if a[1] == "src" or a[1].startswith("on") or a[1] == "style"] == []
    links = {value for _tag, attribute, value in page.attributes if attribute in ("href", "xlink:href", "action")}
    assert links and all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in _page.style() and "@import" not in _page.style()
    assert text.encode("utf-8").decode() == text
    assert [char for char in text if ord(char) < 32 and char not in "\n\t"] == []


def test_whatever_a_cluster_says_is_shown_and_nothing_else():
    page = Reader(PAGES["hostile"])
    for text in sample.HOSTILE:
        shown = " ".join(_report_text.clean(text, 200).split())[:200]
        assert shown in page.text, text
    assert not [
        (name, value) for _tag, name, value in page.attributes if "<" in value and name not in ("title", "datetime")
    ]


@given(st.text())
def test_any_text_stays_text(text):
    cause = {"code": "server_error", "message": text, "fix": text}
    verdict = {"name": text, "checks": [_checks.failed(text, text, text, [cause], [text])], "notes": [text]}
    page = Reader(_page.page(_report.document(text, text, text, [verdict])))
    assert page.tags <= TAGS


def test_the_sample_has_causes_that_there_are():
    """Pictures of it stand in the documentation."""
    checks = _report.all_checks(sample.broken()[0]["verdicts"])
    assert {entry["code"] for check in checks for entry in _checks.all_causes(check)} <= set(CAUSES)


def test_what_is_wrong_comes_first_and_in_order_of_severity():
    page = Reader(PAGES["broken"])
    assert page.text.index("5 of 112 checks are red") < page.text.index("What is wrong")
    places = [page.text.index(words) for words in (
        "What is wrong", "403 invalid_token", "refuses connections", "has spent 134 %", "the nearest value",
        "has not been evaluated", "accepted until 2026-12-31", "Success criteria", "What changed",
        "Page of ServiceDown", "Is every expected target up?", "Error budgets", "DataHub sync progress",
    )]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("text", "lead", "line"),
    [
        ("see why: kubectl get pods -l a=b", "See why:", "kubectl get pods -l a=b"),
        ("kubectl get pods", "", "kubectl get pods"),
        ("In the entry x: endpoints: [{port: 1}]", "In the entry x:", "endpoints: [{port: 1}]"),
        ("send less: group more for y: repeat_interval: 12h", "Send less: group more for y:", "repeat_interval: 12h"),
        ("set in values: {alertmanager: {a: 1}}", "Set in values:", "{alertmanager: {a: 1}}"),
        ("ask somebody: the owner", "Ask somebody:", "the owner"),
        ("nothing: ", "", "nothing: "),
    ],
)
def test_the_command_of_a_fix_can_be_copied_alone(text, lead, line):
    assert _report_page.split_fix(text) == {"lead": lead, "line": line}


def test_the_line_stands_by_itself():
    assert '<code class="line">job: superset</code>' in PAGES["broken"]


def test_all_is_well():
    page = Reader(PAGES["healthy"])
    assert "All 112 checks are good" in page.text
    assert "Nothing that was judged is wrong." in page.text
    assert "10 of 10 met" in page.text
    assert "Nothing changed since day3, 26 m 2 s before." in page.text
    assert "4 ok, 4 young" in page.text and "2 h 49 m of 28d" in page.text


@pytest.mark.parametrize(
    ("statuses", "headline", "tone"),
    [
        ([], "Nothing was judged", "unknown"), (["ok"], "All 1 checks are good", "ok"),
        (["failed", "ok"], "1 of 2 checks is red", "failed"),
        (["unknown", "ok", "ok"], "1 of 3 checks is red", "unknown"),
        (["accepted", "ok"], "All 2 checks are good, 1 of them by a known exception", "ok"),
        (["not_applicable"], "Nothing applies here", "ok"),
    ],
)  # fmt: skip
def test_the_headline(statuses, headline, tone):
    cause = {"code": "c", "message": "m", "fix": "f"}
    checks = [{**_checks.ok(str(n), "1", "1"), "status": s, "cause": cause} for n, s in enumerate(statuses)]
    found = _report_page.view(_report.document("verify", "lab", "x", [{"name": "v", "checks": checks, "notes": []}]))
    assert (found["headline"], found["tone"]) == (headline, tone)
    assert abs(sum(part["width"] for part in found["edge"]) - (100 if statuses else 0)) < 0.1


def test_a_page_of_any_size_can_be_opened():
    text = PAGES["huge"]
    assert len(text.encode()) < 2_500_000
    assert "and 8500 more that are ok; verdict.json has them all." in text
    assert text.count('class="sketch"') == 500 and "Not every panel is drawn" in text


def test_many_faults_are_bounded_and_counted():
    checks = [_checks.failed(f"x{n}", "1", "0", [{"code": "c", "message": f"m{n}", "fix": "f"}]) for n in range(3000)]
    text = _page.page(_report.document("verify", "lab", "x", [{"name": "v", "checks": checks, "notes": []}]))
    assert text.count("<article") == 200 and "and 2800 more findings" in text
    assert len(text.encode()) < 2_500_000


def test_checks_of_the_same_name_are_both_there():
    page = Reader(
        _page.page(_report.document("verify", "lab", "x", [sample.verdict("v", *[_checks.ok("a", "1", "1")] * 2)]))
    )
    assert page.text.count(" a 1 1") == 2 and len(page.ids) == len(set(page.ids))


def test_long_words_are_cut_and_told():
    assert _report_text.clean("x" * 5000).endswith("… (1000 more characters)")


def test_a_verdict_of_its_own_and_no_boards_at_all():
    found = _report_page.view(_report.document("mine", "lab", "x", [sample.verdict("mine", _checks.ok("a", "1", "1"))]))
    assert [item["id"] for item in found["nav"]] == ["wrong", "verdicts"]
    assert found["boards"] is None and found["slos"] is None and found["timeline"] == []


@pytest.mark.parametrize("given_stages", [None, [], {}, "x", [1], [{"name": "a"}], [{"seconds": "x"}], {"t": None}, 7])
def test_stages_that_are_none_draw_nothing(given_stages):
    assert _report_times.timelines(given_stages) == []


def test_a_note_that_checks_share_is_told_once_for_all():
    checks = [_checks.ok(name, "1", "1", notes=["shared by both", f"own of {name}"]) for name in ("a", "b")]
    page = Reader(_page.page(_report.document("verify", "lab", "x", [sample.verdict("v", *checks)])))
    assert page.text.count("shared by both") == page.text.count("shared by both (2 checks)") == 1
    assert "own of a" in page.text and "own of b" in page.text


def test_tiny_burn_rates_are_no_row_of_digits():
    slo = {"slo": "x", "burn_rate": {"1h": 8.9e-05, "6h": 0, "3d": 14.43}}
    assert [b["text"] for b in _report_times.slos([slo])["rows"][0]["burns"]] == ["<0.01", "0", "14"]


def test_stages_follow_each_other_and_receivers_stand_side_by_side():
    page, end = _report_times.timelines(sample.TIMELINE)
    rows = {(row["stage"], row["receiver"]): row for row in page["rows"]}
    assert rows["evaluation", ""]["x"] == pytest.approx(rows["scrape", ""]["width"], abs=0.02)
    assert rows["group_wait", "pagerduty"]["x"] == rows["group_wait", "email"]["x"]
    assert rows["send", "email"]["x"] > rows["group_wait", "email"]["x"]
    assert all(row["x"] >= 0 and row["x"] + row["width"] <= 100.02 for row in page["rows"] + end["rows"])
    assert (page["total"], page["longest"]) == ("3 m 10 s", "“for”")
    assert rows["for", ""]["share"] == "63 %"


def test_slos_the_worst_first_with_what_is_left():
    found = _report_times.slos(sample.slos(burning=True))
    assert [row["word"] for row in found["rows"][:3]] == ["budget spent", "burning (ticket)", "burning (ticket)"]
    assert (found["rows"][0]["over"], found["rows"][0]["bar"], found["rows"][0]["left"]) == (34.0, 0, "-34 %")
    assert _report_times.slos([{"slo": "x", "state": "no_data", "budget_left": None}])["rows"][0]["left"] == "–"
    assert _report_times.slos([{"slo": "x", "objective": 99.9}])["rows"][0]["objective"] == "99.9 %"
    assert _report_times.slos([]) is None


def variables(text):
    return dict(re.findall(r"--([a-z0-9_-]+):\s*(#[0-9a-f]{6})\b", text))


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


SCHEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", _page.style(), re.S), strict=False))


@pytest.mark.parametrize(
    ("scheme", "words", "ground"),
    list(
        itertools.product(
            SCHEMES, ("ink", "soft", "ok", "failed", "unknown", "not_applicable", "accepted"), ("paper", "wash")
        )
    ),
)
def test_words_can_be_read(scheme, words, ground):
    """WCAG 2.2, 1.4.3: 4.5:1."""
    colours = variables(SCHEMES[scheme])
    assert contrast(colours[words], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_can_be_seen(scheme):
    """WCAG 2.2, 1.4.11: 3:1 for what carries meaning by itself."""
    colours = variables(SCHEMES[scheme])
    for name in ("draw", "failed-fill", "unknown-fill", "limit", "focus", "s2", "s3", "s4", "s5"):
        assert contrast(colours[name], colours["paper"]) >= 3, name

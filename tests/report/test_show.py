"""The pieces of a report: escaped once, legible without styling."""

import datetime as dt
import re

import html5lib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svclib.report import show, words
from svclib.report.clean import clean
from svclib.report.figures.style import new_chart
from svclib.report.tables import table

NASTY = "<img src=x onerror=alert(1)> & \"q\" 'a' </table></script>{{7}}"


def dom(markup):
    return html5lib.parseFragment(markup, namespaceHTMLElements=False)


def test_a_table_names_its_columns_and_rows():
    frame = pd.DataFrame({"period": ["2026-10"], "value": [0.5], "state": ["concern"]})
    parsed = dom(table(frame, caption="Calls").html)
    assert [th.get("scope") for th in parsed.iter("th")] == ["col", "col", "col", "row"]
    assert next(parsed.iter("caption")).text == "Calls"
    assert [td.text for td in parsed.iter("td")] == ["0.50", "Concern"]
    assert next(th for th in parsed.iter("th") if th.get("scope") == "row").text == "October 2026"


def test_missing_values_never_read_nan():
    frame = pd.DataFrame({"a": [np.nan, None, pd.NA], "d": [pd.NaT, dt.date(2026, 1, 1), None]}, dtype=object)
    assert not re.search(r"nan|None|NaT|<NA>", table(frame, caption="x").html)


def test_long_tables_say_how_long_they_are():
    block = table(pd.DataFrame({"a": range(100)}), caption="x", most_rows=10)
    assert block.html.count("<tr>") == 11
    assert "The first 10 of 100 rows" in block.html


def test_table_words_follow_the_language():
    with words.use_language("it"):
        markup = table(pd.DataFrame({"value": [1234.5], "ok": [True]}), caption="x").html
    assert "Valore" in markup
    assert "sì" in markup


@pytest.mark.parametrize(
    ("name", "alt", "caption"), [("../x", "a", "c"), ("x y", "a", "c"), ("x", "", "c"), ("x", "a", " ")]
)
def test_a_figure_needs_words_and_a_plain_name(name, alt, caption):
    with pytest.raises(ValueError, match=r"needs an alternative text|no plain file name"):
        show.show(new_chart(3, 2)[0], name=name, alt=alt, caption=caption)


def test_the_table_behind_a_figure_leaves_out_empty_columns():
    frame = pd.DataFrame({"period": ["2026-10"], "value": [1.0], "target": [np.nan]})
    chart = show.show(new_chart(3, 2)[0], name="x", alt="a", caption="c", data=frame)
    assert "Target" not in chart.html
    assert list(chart.data.columns) == ["period", "value", "target"]


def test_a_stacked_table_names_its_cells_and_stays_a_table():
    frame = pd.DataFrame({"KPI": ["Calls"], "Target": [5]})
    html = clean(table(frame, caption="All", stacked=True).html)
    assert '<td class="svc-t" role="cell"><span class="svc-label" aria-hidden="true">Target</span>5</td>' in html
    for role in ("table", "rowgroup", "row", "columnheader", "rowheader"):
        assert f'role="{role}"' in html
    assert "svc-label" not in table(frame, caption="All").html


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_data_are_text_wherever_they_stand(text):
    said = f"{text}{NASTY}"
    blocks = [
        show.section(said, show.sentence(said), show.note("info", said)),
        show.facts([(said, said)]),
        show.bullets([said]),
        show.fold(said, show.paragraph(said)),
        show.badge("concern", said),
        table(pd.DataFrame({said: [said]}), caption=said),
    ]
    for block in blocks:
        for markup in (block.html, clean(block.html)):
            parsed = dom(markup)
            assert not {e.tag for e in parsed.iter() if isinstance(e.tag, str)} & {"img", "script", "svg", "style"}
            assert not [e for e in parsed.iter() for name in e.attrib if str(name).startswith("on")]


def test_blocks_show_themselves_in_jupyterlab():
    bundle = show.sentence("a < b")._repr_mimebundle_()
    assert bundle["text/plain"] == "a < b"
    assert bundle["text/html"].startswith('<div class="svc"><style>')
    assert "<style" not in clean(bundle["text/html"])


@pytest.mark.parametrize("language", words.languages())
@pytest.mark.parametrize("state", list(show.STATE_SIGNS))
def test_each_state_has_a_shape_a_word_and_a_meaning(language, state):
    with words.use_language(language):
        block = show.badge(state)
        assert len(block.plain) > 4
        assert words.known(f"state_meaning.{state}")

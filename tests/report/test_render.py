"""From an executed notebook to a page: nothing lost, nothing live."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from svclib.paths import NOTEBOOKS
from svclib.report import show, words
from svclib.report.figures.style import new_chart
from svclib.report.render import _shorter, provenance_facts, render_failure, render_notebook
from svclib.report.tables import table

LINKS = {"portal": "../../index.html", "period": "../index.html", "department": "index.html", "next": None}
FRAME = {"title": "KPI analysis", "language": "en", "department": "Customer support", "period": "2026-10"}


def code(source, *outputs, count=1, **metadata):
    return new_code_cell(source, outputs=list(outputs), execution_count=count, metadata=metadata)


def result(block, count=1):
    data = block._repr_mimebundle_() if isinstance(block, show.Block) else block
    return new_output("execute_result", data=data, execution_count=count)


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def render(*cells, **options):
    notebook = new_notebook(cells=list(cells))
    nbformat.validate(notebook)
    return render_notebook(notebook, **(FRAME | {"links": LINKS, "provenance": {"snapshot": "abc"}} | options))


def test_the_value_of_a_last_line_is_in_the_page():
    page = render(code("study.kpis()", result(show.sentence("All is well."))))
    assert "<p class=svc-sentence>All is well.<" in page
    assert "Made by cell 1 of the notebook:</p>" not in page
    assert "Made by cell 1 of the notebook: <code>study.kpis()</code><" in page


def test_code_and_tagged_cells_stay_in_the_notebook():
    page = render(
        code("department = 'SECRET'", tags=["parameters"]),
        code("x = 'hidden source'\nx", result({"text/plain": "'shown'"})),
        new_markdown_cell("For analysts only.", metadata={"tags": ["analyst"]}),
    )
    assert "SECRET" not in page
    assert "hidden source" not in page
    assert "analysts only" not in page
    assert "shown" in page


def test_warnings_stay_out_and_prints_go_into_the_notes():
    page = render(code("f()", printed("<b>12</b> rows\n"), printed("/home/me/x.py: Warning", "stderr")))
    assert "&lt;b&gt;12&lt;/b&gt; rows" in page
    assert "/home/me" not in page


def test_a_cell_that_shows_nothing_leaves_no_line():
    page = render(code("report.progress()", result(show.stack()), count=5), code("b", result(show.sentence("Well."))))
    assert "report.progress()" not in page
    assert "<code>b</code>" in page


def test_the_state_of_the_code_is_told_in_words():
    told = {state: provenance_facts({"code": {"commit": "1a2b", "changed": state}})[0].value for state in (True, False)}
    assert told == {True: f"commit 1a2b, {words.say('provenance.changed')}", False: "commit 1a2b"}


def test_prose_is_said_in_the_readers_language():
    prose = new_markdown_cell(words.say("prose.kpi_analysis.comments", "en"))
    page = render(new_markdown_cell("# Title"), prose, new_markdown_cell("Only in English."), language="it")
    assert '<html lang="it">' in page
    assert f"<p>{words.say('prose.kpi_analysis.comments', 'it')}<" in page
    assert '<div lang="en"><p>Only in English.' in page


def test_prose_before_an_empty_result_is_left_out():
    page = render(
        new_markdown_cell("# Title"),
        new_markdown_cell("Each action beside the others."),
        code("report.explain()", result(show.stack())),
        new_markdown_cell("What was promised."),
        code("report.progress()", result(show.sentence("All done."))),
    )
    assert "Each action" not in page
    assert "What was promised." in page


@pytest.mark.parametrize("name", ["kpi_analysis", "root_cause_analysis", "outcome_evaluation"])
def test_the_prose_of_the_notebooks_is_in_the_catalogue(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    known = {
        " ".join(str(text).split()) for key, text in words.messages("en").items() if key.startswith(f"prose.{name}")
    }
    told = [
        " ".join(cell.source.split())
        for cell in notebook.cells
        if cell.cell_type == "markdown" and "analyst" not in cell.metadata.get("tags", [])
    ]
    assert [text for text in told if text not in known] == [], "copy the cell to [prose] of words/en.toml, translate it"


def test_headings_are_in_order_and_listed():
    page = render(
        new_markdown_cell("# The title goes\n\n#### Deep\n\n## Calls"),
        code("f()", result(show.section("Calls", show.sentence("x"), anchor="calls"))),
    )
    assert page.count("<h1>") == 1
    assert '<h2 id="deep">Deep</h2>' in page
    assert '<h2 id="calls">Calls</h2>' in page
    assert '<h2 id="calls-2">Calls</h2>' in page
    assert '<a href="#calls-2">Calls</a>' in page


def test_figures_keep_picture_words_and_numbers():
    import pandas as pd

    figure, axes = new_chart()
    axes.plot([1, 2])
    chart = show.show(figure, name="calls", alt="Calls rise.", caption="Calls", data=pd.DataFrame({"value": [1.5]}))
    page = render(code("f()", result(chart)))
    assert _shorter(chart.html) in page  # cleaning takes nothing away from our own blocks


def test_cleaning_keeps_every_block_as_it_is():
    import pandas as pd

    from svclib.report.clean import clean

    blocks = [
        table(pd.DataFrame({"a": ["x"], "b": [None]}), caption="T"),
        show.note("unknown", "x"),
        show.facts([("a", show.badge("concern"))]),
        show.fold("More", show.bullets(["a", show.sentence("b", state="improvement")])),
        show.beside(show.paragraph("a\n\nb"), show.section("S", level=3)),
    ]
    for block in blocks:
        assert clean(block.html) == block.html


def test_a_bare_picture_says_that_it_has_no_words():
    page = render(
        code("plot()", new_output("display_data", data={"image/png": "aGVsbG8=\n", "text/plain": "<Figure>"}))
    )
    assert 'src="data:image/png;base64,aGVsbG8="' in page
    assert "it came without a description" in page


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "text/plain"])
def test_outputs_hold_nothing_live(kind):
    nasty = "<img src=x onerror=alert(1)><script>alert(2)</script><a href='javascript:alert(3)'>x</a>"
    page = render(code("f()", result({kind: nasty})))
    body = page.split("<main", 1)[1]
    assert "<script" not in body
    assert "<img src=x" not in body.replace("&lt;img src=x", "")
    assert 'href="javascript' not in body


@pytest.mark.parametrize("kind", ["text/vnd.mermaid", "application/javascript", "text/latex", "application/x-other"])
def test_other_kinds_of_output_are_left_out(kind):
    page = render(code("f()", new_output("display_data", data={kind: "alert(1)//x"})))
    assert "alert(1)" not in page.split("<main", 1)[1]


def test_a_notebook_with_an_error_is_no_report():
    error = new_output("error", ename="ValueError", evalue="x", traceback=[])
    with pytest.raises(ValueError, match="cell 7 of the notebook ended with an error"):
        render(code("f()", error, count=7))


@pytest.mark.parametrize("language", words.languages())
def test_a_failure_says_why_and_what_to_do(language):
    failure = {"reason": "raised", "cell": 4, "error": "KeyError", "message": "'…'", "source": "f(<b>)", "lines": ()}
    page = render_failure(failure, **(FRAME | {"language": language}), links=LINKS)
    assert words.say("failure.raised", language) in page
    assert words.say("failure_cure.raised", language) in page
    assert "f(&lt;b&gt;)" in page


def test_every_reason_of_a_failure_has_words():
    from typing import get_args

    from svclib.run.failure import Reason

    for reason in get_args(Reason):
        assert words.known(f"failure.{reason}")
        assert words.known(f"failure_cure.{reason}")


def test_an_unknown_reason_is_shown_as_text():
    page = render_failure({"reason": "The <disk> is full"}, **FRAME, links={})
    assert "The &lt;disk&gt; is full" in page


def test_the_page_is_the_same_for_the_same_notebook():
    cells = [code("f()", result(show.sentence("x")))]
    assert render(*cells) == render(*cells)

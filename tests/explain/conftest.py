"""A gap with a local cause, which many tests look at."""

import pytest

from svclib.catalogue.models import Event, Hypothesis, Theme
from svclib.explain.analysis import explain_gap
from tests.explain.gaps import PERIOD, SOURCE, question_of, some_rows


@pytest.fixture(scope="module")
def local_gap():
    rows = some_rows("channel == 'Chat'")
    event = Event(date="2026-09-03", title="New bot")
    hypotheses = [
        Hypothesis(code="H1", category="Technology", cause="The bot fails", test={"channel": "Chat"}),
        Hypothesis(code="H2", category="People", cause="South is short of staff", test={"team": "South"}),
        Hypothesis(code="H3", category="Process", cause="Nobody knows"),
        Hypothesis(code="H4", category="Technology", cause="The new bot", event="New bot"),
        Hypothesis(code="H5", category="Process", cause="Mail is slow", where="channel = 'Mail'"),
    ]
    return explain_gap(
        question_of(rows, events=[event]), rows, ["channel", "team"], PERIOD, hypotheses=hypotheses, source=SOURCE,
        comments=rows, code_book=[Theme(code="bot", title="Bot", words=["bot"])],
    )  # fmt: skip

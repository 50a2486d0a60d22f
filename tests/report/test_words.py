"""Every language says the same things with the same placeholders."""

import ast
import math
import re
from pathlib import Path

import pandas as pd
import pytest

import svclib
from svclib.collect import contracts
from svclib.report import words
from svclib.report.words.messages import MessageMissing, locale, messages, placeholders

PACKAGE = Path(svclib.__file__).parent
OTHERS = [language for language in words.languages() if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_languages_have_the_same_keys(language):
    assert set(messages(language)) == set(messages("en"))


@pytest.mark.parametrize("language", OTHERS)
def test_languages_have_the_same_placeholders(language):
    english = messages("en")
    wrong = [
        key
        for key, message in messages(language).items()
        if key in english and placeholders(message) != placeholders(english[key])
    ]
    assert wrong == []


@pytest.mark.parametrize("language", words.languages())
def test_plural_messages_have_every_form_of_the_language(language):
    needed = {locale(language).plural_form(count) for count in range(200)}
    lacking = {
        key: needed - set(message)
        for key, message in messages(language).items()
        if not isinstance(message, str) and not needed <= set(message)
    }
    assert lacking == {}


@pytest.mark.parametrize("language", words.languages())
def test_no_message_is_blank_or_holds_markup(language):
    texts = [
        (key, form)
        for key, message in messages(language).items()
        for form in ([message] if isinstance(message, str) else message.values())
    ]
    assert [key for key, text in texts if not text.strip() or re.search(r"<\w|&\w+;", text)] == []


def keys_spoken(path):
    """Keys given to `say` as plain text anywhere in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "say":
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant):
                yield first.value


def test_every_key_that_the_code_speaks_exists():
    spoken = {(path.name, key) for path in PACKAGE.rglob("*.py") for key in keys_spoken(path)}
    assert len(spoken) > 2
    assert sorted(pair for pair in spoken if not words.known(pair[1], "en")) == []


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, pd.NA, pd.NaT])
def test_missing_is_a_word_and_never_a_number(missing):
    for written in (words.number, words.percent, words.signed, words.value, words.change, words.p_value, words.date):
        assert written(missing, language="it") == "nessun valore"


def test_a_placeholder_without_a_value_is_named():
    with pytest.raises(MessageMissing, match=r"'value\.interval' of 'en' needs a value for 'high'"):
        words.say("value.interval", low="1")


def test_a_value_that_looks_like_a_placeholder_stays_text():
    assert words.say("value.interval", low="{high.__class__}", high="2") == "{high.__class__} to 2"


def test_numbers_in_a_sentence_are_written_in_its_language():
    assert words.say("value.interval", "it", low=1234.5, high=2) == "da 1.234 a 2"  # three figures that matter


def test_rounding_follows_the_digits_as_printed():
    assert words.percent(0.285, 0) == "28%"  # half to even
    assert words.number(2.675, 2) == "2.68"  # 2.675 is 2.67499... in binary


def test_a_language_ends_with_its_block():
    with words.use_language("it"):
        assert words.say("state.missing") == "Nessun dato"
    assert words.say("state.missing") == "No data"


@pytest.mark.parametrize("language", words.languages())
def test_every_reason_of_quarantine_has_words_that_keep_the_columns(language):
    codes = re.findall(r"(?m)^``([\w:>]+)``", contracts.__doc__)
    assert len(codes) > 10
    with words.use_language(language):
        for code in codes:
            family, _, columns = code.replace(":a>b", ":opened_at>resolved_at").replace(":c", ":score").partition(":")
            told = words.quarantine_reason(f"{family}:{columns}" if columns else family)
            assert told != code
            assert ":" not in told or family == "malformed"
            assert all(column in told for column in filter(None, columns.split(">")))
    assert words.quarantine_reason("never_heard:of") == "never_heard:of"

"""What comments say: telling words beyond chance, none by chance, none that points at a person."""

import numpy as np

from svclib.catalogue.models import Theme
from svclib.explain.themes import compare_comments

RNG = np.random.default_rng(7)
VOCABULARY = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}x" for i in range(300)]
SHARE = 1 / np.arange(1, 301)


def comments(count, *more):
    said = [" ".join(RNG.choice(VOCABULARY, size=12, p=SHARE / SHARE.sum())) for _ in range(count)]
    return [f"{text} {more[0]}" if more and i % 3 == 0 else text for i, text in enumerate(said)]


def test_no_word_tells_two_like_groups_apart():
    named = sum(bool(compare_comments(comments(60), comments(400)).words) for _ in range(60))
    assert named <= 8  # of 60; one in twenty would be 3 (sd 1.7)


def test_a_word_that_a_third_of_them_say_is_found():
    found = compare_comments(comments(60, "robot"), comments(400))
    assert [word.word for word in found.words] == ["robot"]


def test_a_word_of_fewer_people_than_may_be_told_is_not_told():
    inside, outside = [*comments(48), *["zulu"] * 12], comments(400)
    assert [word.word for word in compare_comments(inside, outside, minimum=12).words] == ["zulu"]
    assert compare_comments(inside, outside, minimum=13).words == ()


BOOK = [Theme(code=word, title=word.title(), words=[word]) for word in VOCABULARY[4:16]]


def test_few_like_groups_differ_in_any_theme():
    told = sum(bool(compare_comments(comments(60), comments(400), BOOK).leading) for _ in range(60))
    assert told <= 6  # of 60; one in twenty would be 3 (sd 1.7); twelve themes uncorrected gave a third


def test_a_theme_of_many_is_leading_and_quoted_from_those_who_were_not_content():
    inside = comments(60, "robot")
    unhappy = [*[text for text in inside if text.endswith("robot")][:2], "no robot for me"]
    book = [*BOOK, Theme(code="robot", title="Robot", words=["robot"])]
    found = compare_comments([*inside, "no robot for me"], comments(400), book, quotable=unhappy)
    assert [theme.title for theme in found.leading] == ["Robot"]
    assert set(found.quotes) <= set(unhappy)
    assert compare_comments(inside, comments(400), book, quotable=["all fine"]).quotes == ()

"""Comments as customers write them: a theme, a mood, and phrases put together anew each time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from svclib.sample.processes import random_numbers
from svclib.sample.span import Span

# Theme: (what pleases, what displeases). The words are those that params/themes.yaml looks for, among others.
_PHRASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "waiting": (
        ("quick answer", "I got a reply within the hour", "no waiting at all", "answered faster than expected",
         "the queue was short and the reply came at once"),
        ("I waited {days} for a first answer", "the waiting time is far too long", "nobody replied for {days}",
         "still waiting after {days}", "it took ages until somebody answered", "forty minutes in the queue"),
    ),
    "staff": (
        ("{who} was friendly and patient", "{who} listened and explained everything", "very polite and helpful",
         "{who} really took the time", "such a kind person on the line"),
        ("{who} read from a script and did not listen", "{who} was rude", "I felt like a number, all scripted answers",
         "{who} sounded annoyed", "no understanding at all for my situation"),
    ),
    "solution": (
        ("solved at the first go", "the fix works perfectly", "problem gone in one visit", "sorted out completely",
         "everything was fixed and tested"),
        ("the problem is still not solved", "it broke again after {days}", "had to explain it {times}",
         "closed without a solution", "they fixed the wrong thing"),
    ),
    "price": (
        ("the invoice was corrected at once", "a fair price", "the refund arrived in {days}",
         "the bill is clear now"),
        ("the new tariff is far too expensive", "nobody can explain the new prices on my bill",
         "my invoice went up without notice", "the tariff change is a rip-off", "I still wait for my refund",
         "the bill is wrong again"),
    ),
    "chat": (
        ("the chat was easy to use", "chat assistant pointed me to the right page", "good chat, no phone needed"),
        ("the chat bot did not understand my login problem", "the bot keeps asking me to reset my password",
         "went round in circles with the chat assistant", "the chat logged me out {times}",
         "could not log in and the bot was no help", "please let me talk to a person instead of a bot"),
    ),
    "delivery": (
        ("delivered on the promised day", "the parcel came early", "driver called before he came"),
        ("the parcel never arrived", "delivery was promised {times} and never came", "no news about my parcel for {days}",
         "the courier left it in the rain"),
    ),
    "appointment": (
        ("the technician came on time", "easy to move the appointment", "the visit was well planned"),
        ("the technician did not show up", "the appointment was moved {times}", "took a day off work for nothing",
         "the time window of a whole day is a joke"),
    ),
    "information": (
        ("kept me informed at each step", "clear explanation by e-mail", "always knew what happens next"),
        ("no information about what happens next", "contradictory answers from every desk",
         "had to ask {times} for an update", "the letter was impossible to understand"),
    ),
}  # fmt: skip
THEMES = tuple(_PHRASES)
# How often a department's customers speak of a theme without any cause.
_USUAL = np.array(
    [  # waiting staff solution price chat delivery appointment information
        [0.18, 0.22, 0.18, 0.06, 0.08, 0.14, 0.02, 0.12],
        [0.16, 0.16, 0.20, 0.05, 0.02, 0.03, 0.28, 0.10],
        [0.16, 0.16, 0.14, 0.30, 0.04, 0.01, 0.02, 0.17],
        [0.20, 0.18, 0.34, 0.02, 0.06, 0.01, 0.05, 0.14],
        [0.16, 0.13, 0.15, 0.07, 0.02, 0.02, 0.32, 0.13],
        [0.22, 0.14, 0.20, 0.09, 0.04, 0.14, 0.03, 0.14],
        [0.20, 0.20, 0.26, 0.03, 0.02, 0.02, 0.13, 0.14],
        [0.18, 0.24, 0.20, 0.06, 0.03, 0.01, 0.02, 0.26],
    ]
)
_CAUSED = {True: 0.75, False: 0.3}  # share of a planted cause's customers, unhappy or not, who write about it
_DAYS = ("two days", "three days", "a week", "ten days", "two weeks", "far too long")
_TIMES = ("twice", "three times", "four times", "again and again")
_WHO = ("the agent", "the lady on the phone", "your colleague", "the man at the desk", "the team", "the technician")
_OPENINGS = ("", "", "", "", "Honestly, ", "To be fair, ", "This time, ", "Again: ", "All in all, ", "In short: ")
_JOINTS = {True: (", and ", ". Also ", "; "), False: (", and ", ". On top of that ", "; ")}
_CLOSINGS = {
    True: ("", "", ".", "!", ". Thank you!", ". Keep it up.", ". Would call again.", ". Well done"),
    False: (
        "",
        "",
        ".",
        "!",
        ". Please do something about it.",
        ". Not again.",
        ". I expect better.",
        ". Very sorry to say so.",
    ),
}
_CONTACTS = (
    " Please write to {first}.{last}@example.org",
    " My number is 020 7946 0{number}",
    " Call me on +44 20 7946 0{number} after five.",
    " Reach me at {first}{number}@example.com or 07700 900{number}.",
)
_FIRST = ("anna", "peter", "maria", "tom", "lucy", "omar", "irene", "karl")
_LAST = ("smith", "rossi", "novak", "jones", "okafor", "lindt", "moreau", "silva")
# What no report may run, and what no spreadsheet may calculate: it comes with real exports now and then.
TRAPS = (
    "=cmd|' /C calc'!A0",
    "<script>alert('x')</script> the <b>portal</b> ate my message & I had to start again",
    '"Great", she said; I waited $5 and $10 worth of time, see [here](http://example.org/?a=1&b=2)',
    "\N{THUMBS UP SIGN} très bien \N{EM DASH} danke, grazie!",
)


def write_comments(answers: pd.DataFrame, causes: dict[str, np.ndarray], span: Span, seed: int) -> list[str]:
    """A comment for each answer.

    Parameters
    ----------
    answers
        Answers with `desk` (position), `score` (1 to 5) and `waited` (hours to the first response).
    causes
        Theme to a mask of the answers that a planted cause concerns.
    """
    rng = random_numbers(seed, "comments")
    n = len(answers)
    themes, caused = _themes(answers, causes, rng)
    second, _ = _themes(answers, {}, rng)
    pleased = (answers["score"].to_numpy(int) >= 4) ^ (rng.random(n) < 0.06)
    pleased &= ~(caused & (answers["score"].to_numpy(int) < 5))
    draws = rng.integers(0, 2**31, (n, 9))
    comments = [_comment(*row) for row in zip(themes, second, pleased, draws, strict=True)]
    # Traps stand among the youngest answers, where every report of the sample meets them.
    for place, trap in enumerate(TRAPS):
        if place * 7 + 3 <= n:
            comments[n - 3 - place * 7] = trap
    return comments


def _themes(
    answers: pd.DataFrame, causes: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The theme of each comment, and whether a planted cause led to it; of two causes the later in the dict."""
    usual = _USUAL[answers["desk"].to_numpy()] / _USUAL[answers["desk"].to_numpy()].sum(axis=1, keepdims=True)
    usual[:, THEMES.index("waiting")] *= np.clip(answers["waited"].fillna(4).to_numpy() / 5, 0.5, 3)
    cumulative = np.cumsum(usual, axis=1)
    themes = (rng.random(len(answers))[:, None] > cumulative / cumulative[:, -1:]).sum(axis=1)
    unhappy = answers["score"].to_numpy(int) <= 3
    caused = np.zeros(len(answers), bool)
    for theme, mask in causes.items():
        told = mask & (rng.random(len(answers)) < np.where(unhappy, _CAUSED[True], _CAUSED[False]))
        themes[told] = THEMES.index(theme)
        caused |= told
    return themes, caused


def _comment(theme: int, second: int, pleased: bool, draws: np.ndarray) -> str:
    def one_of(choices: tuple[str, ...], draw: int) -> str:
        return choices[draws[draw] % len(choices)]

    mood = 0 if pleased else 1
    text = one_of(_OPENINGS, 0) + one_of(_PHRASES[THEMES[theme]][mood], 1)
    if draws[2] % 3 == 0 and second != theme:
        text += one_of(_JOINTS[bool(pleased)], 3) + one_of(_PHRASES[THEMES[second]][mood], 4)
    text += one_of(_CLOSINGS[bool(pleased)], 5)
    if draws[6] % 60 == 0:
        text += one_of(_CONTACTS, 7).format(first=one_of(_FIRST, 3), last=one_of(_LAST, 5), number=100 + draws[8] % 900)
    text = (
        text.replace("{days}", one_of(_DAYS, 7)).replace("{times}", one_of(_TIMES, 8)).replace("{who}", one_of(_WHO, 3))
    )
    return text[0].upper() + text[1:] if draws[2] % 5 else text

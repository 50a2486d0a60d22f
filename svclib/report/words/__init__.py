"""Every word that a reader meets: messages by key, numbers and dates, in the reader's language.

Computing rooms return numbers and codes; this room turns them into sentences. `say` looks a message up,
`number`, `percent`, `value`, `date` and their kin write what goes into its placeholders.

Examples
--------
>>> with use_language("it"):
...     print(percent(0.1234, 1), period_name("2026-10"))
12,3% ottobre 2026
"""

from svclib.report.words.messages import (
    MessageMissing,
    current_language,
    known,
    languages,
    messages,
    say,
    speak,
    use_language,
)
from svclib.report.words.quality import quarantine_reason
from svclib.report.words.values import (
    change,
    change_interval,
    date,
    date_time,
    decimals_of,
    interval,
    list_of,
    number,
    p_value,
    percent,
    period_name,
    period_short,
    signed,
    unit_name,
    value,
)

__all__ = [
    "MessageMissing",
    "change",
    "change_interval",
    "current_language",
    "date",
    "date_time",
    "decimals_of",
    "interval",
    "known",
    "languages",
    "list_of",
    "messages",
    "number",
    "p_value",
    "percent",
    "period_name",
    "period_short",
    "quarantine_reason",
    "say",
    "signed",
    "speak",
    "unit_name",
    "use_language",
    "value",
]

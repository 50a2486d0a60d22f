"""Numbers, dates and lists as a reader of the language writes them (Babel's CLDR data)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import NumberPattern, parse_pattern

from svclib.measure.periods import Period
from svclib.report.words.messages import current_language, known, locale, resolve, say

_NARROW_SPACE = "\u202f"
_MINUS = "\u2212"


def _missing(x: Any) -> bool:
    # pandas' missing values by name: this module is read by the command line, which must not import pandas
    if x is None or type(x).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(x, float) and not math.isfinite(x)


@lru_cache
def _pattern(decimals: int, percent: bool, sign: bool) -> NumberPattern:
    body = "#,##0" + ("." + "0" * decimals if decimals else "") + ("%" if percent else "")
    return parse_pattern(f"+{body};-{body}" if sign else body)


def _decimals_for(x: float) -> int:
    """Three figures that matter, two below 1, and none after the point of a whole number."""
    size = abs(x)
    if size >= 100 or float(x).is_integer():
        return 0
    return 1 if size >= 10 else 2 if size >= 0.1 else min(6, 1 - math.floor(math.log10(size)))


def decimals_of(*numbers: float) -> int:
    """Decimals for numbers that stand side by side: those of the coarsest, whole ones left aside.

    >>> decimals_of(35.31, 10.37), decimals_of(1.44, 3)
    (1, 2)
    """
    return min((_decimals_for(x) for x in numbers if not float(x).is_integer()), default=0)


def _written(x: Any, decimals: int, *, percent: bool = False, sign: bool = False, language: str | None = None) -> str:
    if _missing(x):
        return say("value.none", language)
    code = resolve(language) if language else current_language()
    shown = round(float(x) * (100 if percent else 1), decimals)
    if shown == 0:  # "-0.0" and "+0.0" would claim a direction that the digits do not show
        x, sign = 0.0, False
    text = _pattern(decimals, percent, sign).apply(x if isinstance(x, int) else _as_printed(x), locale(code))
    return str(text).replace("-", _MINUS)


def _as_printed(x: float) -> Decimal:
    """The decimal that a person sees when the number is printed, so that 0.285 rounds as written."""
    return Decimal(repr(float(x)))


def number(x: Any, decimals: int | None = None, *, language: str | None = None) -> str:
    """A number with the language's separators; None, NaN and infinite are the word for "no value".

    Examples
    --------
    >>> number(12345.678, 1), number(12345.678, 1, language="it"), number(float("nan")), number(-3)
    ('12,345.7', '12.345,7', 'no value', '−3')
    """
    places = decimals if decimals is not None or _missing(x) else _decimals_for(x)
    return _written(x, places or 0, language=language)


def percent(x: Any, decimals: int = 1, *, language: str | None = None) -> str:
    """A proportion (0..1) in per cent.

    >>> percent(0.4567), percent(1, 0)
    ('45.7%', '100%')
    """
    return _written(x, decimals, percent=True, language=language)


def signed(x: Any, decimals: int | None = None, *, language: str | None = None) -> str:
    """A number with its sign, for differences.

    >>> signed(2.5, 1), signed(-2.5, 1), signed(0.0001, 1)
    ('+2.5', '−2.5', '0.0')
    """
    places = decimals if decimals is not None or _missing(x) else _decimals_for(x)
    return _written(x, places or 0, sign=True, language=language)


def value(x: Any, unit: str = "", decimals: int | None = None, *, language: str | None = None) -> str:
    """A KPI's value with its unit; `unit` ``%`` takes proportions (0..1), any other unit is set behind the number.

    Examples
    --------
    >>> value(0.75, "%"), value(0.75, "%", 0), value(3.456, "h"), value(12, "calls"), value(1, "calls")
    ('75.0%', '75%', '3.46\\u202fh', '12\\u202fcalls', '1\\u202fcall')
    """
    if _missing(x) or unit == "%":
        return percent(x, 1 if decimals is None else decimals, language=language)
    return _with_unit(number(x, decimals, language=language), unit, _printed(x, decimals), language)


def change(x: Any, unit: str = "", decimals: int | None = None, *, language: str | None = None) -> str:
    """A difference of two values, with its sign; for ``%`` in percentage points, never in per cent.

    Examples
    --------
    >>> change(-0.032, "%"), change(1.5, "h", 1)
    ('−3.2 points', '+1.5\\u202fh')
    """
    if _missing(x):
        return say("value.none", language)
    if unit == "%":
        return say("value.points", language, x=signed(x * 100, 1 if decimals is None else decimals, language=language))
    return _with_unit(signed(x, decimals, language=language), unit, _printed(x, decimals), language)


def unit_name(unit: str, language: str | None = None, *, count: Decimal | int = 2) -> str:
    """A unit in the reader's language and in the form that goes with a number.

    A unit that the catalogue does not know stays as it was declared; ``one|many`` declares both forms of such a noun.

    Parameters
    ----------
    count
        The number that it stands with, as printed; several where left out.

    Examples
    --------
    >>> unit_name("h", "it"), unit_name("calls"), unit_name("calls", count=1), unit_name("breakdown|breakdowns", count=1)
    ('h', 'calls', 'call', 'breakdown')
    """
    if known(f"unit.{unit}", language):
        return say(f"unit.{unit}", language, count=count)
    one, _, many = unit.partition("|")
    return (
        one
        if locale(resolve(language) if language else current_language()).plural_form(abs(Decimal(count))) == "one"
        else many or one
    )


def _printed(x: float, decimals: int | None) -> Decimal:
    """The number as it is printed: "1" takes another form of its noun than "1.0" does."""
    places = _decimals_for(x) if decimals is None else decimals
    return Decimal(f"{x:.{places}f}")


def _with_unit(text: str, unit: str, count: Decimal, language: str | None) -> str:
    return f"{text}{_NARROW_SPACE}{unit_name(unit, language, count=count)}" if unit else text


def interval(low: Any, high: Any, unit: str = "", decimals: int | None = None, *, language: str | None = None) -> str:
    """Two bounds, with as many decimals as the coarser of them; the unit stands once.

    >>> interval(0.71, 0.79, "%"), interval(-3.12, 23.1), interval(2, 3, "h")
    ('71.0% to 79.0%', '−3.1 to 23.1', '2 to 3\\u202fh')
    """
    if _missing(low) and _missing(high):
        return say("value.none", language)
    if decimals is None and unit != "%":
        decimals = decimals_of(*(x for x in (low, high) if not _missing(x)))
    first = unit if unit == "%" or _missing(high) else ""
    ends = [value(x, u, decimals, language=language) for x, u in ((low, first), (high, unit))]
    return say("value.interval", language, low=ends[0], high=ends[1])


def change_interval(
    low: float, high: float, unit: str = "", decimals: int | None = None, *, language: str | None = None
) -> str:
    """Two bounds of a difference, with their signs and as many decimals; the unit stands once.

    >>> change_interval(-0.032, 0.011, "%"), change_interval(-3.12, 23.1, "h"), change_interval(-0.0535, 0.2, "points")
    ('−3.2 to +1.1 points', '−3.1 to +23.1\\u202fh', '−0.05 to +0.20\\u202fpoints')
    """
    if decimals is None and unit != "%":
        decimals = decimals_of(*(x for x in (low, high) if not _missing(x)))
    if unit == "%":
        places = 1 if decimals is None else decimals
        first, last = (signed(x * 100, places, language=language) for x in (low, high))
        return say("value.points", language, x=say("value.interval", language, low=first, high=last))
    last = change(high, unit, decimals, language=language)
    return say("value.interval", language, low=signed(low, decimals, language=language), high=last)


def p_value(p: Any, *, language: str | None = None) -> str:
    """A p-value with two figures; below 0.001 only that.

    >>> p_value(0.0312), p_value(0.00002), p_value(0.41), p_value(1.0), p_value(0.0041)
    ('p = 0.031', 'p < 0.001', 'p = 0.41', 'p > 0.99', 'p = 0.004')
    """
    if _missing(p):
        return say("value.none", language)
    if p < 0.001:
        return f"p < {number(0.001, 3, language=language)}"
    if p > 0.99:
        return f"p > {number(0.99, 2, language=language)}"
    return f"p = {number(p, 3 if p < 0.095 else 2, language=language)}"


def date(day: dt.date | str | None, style: str = "long", *, language: str | None = None) -> str:
    """A day: `style` ``long`` (1 November 2026), ``medium`` or ``short``; takes ISO text too.

    >>> date("2026-11-01"), date(dt.date(2026, 11, 1), "medium", language="it")
    ('1 November 2026', '1 nov 2026')
    """
    if _missing(day):
        return say("value.none", language)
    code = resolve(language) if language else current_language()
    if not isinstance(day, dt.date):
        day = dt.date.fromisoformat(str(day)[:10])
    return format_date(day, _DATE_PATTERNS[style], locale=locale(code))


_DATE_PATTERNS = {
    "long": "d MMMM y",
    "medium": "d MMM y",
    "short": "d MMM",
    "month": "LLLL y",
    "month_short": "LLL yy",
    "month_only": "LLL",
}


def date_time(moment: dt.datetime | str, *, language: str | None = None) -> str:
    """A moment to the minute, with the zone where it has one.

    >>> date_time("2026-11-01T08:05:00")
    '1 November 2026, 08:05'
    """
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.fromisoformat(moment)
    code = resolve(language) if language else current_language()
    zone = " 'UTC'xxx" if moment.tzinfo else ""
    return format_datetime(moment, f"d MMMM y, HH:mm{zone}", locale=locale(code)).replace("+00:00", "")


def period_name(period: Period | str, *, language: str | None = None) -> str:
    """A period as one says it.

    >>> period_name("2026-10"), period_name("2026-W43"), period_name("2026-Q3")
    ('October 2026', 'week 43 of 2026', 'quarter 3 of 2026')
    """
    return _named_period(period, "month", "period", language)


def period_short(period: Period | str, *, language: str | None = None) -> str:
    """A period for an axis or a table.

    >>> period_short("2026-10"), period_short("2026-W43"), period_short("2026-Q3")
    ('Oct 26', 'W43 26', 'Q3 26')
    """
    return _named_period(period, "month_short", "period_short", language)


def _named_period(period: Period | str, month: str, key: str, language: str | None) -> str:
    if isinstance(period, str):
        period = Period.parse(period)
    if period.frequency == "month":
        return date(period.start, month, language=language)
    year, part = period.label.split("-")
    year = year[2:] if key == "period_short" else year
    return say(f"{key}.{period.frequency}", language, part=str(int(part[1:])), year=year)


def list_of(items: Iterable[str], *, either: bool = False, language: str | None = None) -> str:
    """Words in a row; `either` joins with "or".

    >>> list_of(["calls", "mail", "chat"]), list_of(["calls", "mail"], either=True), list_of(["calls"])
    ('calls, mail and chat', 'calls or mail', 'calls')
    """
    words = list(items)
    code = resolve(language) if language else current_language()
    text = format_list(words, "or" if either else "standard", locale=locale(code)) if words else ""
    return text.replace(", and ", " and ").replace(", or ", " or ") if code == "en" else text

"""Is a target on the scale that its KPI's values have? A share is 0.8, and shown as 80 %."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from svclib.catalogue.models import TIME_UNITS, Bounds, Kpi, Scale
from svclib.errors import Problem


def check_figures(kpi: Kpi, at: Callable[..., str]) -> Iterator[Problem]:
    """What unit, bounds and targets of a KPI contradict; `at` tells the place of a field."""
    if kpi.unit == "%":
        if kpi.kind == "rate" and kpi.per != 1:
            what = f"a rate per {kpi.per:g} is no share, and its unit '%' would multiply it by 100 again"
            yield Problem(at("per"), what, f"leave per out (0.95 is shown as 95 %), or write 'unit: per {kpi.per:g}'")
        elif no_share := _no_share(kpi):
            what = f"{no_share} is no share, and its unit '%' would multiply it by 100"
            yield Problem(at("unit"), what, "name what is counted or measured, such as h, d, points or cases")
    elif kpi.kind == "time_to_event" and kpi.statistic != "within" and kpi.unit not in ("", *TIME_UNITS):
        yield Problem(at("unit"), f"times cannot be counted in '{kpi.unit}'", "write one of min, h, d, w")
    if kpi.possible and kpi.possible[0] >= kpi.possible[1]:
        yield Problem(at("possible"), "the lower bound is not below the upper one", "write [lowest, highest]")
    elif kpi.possible and not all(_within(end, kpi.kind_bounds) for end in kpi.possible):
        low, high = kpi.kind_bounds
        what = f"possible: {kpi.possible} is more than a {kpi.kind} can be: {_reach(kpi.kind_bounds)}"
        cure = f"write [{low:g}, {high:g}], or leave it out" if low is not None and high is not None else "leave it out"
        yield Problem(at("possible"), what, cure)
        return
    for index, target in enumerate(kpi.targets):
        if target.to and target.to < target.from_:
            yield Problem(at("targets", index), "a target ends before it starts", "mend 'from' or 'to'")
        if wrong := out_of_reach(kpi, target.value):
            yield Problem(at("targets", index), *wrong)


def out_of_reach(kpi: Kpi, target: float, kind: str = "level") -> tuple[str, str] | None:
    """What is wrong with a target that no value of the KPI can meet, and the cure; None for one that can be met.

    Parameters
    ----------
    target
        On the scale of the KPI's values.
    kind
        As an action has it: ``level``, or a ``change`` from the baseline; a ``relative`` change may be any.

    Examples
    --------
    >>> kpi = Kpi(code="a", title="A", source="s", kind="proportion", numerator="ok", direction="increase", unit="%")
    >>> out_of_reach(kpi, 75), out_of_reach(kpi, 0.75)
    (('the target 75 can never be reached: possible is 0 to 1', 'write 0.75 for 75 %'), None)
    >>> out_of_reach(kpi, -5, "change")
    ('a change of -5 can never be reached: possible is 0 to 1', 'write -0.05 for 5 points')
    """
    low, high = kpi.target_bounds
    if kind == "level" and not _within(target, (low, high)):
        return f"the target {target:g} can never be reached: possible is {_reach((low, high))}", _cure(kpi, target)
    if kind == "change" and low is not None and high is not None and abs(target) > high - low:
        what = f"a change of {target:g} can never be reached: possible is {_reach((low, high))}"
        points = f"write {target / 100:g} for {abs(target):g} points"
        return what, points if (low, high) == (0, 1) else "mend the target"
    return None


def _no_share(kpi: Kpi) -> str | None:
    """What the KPI is, in words, where its values can never be shares."""
    if kpi.kind == "count":
        return "a count"
    if kpi.kind == "time_to_event" and kpi.statistic != "within":
        return "a time"
    return "an NPS" if kpi.kind == "score" and (kpi.scale or Scale()).measure == "nps" else None


def _within(value: float, bounds: Bounds) -> bool:
    low, high = bounds
    return (low is None or value >= low) and (high is None or value <= high)


def _reach(bounds: Bounds) -> str:
    """The bounds in words.

    >>> _reach((0.0, 1.0)), _reach((0.0, None))
    ('0 to 1', '0 or more')
    """
    low, high = bounds
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"{low:g} or more" if low is not None else f"{high:g} or less"


def _cure(kpi: Kpi, value: float) -> str:
    if kpi.target_bounds != (0, 1):
        return "mend the target or 'possible'"
    share = value if 1 < value <= 100 else 80
    cure = f"write {share / 100:g} for {share:g} %"
    fixed = kpi.kind_bounds == (0, 1)
    return cure if fixed else f"{cure}; if more than 100 % is possible, say so: 'possible: [0, 2]'"

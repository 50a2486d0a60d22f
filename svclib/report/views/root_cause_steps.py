"""The tables of a gap's steps: segments, process, drivers, whys, themes, evidence and the draft action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from svclib.explain.analysis import Gap
from svclib.explain.grade import DraftAction
from svclib.explain.localise import Localisation, Segment
from svclib.explain.process import Load, ProcessPart
from svclib.explain.record import effect_of
from svclib.explain.themes import FALSE_THEMES
from svclib.measure.periods import Period
from svclib.measure.workload import flow_without_small
from svclib.report import words
from svclib.report.figures import root_cause as figures
from svclib.report.figures.workload import flow_figure, hours_figure
from svclib.report.show import Block, Chart, bullets, note, paragraph, sentence
from svclib.report.tables import table
from svclib.report.views.kpi_context import flow_legend, flow_text, shown_count
from svclib.report.words import root_cause as said
from svclib.report.words import say

Draw = Callable[..., Chart]  # name, gap and what `show` takes; `figure` draws it


def segment_table(gap: Gap) -> list[Block]:
    """What the scan found, what else would fit, what is only a lead, and whether all cases moved."""
    local = gap.localisation
    assert local is not None
    leads: list[Block] = [note("caution", said.lead_text(gap, lead)) for lead in local.leads]
    if leads and not local.segments:
        return [sentence(say("root_cause.segments.unsure", count=local.candidates)), *leads]
    if not local.segments:
        key = "nothing_general" if local.general.established else "nothing"
        key = key if local.candidates else f"{key}_small"
        return [sentence(say(f"root_cause.segments.{key}", count=local.candidates, **_general_numbers(gap, local)))]
    general = _general(gap, local)
    rows = pd.DataFrame([_segment_row(gap, segment) for segment in local.segments])
    caption = say("root_cause.segments.caption", count=words.number(local.candidates, 0))
    best = local.segments[0]
    blocks = [
        sentence(f"{said.where_of(best.where)}: {said.excess(gap, best)}. {said.elsewhere(gap, best)} {general}"),
        table(rows, caption=caption),
    ]
    for segment in local.segments:
        if segment.alternatives:
            names = words.list_of((said.where_of(where) for where in segment.alternatives), either=True)
            text = say("root_cause.segments.alternatives", where=said.where_of(segment.where), alternatives=names)
            blocks.append(note("caution", text))
    return [*blocks, *leads]


def _general(gap: Gap, local: Localisation) -> str:
    if not local.general.established:
        return say("root_cause.segments.general_no")
    return say("root_cause.segments.general", **_general_numbers(gap, local))


def _general_numbers(gap: Gap, local: Localisation) -> dict[str, str]:
    low, high = local.general.ratio_interval
    numbers = {"ratio": local.general.ratio, "low": low, "high": high}
    kind = effect_of(gap)
    return {"effect": say(f"root_cause.effect.{kind}")} | {name: _effect(gap, x) for name, x in numbers.items()}


def _effect(gap: Gap, x: float) -> str:
    """A ratio as a number, a difference in the KPI's unit."""
    return said.change_of(gap.question.kpi, x) if effect_of(gap) == "difference" else words.number(x, 2)


def _segment_row(gap: Gap, segment: Segment) -> dict[str, Any]:
    kpi = gap.question.kpi

    def level(x: float | None) -> str:
        shown = said.level_of(gap, x)
        return "–" if shown is None else said.value_of(kpi, shown)

    cells = {
        "where": said.where_of(segment.where),
        "cases": words.number(round(segment.cases), 0),
        "excess": words.signed(segment.excess, 0),
        "share": said.share_cell(segment.share),
        "effect": f"{say(f'root_cause.effect.{effect_of(gap)}')} {_effect(gap, segment.ratio)}",
        "value": level(segment.value),
        "usual": level(segment.baseline),
        "elsewhere": level(segment.complement),
        "p": words.p_value(segment.p_adjusted),
        "stability": words.percent(segment.stability, 0),
    }
    return {say(f"root_cause.segments.{name}"): text for name, text in cells.items()}


def how_blocks(gap: Gap, period: Period, draw: Draw) -> list[Block]:
    """Parts of the process, load, and drivers."""
    blocks: list[Block] = []
    if gap.process:
        changed = [say(f"root_cause.process.{part.part}") for part in gap.process if part.p < 0.01]
        text = say("root_cause.process.unchanged")
        if changed:
            text = say("root_cause.process.changed", parts=words.list_of(changed))
        rows = [
            {
                say("root_cause.process.part"): say(f"root_cause.process.{part.part}"),
                say("root_cause.process.usual"): said.part_value(part.part, part.usual),
                say("root_cause.process.now"): said.part_value(part.part, part.now),
                say("root_cause.process.difference"): said.part_change(part.part, part.difference),
                say("root_cause.process.interval"): _part_interval(part),
                say("root_cause.segments.p"): words.p_value(part.p),
            }
            for part in gap.process
        ]
        blocks += [
            sentence(text),
            *_hours(gap, draw),
            table(pd.DataFrame(rows), caption=say("root_cause.process.caption")),
        ]
    if gap.load is not None:
        blocks.append(sentence(_load(gap.load, gap.disclosure_minimum)))
        if gap.load.answer != "usual":  # that nothing changed is said in a sentence
            blocks.append(_flow(gap.load, gap, draw))
    if gap.drivers is not None:
        blocks += _drivers(gap, period, draw)
    return blocks or [note("info", say("root_cause.process.none"))]


def _part_interval(part: ProcessPart) -> str:
    unit, places = ("%", 1) if part.part == "reopened" else ("h", 1) if part.part.endswith("hours") else ("", 2)
    return words.change_interval(part.lower, part.upper, unit, places)


def _hours(gap: Gap, draw: Draw) -> list[Block]:
    """How long a case waits and is worked on, usually and now; nothing where one of both is not recorded."""
    parts = {part.part: part for part in gap.process if part.part.endswith("_hours")}
    if len(parts) < 2:
        return []
    times = {"usual": [p.usual for p in parts.values()], "now": [p.now for p in parts.values()]}
    names = [say(f"root_cause.process.{name}") for name in parts]
    titles = [say(f"root_cause.process.{name}") for name in times]
    hours = pd.DataFrame(list(times.values()), index=titles, columns=names)
    told = {
        name: words.list_of(said.part_value(part, x) for part, x in zip(parts, row, strict=True))
        for name, row in times.items()
    }
    chart = draw(
        "hours", gap, figure=lambda: hours_figure(hours, "h"), data=hours.rename_axis("month").reset_index(),
        alt=say("root_cause.process.hours_alt", parts=words.list_of(names), **told),
        caption=say("root_cause.process.hours_caption"), headers={"month": say("root_cause.process.when")},
        formats=dict.fromkeys(names, lambda x: words.value(x, "h", 1)),
    )  # fmt: skip
    return [chart]


def _flow(load: Load, gap: Gap, draw: Draw) -> Chart:
    """Arrivals, closures and backlog of the KPI's cases over the periods that it was compared with."""
    names = {"arrivals": "arrived", "closed": "completed", "open_at_end": "backlog"}
    data = flow_without_small(load.periods[["period", *names]].rename(columns=names), gap.disclosure_minimum)
    return draw(
        "flow", gap, figure=lambda: flow_figure(data.assign(complete=True)), data=data,
        alt=flow_text(data),
        caption=say("root_cause.process.flow_caption", first=words.period_name(str(data["period"].iloc[0]))),
        headers={name: say(f"kpi.workload.{name}") for name in names.values()},
        legend=flow_legend(data),
    )  # fmt: skip


def _load(load: Load, minimum: int) -> str:
    now = load.periods.iloc[-1]
    said_ = {name: shown_count(now[name] if now[name] >= minimum else np.nan) for name in ("arrivals", "closed")}
    needed = {
        "usual": said_,
        "more_arrivals": {"arrivals": said_["arrivals"], "z": words.number(load.arrivals_z, 1)},
        "less_capacity": {"closed": said_["closed"]},
        "both": said_,
    }
    return say(f"root_cause.process.load_{load.answer}", **needed[load.answer])


def _drivers(gap: Gap, period: Period, draw: Draw) -> list[Block]:
    drivers = gap.drivers
    assert drivers is not None
    frame = drivers.to_frame()
    best = frame.iloc[0]
    alike = [said.driver_name(name) for name in drivers.not_apart]
    text = say(
        f"root_cause.process.drivers{'_alike' if alike else ''}",
        r2=words.percent(drivers.r2, 0),
        best=said.driver_name(str(best["driver"])),
        share=words.percent(best["share"], 1),
        low=words.percent(best["lower"], 1),
        high=words.percent(best["upper"], 1),
        **({"others": words.list_of(alike)} if alike else {}),
    )
    chart = draw(
        "drivers", gap, figure=lambda: figures.drivers_figure(drivers), data=frame, alt=text,
        caption=say("root_cause.process.drivers_caption", period=words.period_name(period)),
        headers={name: say(f"root_cause.process.{key}") for name, key in (("driver", "driver"), ("share", "driver_share"))},
        formats={"driver": said.driver_name} | dict.fromkeys(("share", "lower", "upper"), lambda x: words.percent(x, 1)),
    )  # fmt: skip
    return [sentence(text), chart]


def whys_block(gap: Gap) -> Block:
    """The ladder of five whys."""
    title = say("root_cause.why.title")
    return bullets([f"{title} {said.rung_text(rung)}" for rung in gap.whys])


def themes_blocks(gap: Gap, draw: Draw) -> list[Block]:
    """What the comments say, within the disclosure rule."""
    themes, question = gap.themes, gap.question
    if themes is None:
        return [note("info", say("root_cause.themes.none"))]
    if themes.withheld:
        return [note("info", say("root_cause.themes.withheld"))]
    counts = {"inside": words.number(themes.comments, 0), "outside": words.number(themes.comments_outside, 0)}
    best = gap.localisation.segments[0] if gap.localisation and gap.localisation.segments else None
    if best is not None:
        text = say("root_cause.themes.compared", where=said.where_of(best.where), **counts)
    else:
        since = question.onset.period if question.onset else str(question.points["period"].iloc[-1])
        text = say("root_cause.themes.compared_time", since=words.period_name(since), **counts)
    told = [text]
    if themes.leading:
        named = [
            say(
                "root_cause.themes.theme_shares",
                theme=t.title,
                here=words.percent(t.share, 0),
                others=words.percent(t.share_outside, 0),
            )
            for t in themes.leading
        ]
        told.append(say("root_cause.themes.leading", themes=words.list_of(named)))
    if themes.words:
        told.append(say("root_cause.themes.words", words=words.list_of(found.word for found in themes.words)))
    if len(told) == 1:
        told.append(say("root_cause.themes.nothing"))
    blocks = [sentence(" ".join(told))]
    if themes.themes:
        names = {"title": "theme", "share": "here", "share_outside": "others"}
        data = pd.DataFrame([{name: getattr(t, name) for name in (*names, "p")} for t in themes.themes])
        first = themes.themes[0]
        shares = {"here": words.percent(first.share, 0), "others": words.percent(first.share_outside, 0)}
        chart = draw(
            "themes", gap, figure=lambda: figures.themes_figure(themes.themes), data=data,
            alt=say(f"root_cause.themes.alt{'' if first.p < FALSE_THEMES else '_chance'}", theme=first.title, p=words.p_value(first.p), **shares),
            caption=say("root_cause.themes.caption"),
            headers={name: say(f"root_cause.themes.{key}") for name, key in names.items()},
            formats=dict.fromkeys(("share", "share_outside"), lambda x: words.percent(x, 0)) | {"p": words.p_value},
        )  # fmt: skip
        blocks.append(chart)
    if themes.quotes:
        blocks += [paragraph(say("root_cause.themes.quotes")), bullets([f"“{text}”" for text in themes.quotes])]
    return blocks


def _rests_on(gap: Gap, action: DraftAction) -> str:
    """What a draft's target rests on; where the level before was better than the KPI's target, that is said."""
    if action.target_source == "usual" and gap.question.target is not None:
        return say("root_cause.action.usual_beyond", target=said.value_of(gap.question.kpi, gap.question.target))
    return say(f"root_cause.action.{action.target_source}")


def action_block(gap: Gap, period: Period) -> list[Block]:
    """The grade with what it rests on, and the draft row."""
    evidence, action, kpi = gap.evidence, gap.action, gap.question.kpi
    text = say("root_cause.grade.C_open" if "share_open" in evidence.against else f"root_cause.grade.{evidence.grade}")
    if evidence.for_:
        text = f"{text} {say('root_cause.grade.for', codes=said.evidence_codes(evidence.for_))}"
    if evidence.against:
        text = f"{text} {say('root_cause.grade.missing', codes=said.evidence_codes(evidence.against))}"
    blocks: list[Block] = [sentence(text)]
    if action is None:
        return blocks
    where = said.where_of(action.segment) if action.segment else ""
    people = say("root_cause.action.people")
    tail = say("root_cause.action.gap_where", where=where) if where else ""
    named = {
        "title": kpi.title,
        "current": said.value_of(kpi, action.current),
        "target": said.value_of(kpi, action.target),
        "due": words.date(action.due),
    }
    current, target = action.current, action.target
    met = current is not None and target is not None and gap.question.worse * (current - target) <= 0
    form = "mix" if gap.answer == "mix" else "keep" if met else "segment" if where else "text"
    objective = say(f"root_cause.action.objective_{form}", where=where, **named)
    baseline = say(
        "root_cause.action.baseline_text",
        value=said.value_of(kpi, action.baseline),
        first=words.date(action.baseline_from, "medium"),
        last=words.date(action.baseline_to, "medium"),
    )
    gap_text = say(
        "root_cause.action.gap_text",
        title=kpi.title,
        value=named["current"],
        usual=said.value_of(kpi, action.baseline),
        period=words.period_name(period),
        where=tail,
    )
    pairs = [
        ("gap", gap_text),
        ("objective", objective),
        ("baseline", baseline),
        ("target", _rests_on(gap, action)),
        ("steps", people),
        ("responsible", people),
    ]
    if action.gain is not None:
        short = target is not None and gap.question.worse * (action.gain - target) > 0
        value = said.value_of(kpi, action.gain)
        pairs.insert(4, ("gain", say("root_cause.action.gain_short", value=value) if short else value))
    if action.running:
        names = words.list_of(action.running)
        pairs.insert(0, ("running", say("root_cause.action.running_text", count=len(action.running), names=names)))
    rows = pd.DataFrame(
        {say("root_cause.action.entry"): say(f"root_cause.action.{name}"), say("root_cause.action.draft"): text}
        for name, text in pairs
    )
    return [*blocks, table(rows, caption=say("root_cause.action.caption"))]

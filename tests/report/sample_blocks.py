"""Blocks of every kind, for pages that tests look at."""

import pandas as pd

from svclib.report import words
from svclib.report.figures import labels, style
from svclib.report.show import badge, beside, facts, fold, note, paragraph, section, sentence, show, stack
from svclib.report.tables import table


def blocks_of(notebook, content):
    """Sections as the notebooks make them."""
    if notebook == "kpi_analysis":
        return [
            glance(content["kpis"]),
            *(kpi_section(kpi, drawn=number < 3) for number, kpi in enumerate(content["kpis"])),
        ]
    entries = content.get("gaps") or content.get("actions") or []
    if not entries:
        return [sentence("Nothing to explain in this period.", state="common_cause")]
    return [entry_section(entry) for entry in entries]


def glance(kpis):
    frame = pd.DataFrame(
        {
            "kpi": [kpi["title"] for kpi in kpis],
            "value": [words.value(kpi["value"], kpi["unit"], kpi["decimals"]) for kpi in kpis],
            "target": [kpi["target"] for kpi in kpis],
            "state": [badge(kpi["state"]) for kpi in kpis],
        }
    )
    return stack(sentence("The month at a glance."), table(frame, caption="All measures"))


def kpi_section(kpi, *, drawn):
    return section(
        kpi["title"],
        sentence(kpi["sentence"]),
        facts([("Value", words.value(kpi["value"], kpi["unit"])), ("Cases", words.number(240, 0))]),
        control_chart(kpi) if drawn else paragraph("No chart."),
        note("caution", "11 cases are still open."),
        fold("Method", paragraph("The chart follows Laney (2002).\n\nLimits come from mature periods.")),
        anchor=kpi["code"],
        state=kpi["state"],
    )


def entry_section(entry):
    title = entry.get("title") or entry["kpi"]
    frame = pd.DataFrame({"where": ["phone", "mail"], "excess": [84.2, 12.0], "share": [0.62, 0.09]})
    shown = table(frame, caption="Segments", formats={"share": words.percent}, headers={"where": "Segment"})
    return section(
        title,
        sentence(entry["sentence"] or "No sentence."),
        beside(shown, note("unknown", "Nobody knows yet.")),
        anchor=entry.get("id") or entry["kpi"],
    )


def control_chart(kpi):
    frame = pd.DataFrame(kpi["points"])
    figure, axes = style.new_chart()
    x, y = range(len(frame)), frame["value"].astype(float)
    with style.drawing():
        axes.plot(x, y, **style.line_style("data"))
        for name, meaning in (("centre", "centre"), ("lower", "limit"), ("upper", "limit")):
            axes.step(x, frame[name], where="mid", **style.line_style(meaning))
        if kpi["target"] is not None:
            axes.axhline(kpi["target"], **style.line_style("target"))
    states = ["common_cause" if not signal else kpi["state"] for signal in frame["signal"]]
    style.draw_points(axes, list(x), y.tolist(), states)
    style.period_axis(axes, frame["period"].tolist())
    style.value_axis(axes, kpi["unit"])
    ends = [
        labels.Label(frame["upper"].iloc[-1], "Upper limit", style.LIMIT),
        labels.Label(frame["centre"].iloc[-1], "Mean"),
        labels.Label(frame["lower"].iloc[-1], "Lower limit", style.LIMIT),
    ]
    if kpi["target"] is not None:
        ends.append(labels.Label(kpi["target"], "Target", style.TARGET, bold=True))
    labels.label_ends(axes, ends)
    labels.mark_events(axes, [(10, "New ticketing system"), (12, "Move to the north office")])
    return show(
        figure,
        name=kpi["code"],
        alt=f"{kpi['title']}: 36 months.",
        caption=f"{kpi['title']} by month",
        data=frame[["period", "value", "n", "lower", "centre", "upper"]],
    )

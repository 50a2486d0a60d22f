"""A folder of reports as a run leaves it, in the formats of the design: what portal, exports and browser tests read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import html5lib
import numpy as np

from svclib.measure.periods import Period
from svclib.report import words
from svclib.report.render import render_failure, render_notebook

DEPARTMENTS = {
    "D01": "Customer support",
    "D02": "Field service",
    "D03": "Billing",
    "D04": "IT service desk",
    "010": "Returns and repairs of household appliances, northern region",
}
KPIS = {
    "response_time": ("Average response time", "h", 1, 5.0, 4.6, 0.5, "decrease"),
    "first_contact_resolution": ("First-contact resolution", "%", None, 0.67, 0.69, 0.02, "increase"),
    "csat": ("Customer satisfaction (CSAT)", "%", None, 0.80, 0.79, 0.03, "increase"),
    "uptime": ("Service uptime", "%", 2, 0.995, 0.9968, 0.001, "increase"),
    "incidents": ("Incidents and escalations", "", 0, None, 14, 4, "decrease"),
    "training": ("Training completed", "%", None, 0.95, 0.91, 0.03, "increase"),
}
NASTY = '<img src=x onerror=alert(1)> & "quotes" {{7*7}} $x$'


def write_reports(
    out: Path,
    *,
    periods: tuple[str, ...] = ("2026-09", "2026-10"),
    language: str = "en",
    failed: bool = True,
    names: dict[str, str] | None = None,
    pages: bool | tuple[str, ...] = True,
) -> Path:
    """Write periods of results for a few departments; in the last period one report failed and one is late."""
    names = names or DEPARTMENTS
    for period in periods:
        entries = []
        for place, (code, name) in enumerate(names.items()):
            for notebook in ("kpi_analysis", "root_cause_analysis", "outcome_evaluation"):
                last = period == periods[-1]
                if failed and last and (place, notebook) == (3, "outcome_evaluation"):
                    continue  # late
                broken = failed and last and (place, notebook) == (2, "root_cause_analysis")
                folder = out / period / code
                folder.mkdir(parents=True, exist_ok=True)
                content = results(period, code, notebook, place)
                entry = _entry(period, code, name, notebook, language, broken)
                if not broken:
                    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
                    (folder / f"{notebook}.json").write_text(text, encoding="utf-8")
                if pages is True or (pages and code in pages):
                    page = (
                        _failed_page(entry, name, period, language)
                        if broken
                        else _page(content, name, period, language, notebook)
                    )
                    (folder / f"{notebook}.html").write_text(page, encoding="utf-8")
                    (folder / f"{notebook}.ipynb").write_text("{}", encoding="utf-8")
                entries.append(entry)
        manifest = {
            "format": 1,
            "period": period,
            "organisation": "Harbour Services",
            "language": language,
            "snapshot": {"digest": "9f2c11ab0d4e", "as_of": str(Period.parse(period).end)},
            "departments": [{"code": code, "name": name} for code, name in names.items()],
            "reports": entries,
        }
        (out / period / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    return out


def _entry(period, code, name, notebook, language, broken):
    failure = {"reason": "raised", "cell": 4, "error": "KeyError", "message": "'…'", "source": "f(x)", "lines": []}
    endings = ("ipynb", "html") if broken else ("json", "ipynb", "html")
    return {
        "department": code,
        "folder": code,
        "notebook": notebook,
        "status": "failed" if broken else "ok",
        "html": f"{code}/{notebook}.html",
        "seconds": 0.8,
        "title": name,
        "language": language,
        "failure": failure if broken else None,
        "files": {f"{notebook}.{ending}": {"bytes": 1, "sha256": ""} for ending in endings},
    }


def results(period: str, department: str, notebook: str, place: int) -> dict:
    """The result of one notebook."""
    head = {"department": department, "period": period, "as_of": str(Period.parse(period).end)}
    if notebook == "kpi_analysis":
        kpis = [_kpi(period, place, number, code) for number, code in enumerate(KPIS)]
        signals = sum(kpi["state"] in ("concern", "improvement") for kpi in kpis)
        return head | {
            "kpis": kpis,
            "signals_expected_by_chance": 0.1,
            "signals_found": signals,
            "signals_after_fdr": signals,
            "data_quality": ["14 cases of this period arrived late.", f"A note with markup: {NASTY}"],
        }
    if notebook == "root_cause_analysis":
        return head | {"gaps": [_gap()] if place == 0 else []}
    return head | {"actions": _actions(period) if place < 2 else []}


STATES = ("common_cause", "concern", "improvement", "provisional", "too_few", "withheld", "common_cause", "fault")


def _kpi(period: str, place: int, number: int, code: str) -> dict:
    title, unit, decimals, target, level, noise, direction = KPIS[code]
    random = np.random.default_rng([place, number])
    labels = [p.label for p in Period.parse(period).last(36)]
    values = level + noise * random.standard_normal(40)[-36 - (period == "2026-09") :][:36]
    state = STATES[(3 * place + 2 * number + (period == "2026-10") * (number == 1)) % len(STATES)]
    if state in ("concern", "improvement"):
        up = (state == "improvement") == (direction == "increase")
        values[-6:] += (2.5 if up else -2.5) * noise
    if unit == "%":
        values = np.clip(values, 0, 1)
    points = [
        {
            "period": label,
            "value": None if i == 7 else round(float(v), 4),
            "n": 240,
            "centre": level,
            "lower": level - 3 * noise,
            "upper": level + 3 * noise,
            "signal": ["astronomical"] if state == "concern" and i > 30 else [],
            "mature": not (state == "provisional" and i == 35),
            "phase": 0,
        }
        for i, (label, v) in enumerate(zip(labels, values, strict=True))
    ]
    if state == "withheld":
        points[-1]["value"] = 0.07771  # what a careless result might still hold
    value = points[-1]["value"]
    shown = "withheld" if state == "withheld" else words.value(value, unit, decimals)
    return {
        "code": code,
        "title": title,
        "unit": unit,
        "decimals": decimals,
        "direction": direction,
        "value": None if state == "withheld" else value,
        "numerator": 160,
        "denominator": 240,
        "interval": [value - noise, value + noise],
        "target": target,
        "state": state,
        "variation": state if state in ("concern", "improvement") else "common_cause",
        "side": ("high" if up else "low") if state in ("concern", "improvement") else "",
        "moved": {"since": labels[-6], "before": level, "after": float(np.mean(values[-6:]))}
        if state in ("concern", "improvement")
        else None,
        "met": None if target is None else bool((value >= target) == (direction == "increase")),
        "final_on": "2026-11-15" if state == "provisional" else None,
        "assurance": "none" if target is None else ("hit_or_miss", "fail", "pass")[(place + number) % 3],
        "p": {"concern": 0.0002 * (place + 1), "improvement": 0.003}.get(
            state, 0.4 if state == "common_cause" else None
        ),
        "p_meets_target_next": 0.4,
        "chart": {"kind": "p_prime", "reason": "large n", "rules": "nhs"},
        "points": points,
        "sentence": f"{title} was {shown}: read it with its history. {NASTY if place == 4 else ''}".strip(),
    }


def _gap() -> dict:
    return {
        "kpi": "first_contact_resolution",
        "explain": True,
        "answer": "local",
        "onset": {"period": "2026-05", "method": "change_point"},
        "grade": "B",
        "segments": [{"where": {"contact_channel": "phone"}, "excess": 84.0, "share": 0.62, "p_adjusted": 0.002}],
        "sentence": "Since May 2026 calls about invoices are solved less often; they carry 62% of the gap.",
    }


def _actions(period: str) -> list[dict]:
    return [
        {
            "id": "A-01",
            "title": "Call-back within the hour",
            "kpi": "first_contact_resolution",
            "owner": "Service manager",
            "due": "2026-08-31",
            "status": "in progress",
            "progress": {"share": 0.6, "overdue": True},
            "verdict": "too_early",
            "too_early_until": "2027-01-15",
            "next_step": "wait",
            "sentence": "Too early to tell: an effect of 3 points could be seen from January 2027.",
        },
        {
            "id": "A-02",
            "title": "New knowledge base",
            "kpi": "csat",
            "owner": "Quality assurance",
            "due": "2026-12-31",
            "status": "done",
            "progress": {"share": 1.0, "overdue": False},
            "goal": {"met": 0.97, "verdict": "met", "level": 0.83, "target": 0.8},
            "effect": {"estimate": 0.041, "interval": [0.02, 0.06], "p": 0.001, "unit": "%"},
            "next_step": "sustain",
            "verdict": "met_attributable",
            "grade": "A",
            "sentence": "Satisfaction rose by 4.1 points against its peers, more than chance would bring.",
        },
        {
            "id": "A-03",
            "title": f"A third {NASTY}",
            "kpi": "uptime",
            "owner": None,
            "due": None,
            "status": "planned",
            "progress": {},
            "verdict": "not_evaluable",
            "sentence": "",
        },
    ]


def _page(content, name, period, language, notebook):
    """A report's page, made from a notebook whose cells show real blocks."""
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    from tests.report.sample_blocks import blocks_of

    with words.use_language(language):
        cells = [
            new_code_cell(
                f"study.part({number})",
                execution_count=number,
                outputs=[new_output("execute_result", data=block._repr_mimebundle_(), execution_count=number)],
            )
            for number, block in enumerate(blocks_of(notebook, content), start=2)
        ]
        return render_notebook(
            new_notebook(cells=cells),
            title=words.say(f"notebook.{notebook}"),
            language=language,
            department=name,
            period=period,
            organisation="Harbour Services",
            provenance={"snapshot": "9f2c11ab0d4e", "as_of": content["as_of"], "versions": {"svclib": "0.1.0"}},
            links=page_links(notebook, language),
        )


def page_links(notebook, language):
    return {
        "portal": "../../index.html",
        "period": "../index.html",
        "department": "index.html",
        "notebook": f"{notebook}.ipynb",
        "glossary": f"../../glossary-{language}.html",
        **{n: f"{n}.html" for n in ("kpi_analysis", "root_cause_analysis", "outcome_evaluation")},
    }


def _failed_page(entry, name, period, language):
    return render_failure(
        entry["failure"],
        title=words.say(f"notebook.{entry['notebook']}", language),
        language=language,
        department=name,
        period=period,
        organisation="Harbour Services",
        links=page_links(entry["notebook"], language),
    )


def with_content(department, notebook, **content):
    report = department.reports[notebook]
    changed = replace(report, content={**report.content, **content})
    return replace(department, reports={**department.reports, notebook: changed})


def text_of(page):
    """What a reader sees, as one line."""
    document = html5lib.parse(page, namespaceHTMLElements=False)
    for hidden in ("head", "script", "style"):
        for element in document.iter(hidden):
            element.clear()
    return " ".join(" ".join(document.itertext()).split())

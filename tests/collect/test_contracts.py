"""Rows that break the contract: found, counted by reason, set aside with their place; too many stop the run."""

from __future__ import annotations

import csv
import datetime as dt

import pandas as pd
import pytest

from svclib.catalogue.models import Department, Kpi, Scale, Source
from svclib.collect.contracts import check_table, source_rules, table_schema
from svclib.errors import InputRefused

HEAD = "id,team,opened,closed\n"
GOOD = "1,D01,2026-01-05 08:00,2026-01-06 08:00\n"


def bad(snapshot, source="tickets") -> dict[str, int]:
    return snapshot.report(source)["bad"]


def quarantine(snapshot, source="tickets") -> list[dict[str, str]]:
    with snapshot.quarantine_path(source).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",D01,2026-01-05,", "missing:case_id"),
        ("2,D01,,", "missing:opened_at"),
        ("2,D01,soon,", "wrong_type:opened_at"),
        ("2,D01,2026-02-30 10:00,", "wrong_type:opened_at"),
        ("2,D01,2026-01-05,never", "wrong_type:resolved_at"),
        ("2,D01,2026-01-05 09:00,2026-01-05 08:59", "order:opened_at>resolved_at"),
        ("2,D09,2026-01-05 09:00,", "department_unknown"),
        ("2,,2026-01-05 09:00,", "department_missing"),
        ("2,D01,2026-11-23 00:00,", "future:opened_at"),
        ("2,D01,2026-01-05 09:00,2026-12-01 10:00", "future:resolved_at"),
        ("2,D01,1899-12-31 23:00,", "implausible:opened_at"),
        ("1,D02,2026-01-05 09:00,", "duplicate_key"),
        ("1,D01,2026-01-05 08:00,2026-01-06 08:00", "duplicate"),
        ("2,D01,2026-01-0", "malformed"),
        ("2,D01,2026-01-05,,extra", "malformed"),
    ],
)
def test_each_reason(snap, tickets, row, reason):
    snapshot = snap(tickets(HEAD + GOOD + row))
    assert bad(snapshot) == {reason: 1}
    report = snapshot.report("tickets")
    assert (report["read"], report["kept"], report["bad_rows"]) == (2, 1, 1)
    assert snapshot.rows("tickets")["case_id"].tolist() == ["1"]
    (line,) = quarantine(snapshot)
    assert (line["source_file"], line["row"], line["reasons"]) == ("tickets.csv", "3", reason)


def test_a_row_with_two_faults_is_one_row(snap, tickets):
    snapshot = snap(tickets(HEAD + GOOD + "2,D09,2026-01-05 09:00,2026-01-04 09:00\n"))
    assert bad(snapshot) == {"department_unknown": 1, "order:opened_at>resolved_at": 1}
    assert snapshot.report("tickets")["bad_rows"] == 1
    assert quarantine(snapshot)[0]["reasons"] == "order:opened_at>resolved_at; department_unknown"


def test_row_numbers_after_damaged_lines(snap, tickets):
    text = HEAD + GOOD + "x;y\n" + "2,D01,2026-01-05,\n" + "a,b,c,d,e\n" + "3,D09,2026-01-05,\n" + "4,D09,2026-01-05,\n"
    rows = {(line["row"], line["reasons"]) for line in quarantine(snap(tickets(text)))}
    assert rows == {("3", "malformed"), ("5", "malformed"), ("6", "department_unknown"), ("7", "department_unknown")}


def test_quarantine_keeps_what_stood_there_and_no_formula(snap, tickets):
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "comment": "said"}
    text = "id,team,opened,said\n1,D01,2026-01-05,ok\n2,D09,2026-01-05,\"=cmd|' /C calc'!A0\"\n3,@D,2026-01-05,+1\n"
    lines = quarantine(snap(tickets(text, columns=columns)))
    assert [line["comment"] for line in lines] == ["'=cmd|' /C calc'!A0", "'+1"]
    assert lines[1]["department"] == "'@D"


def test_a_formula_in_a_good_row_is_kept_as_it_is(snap, tickets):
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "comment": "said"}
    text = "id,team,opened,said\n1,D01,2026-01-05,=cmd|x\n"
    assert snap(tickets(text, columns=columns)).rows("tickets")["comment"].tolist() == ["=cmd|x"]


@pytest.mark.parametrize(
    "value", ["<img src=x onerror=alert(1)>", "../../x", "x" * 300, "🚑 naïve 部门", "a'b\"c; drop table t--"]
)
def test_strange_values_are_data(snap, tickets, value):
    quoted = '"' + value.replace('"', '""') + '"'
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "comment": "said", "place": "place"}
    text = f"id,team,opened,said,place\n{quoted},{quoted},2026-01-05,{quoted},{quoted}\n"
    departments = [Department(code="D01", name=value[:200], aliases=[value]), Department(code="D02", name="Other")]
    frame = snap(tickets(text, columns=columns, dimensions=["place"]), departments=departments).rows("tickets")
    assert frame[["case_id", "department", "comment", "place"]].to_numpy().tolist() == [[value, "D01", value, value]]


def test_departments_by_code_name_alias_and_case(snap, tickets):
    rows = "".join(
        f"{n},{team},2026-01-05,\n" for n, team in enumerate(["D02", "Field", " field TEAM ", "d02", "FIELD"])
    )
    snapshot = snap(tickets(HEAD + rows))
    assert snapshot.rows("tickets")["department"].tolist() == ["D02"] * 5
    assert bad(snapshot) == {}


def test_departments_of_rows_that_name_none(snap, tickets):
    text = HEAD + "1,,2026-01-05,\n2,D09,2026-01-05,\n3,D02,2026-01-05,\n"
    snapshot = snap(tickets(text, department_missing="D01", other_departments="leave_out"))
    assert snapshot.rows("tickets")[["department", "case_id"]].to_numpy().tolist() == [["D01", "1"], ["D02", "3"]]
    assert snapshot.report("tickets")["left_out"] == {"department_unknown": 1}
    assert bad(snapshot) == {}


def test_the_department_of_a_whole_source(snap, tickets):
    columns = {"case_id": "id", "opened_at": "opened"}
    assert snap(tickets(HEAD + GOOD, columns=columns, department="D02")).rows("tickets")["department"].tolist() == [
        "D02"
    ]
    with pytest.raises(InputRefused, match=r"names no department"):
        snap(tickets(HEAD + GOOD, columns=columns))
    only = [Department(code="D07", name="All")]
    assert snap(tickets(HEAD + GOOD, columns=columns), departments=only).rows("tickets")["department"].tolist() == [
        "D07"
    ]


def test_rows_that_are_not_meant(snap, tickets):
    text = (
        HEAD.strip()
        + ",kind\n1,D01,2026-01-05,,request\n2,D01,2026-01-05,,spam\n3,D09,nonsense,,spam\n4,D01,2026-01-05,,\n"
    )
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "kind": "kind"}
    snapshot = snap(tickets(text, columns=columns, where="kind = 'request'"))
    assert snapshot.rows("tickets")["case_id"].tolist() == ["1"]
    assert snapshot.report("tickets")["left_out"] == {"where": 3}
    assert bad(snapshot) == {}


def test_a_condition_cannot_hide_a_fault(snap, tickets):
    text = HEAD + "1,D01,2026-01-05,\n2,D01,nonsense,\n"
    snapshot = snap(tickets(text, where="opened_at > '2020-01-01'"))
    assert bad(snapshot) == {"wrong_type:opened_at": 1}


def test_a_condition_that_does_not_run(snap, tickets):
    with pytest.raises(InputRefused, match=r"where: .kindd = 1. does not run.*columns: case_id"):
        snap(tickets(HEAD + GOOD, where="kindd = 1"))


def test_too_many_bad_rows_stop_the_run(snap, folder, tickets):
    text = HEAD + "".join(f"{n},D01,2026-01-05,\n" for n in range(98)) + "98,D09,2026-01-05,\n99,D01,soon,\n"
    snap(tickets(text, max_bad_share=0.02))
    with pytest.raises(InputRefused) as refused:
        snap(tickets(text + "100,D01,later,\n", max_bad_share=0.02))
    message = str(refused.value)
    assert "3 of 101 rows (3.0%) are bad: wrong_type:opened_at 2, department_unknown 1" in message
    assert "tickets.csv row 100: department_unknown (department='D09')" in message
    assert len(list((folder / "snapshots").glob("[0-9a-f]*"))) == 1
    assert not list((folder / "snapshots").glob(".collecting*"))


def _cure(snap, source) -> str:
    with pytest.raises(InputRefused) as refused:
        snap(source)
    return refused.value.problems[0].cure


def test_dates_that_another_format_reads_are_told_with_it(snap, tickets):
    def export(day: str, count: int = 40) -> str:
        return HEAD + "".join(f"{n},D01,{day.format(1 + n % 28)},\n" for n in range(count))

    def cure(text: str, format: str) -> str:
        return _cure(snap, tickets(text, max_bad_share=0.02, dates={"opened_at": format}))

    said = cure(export("{:02d}/02/2026"), "%m/%d/%Y")
    assert said.startswith(
        "declare dates: {opened_at: \"%d/%m/%Y\"}: it reads 16 of the 16 values of 'opened' that are no"
    )
    said = cure(export("{:02d}/02/2026 08:30:15"), "%d/%m/%Y %H:%M")
    assert said.startswith('declare dates: {opened_at: "%d/%m/%Y"}: it reads 40 of the 40')
    both = HEAD + "".join(f"{n},D01,{1 + n % 28}/02/2026 08:30,{1 + n % 28}/02/2026 09:00\n" for n in range(40))
    told = dict.fromkeys(("opened_at", "resolved_at"), "%m/%d/%Y %H:%M")
    said = _cure(snap, tickets(both, max_bad_share=0.02, dates=told))
    assert said.startswith(
        'declare dates: {opened_at: "%d/%m/%Y", resolved_at: "%d/%m/%Y"}: it reads 32 of the 32 values'
    )
    said = cure(export("05/{:02d}/2026", count=12), "iso")
    assert said.startswith('declare dates: {opened_at: "%d/%m/%Y"} or {opened_at: "%m/%d/%Y"}, whichever is meant: ')
    said = cure(export("2026-01-{:02d}") + "90,D01,03.02.2026,\n91,D01,04.02.2026,\n", "iso")
    assert said.startswith(
        "make the column one format: the 2 values of 'opened' that are no date now are written as %d."
    )
    assert cure(export("day {}"), "iso") == "mend them at the source, or allow more than max_bad_share: 0.02"


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (["1,5", "20,75", "3"], "number", 'declare options: {decimal: ","}: it reads 2 of the 2 values of'),
        (["1,500", "2,750"], "number", 'declare options: {decimal: ","} or {thousands: ","}, whichever is meant: '),
        (["1.500,5", "2.000,25"], "number", 'declare options: {decimal: ",", thousands: "."}: '),
        (["1,500", "12,750"], "integer", 'declare options: {thousands: ","}: '),
        (["good", "1,5"], "number", "mend them at the source, or allow more than max_bad_share: 0.0"),
    ],
)
def test_numbers_that_other_options_read_are_told_with_them(snap, tickets, values, kind, said):
    text = "id,team,opened,closed,hours\n"
    text += "".join(f'{n},D01,2026-01-05,,"{value}"\n' for n, value in enumerate(values))
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "hours": "hours"}
    assert _cure(snap, tickets(text, max_bad_share=0.0, columns=columns, types={"hours": kind})).startswith(said)


def test_full_copies_do_not_stop_the_run(snap, tickets):
    snapshot = snap(tickets(HEAD + GOOD * 3, max_bad_share=0.0))
    assert bad(snapshot) == {"duplicate": 2}


def test_an_empty_source(snap, tickets):
    for text in (HEAD, "", "\n\n"):
        with pytest.raises(InputRefused, match=r"is empty"):
            snap(tickets(text))


def test_a_source_of_which_nothing_is_left(snap, tickets):
    with pytest.raises(InputRefused, match=r"no row of source 'tickets' is left: department_unknown 1"):
        snap(tickets(HEAD + "1,X,2026-01-05,\n", other_departments="leave_out"))


def test_all_faults_of_all_sources_at_once(snap, folder, tickets):
    (folder / "b.csv").write_text(HEAD)
    with pytest.raises(InputRefused) as refused:
        snap(tickets(HEAD + "1,D01,01/02/2026,\n"), tickets(name="b", read="b.csv"))
    assert len(refused.value.problems) == 2


def test_an_unclosed_quote_does_not_swallow_the_file(snap, tickets):
    rows = "".join(f"{n},D01,2026-01-05,\n" for n in range(2000))
    with pytest.raises(InputRefused, match=r"row 12: a quote opens and never closes"):
        snap(tickets(HEAD + rows[: rows.index("10,D01")] + '10,"D01,2026-01-05,\n' + rows))


def test_a_file_cut_inside_a_quoted_field(snap, tickets):
    assert bad(snap(tickets(HEAD + GOOD + '2,"D0'))) == {"malformed": 1}


def test_an_event_log_is_folded_to_one_row_a_case(snap, tickets):
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "resolved_at": "closed"}
    rows = "7,D01,2026-01-05 08:00,,10\n7,D02,2026-01-05 08:00,2026-01-06 08:00,9\n8,D01,2026-01-05 08:00,,1\n7,D09,bad,,2\n"
    text = HEAD.strip() + ",mods\n" + rows
    snapshot = snap(tickets(text, columns=columns, keep="last by mods"))
    assert snapshot.rows("tickets")[["case_id", "department"]].to_numpy().tolist() == [["7", "D01"], ["8", "D01"]]
    assert snapshot.report("tickets")["folded"] == 2
    assert bad(snapshot) == {}
    assert "_order" not in snapshot.rows("tickets")
    first = snap(tickets(text, columns=columns, keep="first by mods"))
    assert bad(first) == {"wrong_type:opened_at": 1, "department_unknown": 1}


def counts(text: str, folder, **changes) -> Source:
    (folder / "n.csv").write_text(text)
    columns = {"period": "month", "department": "team", "numerator": "num", "denominator": "den"}
    return Source(
        **{"name": "n", "shape": "counts", "read": "n.csv", "columns": columns, "max_bad_share": 1.0, **changes}
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-02,D01,5,4", "exceeds:numerator>denominator"),
        ("2026-02,D01,-1,4", "negative:numerator"),
        ("2026-02,D01,NaN,4", "not_finite:numerator"),
        ("2026-02,D01,1,inf", "not_finite:denominator"),
        ("2026-02,D01,1,-Infinity", "negative:denominator"),
        ('2026-02,D01,"1,5",4', "wrong_type:numerator"),
        ("2026-02,D01,1_0,40", "wrong_type:numerator"),
        ("2026-01,D01,2,4", "duplicate_key"),
        ("2027-01,D01,2,4", "future:period"),
    ],
)
def test_figures(snap, folder, row, reason):
    snapshot = snap(counts(f"month,team,num,den\n2026-01,D01,3,4\n{row}\n", folder))
    assert reason in bad(snapshot, "n")
    assert snapshot.report("n")["kept"] == 1


def test_a_rate_may_exceed_one(snap, folder):
    rate = Kpi(
        code="r",
        title="r",
        source="n",
        kind="rate",
        numerator="numerator",
        denominator="denominator",
        direction="decrease",
    )
    assert bad(snap(counts("month,team,num,den\n2026-01,D01,9,4\n", folder), kpis=[rate]), "n") == {}


def test_decimal_commas_and_thousands(snap, folder):
    text = 'month;team;num;den\n2026-01;D01;1.234,5;"2.000"\n'
    source = counts(text, folder, options={"decimal": ",", "thousands": "."})
    assert snap(source).rows("n")[["numerator", "denominator"]].to_numpy().tolist() == [[1234.5, 2000.0]]


def test_answers_outside_the_scale(snap, folder):
    (folder / "s.csv").write_text("at,team,score\n2026-01-05,D01,5\n2026-01-05,D01,99\n2026-01-05,D01,\n")
    source = Source(
        name="s", shape="responses", read="s.csv", max_bad_share=1.0,
        columns={"responded_at": "at", "department": "team", "score": "score"},
    )  # fmt: skip
    csat = Kpi(code="c", title="c", source="s", kind="score", value="score", scale=Scale(), direction="increase")
    assert bad(snap(source, kpis=[csat]), "s") == {"out_of_scale:score": 1}
    assert snap(source).report("s")["kept"] == 3


def test_copies_in_a_source_without_a_key_are_counted_and_kept(snap, folder):
    (folder / "s.csv").write_text("at,team,score\n" + "2026-01-05,D01,5\n" * 3)
    source = Source(
        name="s",
        shape="responses",
        read="s.csv",
        columns={"responded_at": "at", "department": "team", "score": "score"},
    )
    report = snap(source).report("s")
    assert (report["kept"], report["exact_copies"], report["bad"]) == (3, 2, {})


def test_types_of_other_columns(snap, tickets):
    header = "id,team,opened,code,number,share,flag,day,mix\n"
    rows = "1,D01,2026-01-05,010,12,0.5,true,2026-01-05,1\n2,D01,2026-01-05,020,,1e3,False,,x\n"
    extra = {name: name for name in ("code", "number", "share", "flag", "day", "mix")}
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", **extra}
    frame = snap(tickets(header + rows, columns=columns)).rows("tickets")
    assert frame["code"].tolist() == ["010", "020"]
    assert frame["number"].dtype == "Int64"
    assert frame["number"][0] == 12
    assert frame["share"].tolist() == [0.5, 1000.0]
    assert frame["flag"].tolist() == [True, False]
    assert frame["day"][0] == pd.Timestamp("2026-01-05")
    assert frame["mix"].tolist() == ["1", "x"]


def test_declared_types(snap, tickets):
    columns = {"case_id": "id", "department": "team", "opened_at": "opened", "code": "code"}
    text = "id,team,opened,code\n1,D01,2026-01-05,12\n2,D01,2026-01-05,twelve\n"
    assert snap(tickets(text, columns=columns, types={"code": "text"})).rows("tickets")["code"].tolist() == [
        "12",
        "twelve",
    ]
    assert bad(snap(tickets(text, columns=columns, types={"code": "integer"}))) == {"wrong_type:code": 1}


def test_missing_dimensions_are_empty_text(snap, tickets):
    text = "id,team,opened,channel\n1,D01,2026-01-05,\n2,D01,2026-01-05,Phone\n"
    columns = {"case_id": "id", "department": "team", "opened_at": "opened"}
    assert snap(tickets(text, columns=columns, dimensions=["channel"])).rows("tickets")["channel"].tolist() == [
        "",
        "Phone",
    ]


def test_silent_departments(snap, tickets):
    def days(team: str, *when: str) -> str:
        return "".join(f"{team}{day},{team},{day},\n" for day in when)

    regular = [f"2026-{month:02d}-05" for month in range(1, 11)]
    text = HEAD + days("D01", *regular) + days("D02", *regular[:5])
    silent = snap(tickets(text)).quality[0].silent
    assert [(s["department"], s["last"], s["days"]) for s in silent] == [("D02", "2026-05-05", 153)]
    assert snap(tickets(text, silent_after="200d")).quality[0].silent == []
    closed = [Department(code="D01", name="a"), Department(code="D02", name="b", closed=dt.date(2026, 5, 31))]
    assert snap(tickets(text), departments=closed).quality[0].silent == []


def test_gaps(snap, folder):
    text = "month,team,num,den\n" + "".join(f"2026-{m:02d},D01,1,2\n" for m in (1, 2, 5)) + "2026-03,D02,1,2\n"
    gaps = snap(counts(text, folder)).quality[0].gaps
    assert (gaps["unit"], gaps["expected"], gaps["missing"]) == ("month", 6, 2)
    assert gaps["shown"] == [
        {"department": "D01", "period": "2026-03-01"},
        {"department": "D01", "period": "2026-04-01"},
    ]


def test_quality_score_and_its_parts(snap, tickets):
    snapshot = snap(tickets(HEAD + GOOD + "2,D01,2026-01-07,\n3,D01,soon,\n" + GOOD))
    (quality,) = snapshot.quality
    assert quality.parts == {"valid": 0.75, "unique": 0.75, "complete": 1.0, "gapless": 1.0, "current": 1.0}
    assert quality.score == pytest.approx(0.5625)
    assert quality.completeness["resolved_at"] == 0.5
    coverage = snapshot.coverage("tickets")
    assert coverage[["department", "rows", "resolved_at"]].to_numpy().tolist() == [["D01", 2, 1]]


def test_the_pandera_schema_says_what_the_rules_say(snap, tickets):
    """What the SQL rules let pass fulfils the schema, and a table broken by hand does not."""
    import pandera.errors

    from svclib.collect.columns import Column

    source = tickets(HEAD + GOOD + "2,D02,2026-01-07 10:00,\n")
    frame = snap(source).rows("tickets")
    kinds = {"case_id": "text", "opened_at": "timestamp", "resolved_at": "timestamp"}
    columns = [Column(name, kind, name) for name, kind in kinds.items()]
    schema = table_schema(source, columns, ["D01", "D02"])
    check_table(frame, schema)
    broken = frame.copy()
    broken.loc[0, "resolved_at"] = pd.Timestamp("2025-01-01")
    broken.loc[1, "department"] = "D09"
    with pytest.raises(pandera.errors.SchemaErrors) as raised:
        check_table(broken, schema)
    assert set(raised.value.failure_cases["check"]) >= {"order:opened_at>resolved_at", "isin(['D01', 'D02'])"}
    assert "order:opened_at>resolved_at" in {rule.code for rule in source_rules(source, columns, [], None)}

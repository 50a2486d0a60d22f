"""Looking into files: types, dates that are not guessed, proposals, and answers to mistakes."""

from __future__ import annotations

import datetime as dt
import re

import openpyxl
import pytest

import svclib
from svclib.begin.guess import guess, own_name
from svclib.errors import InputRefused

HEAD = "Ticket;Created;Closed;Team;Channel;Priority level\n"


@pytest.fixture
def export(tmp_path):
    def write(rows: list[str], head: str = HEAD, name: str = "export.csv", encoding: str = "utf-8"):
        path = tmp_path / name
        path.write_text(head + "\n".join(rows) + "\n", encoding=encoding)
        return path

    return write


CLEAR = [(f"2025-01-{day:02d} 09:00", f"2025-01-{day + 1:02d} 10:00") for day in range(1, 29)]


def rows(dates: list[tuple[str, str]]) -> list[str]:
    return [
        f"{i};{opened};{closed};{('North', 'South')[i % 2]};{('Web', 'Phone')[i % 3 == 0]};{i % 3 + 1}"
        for i, (opened, closed) in enumerate(dates)
    ]


def test_a_help_desk_export_is_recognised(export):
    look = svclib.look_into(
        export(rows([(f"{d:02d}/03/2026 09:00", f"{d + 1:02d}/03/2026 10:30") for d in range(1, 28)]))
    )
    assert look.guess.shape == "cases"
    assert look.guess.columns == {
        "case_id": "Ticket", "opened_at": "Created", "department": "Team", "resolved_at": "Closed",
    }  # fmt: skip
    assert look.guess.dates == {"opened_at": "%d/%m/%Y", "resolved_at": "%d/%m/%Y"}
    assert look.guess.dimensions == {"channel": "Channel"}
    assert look.guess.extra == {"priority_level": "Priority level"}
    assert look.frame.set_index("column").loc["Team", "examples"] == "North, South"


def test_dates_that_can_be_read_in_two_ways_are_not_guessed(export):
    look = svclib.look_into(export(rows([(f"{d:02d}/03/2026", f"{d + 1:02d}/04/2026") for d in range(1, 12)])))
    created = look.column("Created")
    assert created.kind == "unclear_date"
    assert set(created.formats) >= {"%d/%m/%Y", "%m/%d/%Y"}
    assert "opened_at" not in look.guess.dates
    assert "nothing is guessed" in look.explain().plain
    with pytest.raises(InputRefused, match=r'dates: \{opened_at: "%d/%m/%Y"\}'):
        svclib.draft_source(look).check()
    written = {"opened_at": "%d/%m/%Y", "resolved_at": "%d/%m/%Y"}
    assert svclib.draft_source(look, dates=written).check().runs


def test_a_whole_column_decides_the_format(export):
    found = [("03/13/2026", "03/14/2026"), *((f"03/{d:02d}/2026", f"03/{d + 1:02d}/2026") for d in range(14, 28))]
    look = svclib.look_into(export(rows(found)))
    assert look.guess.dates == {"opened_at": "%m/%d/%Y", "resolved_at": "%m/%d/%Y"}


@pytest.mark.parametrize(
    ("head", "row", "shape"),
    [
        ("Survey id,Sent,Answered,Score,Office\n", "{i},2026-03-{d:02d},2026-03-{d:02d},{s},A{s}", "responses"),
        ("Id,Start,End,Service\n", "{i},2026-03-{d:02d} 01:00,2026-03-{d:02d} 02:00,S{s}", "outages"),
        ("Date,Team,Passed\n", "2026-03-{d:02d},T{s},yes", "observations"),
        ("Date,CallsOffered,CallsAbandoned\n", "2026-03-{d:02d},{s}00,{s}", "counts"),
        ("Nr,Opened on,Text\n", "{i},2026-03-{d:02d},words {i}", "cases"),
        ("Nr,Text\n", "{i},words {i}", None),
    ],
)
def test_the_shape_is_told_from_names_and_types(export, head, row, shape):
    look = svclib.look_into(export([row.format(i=i, d=i % 28 + 1, s=i % 5 + 1) for i in range(1, 26)], head))
    assert look.guess.shape == shape
    if shape is None:
        assert "No column holds dates" in look.explain().plain
        with pytest.raises(InputRefused, match="no column holds dates"):
            svclib.draft_source(look)


def test_codes_stay_text_and_places_are_no_figures(export):
    rows_ = [f"2026-03-{d:02d};0{d:02d};49.{d};{d}" for d in range(1, 28)]
    look = svclib.look_into(export(rows_, "Opened;Cost centre;Latitude;Touches\n"))
    assert look.column("Cost centre").kind == "text"
    assert look.guess.extra == {"touches": "Touches"}


def test_a_workbook_asks_for_its_sheet_and_reads_real_dates(tmp_path):
    import datetime as dt

    book = openpyxl.Workbook()
    book.active.title = "Read me"
    sheet = book.create_sheet("Data")
    sheet.append(["Ref", "Opened", None, "Team"])
    for day in range(1, 12):
        sheet.append([day, dt.datetime(2026, 3, day, 9, 30), None, "A" if day % 2 else "B"])
    book.save(tmp_path / "book.xlsx")
    with pytest.raises(InputRefused, match="'Data'"):
        svclib.look_into(tmp_path / "book.xlsx")
    look = svclib.look_into(tmp_path / "book.xlsx", "Data")
    assert look.guess.columns == {"case_id": "Ref", "opened_at": "Opened", "department": "Team"}
    assert look.column("").kind == "nameless"


def test_names_that_stand_twice_cannot_be_mapped(export):
    path = export([f"2026-03-{d:02d};{d};{d}" for d in range(1, 9)], "Opened;Note;Note\n")
    look = svclib.look_into(path)
    assert [c.kind for c in look.found.columns] == ["date", "twice", "twice"]
    with pytest.raises(InputRefused, match="'Note' twice"):
        svclib.draft_source(look, columns={"opened_at": "Opened", "case_id": "#row", "note": "Note"})


def test_damaged_lines_are_counted(export):
    look = svclib.look_into(export([*rows([("2026-03-01", "2026-03-02")] * 5), "too;few"]))
    assert (look.found.rows, look.found.rejected) == (5, 1)
    assert "cannot be read as a row" in look.explain().plain


def test_mistakes_are_answered_with_the_nearest_name(export):
    path = export(rows([("2026-03-01", "2026-03-02")] * 3))
    for call, cure in [
        (lambda: svclib.look_into(path.with_name("exprt.csv")), "export.csv"),
        (lambda: svclib.look_into(path, options={"seperator": ";"}), "sep"),
        (lambda: svclib.look_into(path, language="fr"), "it"),
        (lambda: svclib.look_into(path).column("Tem"), "Team"),
    ]:
        with pytest.raises(InputRefused) as refused:
            call()
        assert cure in refused.value.problems[0].cure


def test_a_file_of_another_encoding_says_which_to_name(export):
    path = export([*rows([("2026-03-01", "2026-03-02")] * 3), "9;2026-03-01;;Qualità;Web;1"], encoding="cp1252")
    with pytest.raises(InputRefused, match="cp1252"):
        svclib.look_into(path)
    assert "Qualità" in svclib.look_into(path, options={"encoding": "cp1252"}).column("Team").values


def test_what_is_shown_escapes_what_the_file_holds(export):
    look = svclib.look_into(export(rows([("2026-03-01", "2026-03-02")] * 3), HEAD.replace("Team", "<script>Team")))
    assert "<script>" not in look.explain().html


def test_own_names_are_like_no_name_that_svclib_knows():
    assert own_name("Opened  at.") == "opened_at"
    assert own_name("resolved_att") == "resolved_att_of_file"
    assert own_name("24h") == "c_24h"


@pytest.mark.parametrize(
    "header",
    ["Status", "State", "Closure reason", "close_code", "Resolution", "Outcome", "Result", "Solved", "Disposition",
     "Stato", "Esito", "Motivo chiusura"],
)  # fmt: skip
def test_how_a_case_ended_is_no_dimension(export, header):
    body = [f"{i};2025-01-{1 + i % 28:02d};2025-02-{1 + i % 28:02d};{'ab'[i % 2]};{'xyz'[i % 3]}" for i in range(60)]
    look = svclib.look_into(export(body, f"Ticket;Created;Closed;{header};Channel\n"))
    assert look.guess.dimensions == {"channel": "Channel"}
    assert header in look.guess.extra.values()  # conditions can use it
    draft = svclib.draft_source(look)
    assert f"“{header}” tells how a case ended" in draft.explain().plain
    asked = svclib.draft_source(look, dimensions={"ending": header})
    assert "how a case ended" not in asked.explain().plain


@pytest.mark.parametrize("header", ["United States office", "Statement", "Reason", "Closest branch", "Priority"])
def test_other_names_stay_dimensions(export, header):
    body = [f"{i};2025-01-{1 + i % 28:02d};2025-02-{1 + i % 28:02d};{'ab'[i % 2]};{'xyz'[i % 3]}" for i in range(60)]
    look = svclib.look_into(export(body, f"Ticket;Created;Closed;{header};Team\n"))
    assert header in [*look.guess.dimensions.values(), look.guess.columns.get("department")]


def test_several_files_are_looked_into_and_drafted_as_one_pattern(export):
    first = export(rows(CLEAR), name="a.csv")
    export(rows(CLEAR)[:3], name="b.csv")
    look = svclib.look_into(first.parent / "*.csv")
    assert look.found.rows == len(CLEAR) + 3
    draft = svclib.draft_source(look, columns={**look.guess.columns, "case_id": "#row"})
    assert draft.source["read"].endswith("/*.csv")
    assert draft.check().facts.read == len(CLEAR) + 3


def test_a_folder_and_a_list_say_how_several_files_are_read(export):
    folder = export(rows(CLEAR)).parent
    for given, cure in (
        (folder, f"look_into('{folder.name}/*.csv')"),
        ([folder / "export.csv"], "look_into('exports/*.xlsx')"),
    ):
        with pytest.raises(InputRefused) as refused:
            svclib.look_into(given)
        assert cure in refused.value.problems[0].cure
        assert "'read: " in refused.value.problems[0].cure


def test_a_wrong_separator_is_told_once(export):
    path = export(rows(CLEAR))
    with pytest.raises(InputRefused, match=r"has only one column with sep ',', and 6 with ';'.*Cure: write sep: ';'"):
        svclib.look_into(path, options={"sep": ","})


def test_a_shape_can_be_given(export):
    look = svclib.look_into(export(rows([("2026-03-01", "2026-03-02")] * 5)))
    assert guess(look.found, "counts").columns["period"] in ("Created", "Closed")
    with pytest.raises(InputRefused, match="write 'cases'"):
        svclib.draft_source(look, shape="case")


def figures(export, values: list[str], **options):
    """A look at one column of figures."""
    look = svclib.look_into(export([f"2026-01-{d:02d};{v}" for d, v in enumerate(values, 1)], "Day;Calls\n"), **options)
    return look.column("Calls"), look.explain().plain


def test_a_point_that_could_part_thousands_is_no_silent_decimal(export):
    found, said = figures(export, ["920", "1.353", "12.001", "7"])
    assert (found.kind, found.signs) == ("number", "point")
    assert 'options={"thousands": ".", "decimal": ","}' in said
    found, said = figures(export, ["920", "1.353"], options={"thousands": ".", "decimal": ","})
    assert (found.signs, found.total) == ("", 2273)
    assert "thousands" not in said


@pytest.mark.parametrize("values", [["0.920", "1.353"], ["1.353", "2.5"], ["920", "1353"], ["a", "1.353"]])
def test_points_that_cannot_part_thousands_raise_no_doubt(export, values):
    assert figures(export, values)[0].signs == ""


def test_a_decimal_comma_is_pointed_out(export):
    found, said = figures(export, ["398,14", "1200,5", "7"])
    assert (found.kind, found.signs) == ("text", "comma")
    assert 'options={"decimal": ","}' in said
    found, said = figures(export, ["398,14", "1.200,5", "7"])  # the comma alone would not read the second
    assert (found.kind, found.signs) == ("text", "both")
    assert 'options={"decimal": ",", "thousands": "."}' in said
    both = {"decimal": ",", "thousands": "."}
    assert figures(export, ["398,14", "1.200,5", "7"], options=both)[0].kind == "number"
    assert figures(export, ["398,14", "7"], options={"decimal": ","})[0].kind == "number"


def test_a_per_cent_sign_is_pointed_out_with_what_reads_the_number(export):
    found, said = figures(export, ["71,5 %", "80%", "99 %"])
    assert (found.kind, found.signs) == ("text", "percent")
    assert "cast(replace(replace(calls, '%', ''), ',', '.') as double) / 100" in said


@pytest.mark.parametrize("header", ["Vorgang", "Pratica", "Case"])
def test_the_number_of_a_case_is_found_by_its_name_in_other_languages(export, header):
    cases = [f"{i:06d};2026-01-{1 + i % 28:02d}T09:00;2026-01-{1 + i % 28:02d}T12:00" for i in range(60)]
    look = svclib.look_into(export(cases, f"{header};Opened;Closed\n"))
    assert look.guess.columns["case_id"] == header


@pytest.mark.parametrize(
    ("opened", "told"),
    [
        ([f"{45_000 + i}" for i in range(40)], "'Opened' holds numbers such as 45000. Cure: if these are the day numbers"),
        (
            [f"2026-01-{1 + i % 28:02d}" if i % 2 else f"{1 + i % 28:02d}/01/2026" for i in range(40)],
            "'Opened' is written in several ways (iso and %d/%m/%Y)",
        ),
        ([f"{1 + i % 28:02d}/01/2026" if i % 5 else "soon" for i in range(40)], "no column holds dates that svclib knows. Cure: say"),
    ],
)  # fmt: skip
def test_what_are_no_dates_yet_says_why(export, opened, told):
    look = svclib.look_into(export([f"{i};{day};x" for i, day in enumerate(opened)], "No;Opened;Team\n"))
    with pytest.raises(InputRefused, match=re.escape(told)):
        svclib.draft_source(look)


def test_dates_with_the_name_of_the_month_are_read_where_all_values_fit(export):
    days = [f"{d};Jun {d:02d} 2025 0{d % 9 + 1}:53 PM;{d % 5 + 1}" for d in range(1, 29)]
    look = svclib.look_into(export(days, "Response;Submitted;Score\n"))
    assert look.guess.shape == "responses"
    assert look.guess.dates == {"responded_at": "%b %d %Y %I:%M %p"}
    quality = svclib.draft_source(look).check()
    assert (quality.facts.kept, quality.facts.first) == (28, dt.date(2025, 6, 1))
    odd = svclib.look_into(export([*days, "29;soon;3"], "Response;Submitted;Score\n"))
    assert odd.column("Submitted").kind == "text", "one that does not fit, and nothing is guessed"
    months = svclib.look_into(export([f"{m} 2026;3;4" for m in ("Jan", "Feb", "March")], "Month;Calls;Lost\n"))
    assert months.guess.shape is None, "two ways to write a month"


def test_where_no_date_is_known_the_next_step_names_the_likely_column(export):
    months = [f"{month}-{year};{team};{n}" for n, month in enumerate(("Jan", "Feb", "Mar")) for year in (24, 25) for team in "AB"]  # fmt: skip
    look = svclib.look_into(export(months, "Month;Team;Calls\n"))
    assert look.guess.shape is None
    call = 'draft = svclib.draft_source(look, dates={"Month": "%d/%m/%Y %H:%M"})'
    assert call in look.explain().plain
    with pytest.raises(InputRefused) as caught:
        svclib.draft_source(look)
    assert caught.value.problems[0].cure == call
    draft = svclib.draft_source(look, shape="counts", dates={"Month": "%b-%y"})
    assert (draft.source["dates"], draft.source["columns"]["period"]) == ({"period": "%b-%y"}, "Month")
    assert draft.check().facts.kept == 12


def test_a_file_of_a_header_is_told_as_one(export):
    look = svclib.look_into(export([]))
    assert "no rows" in look.explain().plain
    with pytest.raises(InputRefused, match=r"holds no rows\. Cure: export it again"):
        svclib.draft_source(look)


def test_several_files_are_counted(export):
    path = export(rows(CLEAR), name="one.csv")
    export(rows(CLEAR), name="two.csv")
    assert "*.csv (2 files): 56 rows" in svclib.look_into(path.parent / "*.csv").explain().plain


def test_many_departments_are_not_all_listed(export):
    teams = [f"{i};2026-01-{i % 28 + 1:02d};Team {i % 20:02d}" for i in range(60)]
    said = svclib.draft_source(svclib.look_into(export(teams, "Nr;Opened;Team\n"))).explain().plain
    assert "20 departments: Team 00, " in said
    assert "Team 10 and 9 more." in said


def test_both_questions_of_a_survey_are_proposed(export):
    head = "Id;Answered;Office;How satisfied are you?;Would you recommend us?;Rating of the room\n"
    answers = [f"{i};2026-0{i % 3 + 1}-{i % 28 + 1:02d};A{i % 2};{i % 5 + 1};{i % 11};{i % 5 + 1}" for i in range(60)]
    draft = svclib.draft_source(svclib.look_into(export(answers, head)))
    found = {kpi["code"]: (kpi["value"], kpi["scale"]["measure"]) for kpi in draft.proposals}
    assert found == {
        "satisfaction": ("score", "csat"),
        "promoters": ("would_you_recommend_us", "nps"),
        "rating_of_the_room": ("rating_of_the_room", "csat"),
    }
    assert svclib.draft_kpi(draft, "promoters").chart("promoters")


def test_marks_from_one_to_ten_are_no_promoters(export):
    answers = [f"{i};2026-01-{i % 28 + 1:02d};A{i % 2};{i % 10 + 1}" for i in range(60)]
    draft = svclib.draft_source(svclib.look_into(export(answers, "Id;Answered;Office;Voto\n")))
    assert [kpi["kind"] for kpi in draft.proposals] == ["mean"]


def test_a_title_above_the_heads_is_suspected_and_can_be_left_out(export):
    path = export(rows(CLEAR), head="Ticket report\nGenerated;2026-10-01\n\n" + HEAD)
    said = svclib.look_into(path).explain().plain
    assert "rows in one column." in said
    assert 'options={"skip_rows": 3}' in said
    assert svclib.look_into(path, options={"skip_rows": 3}).guess.shape == "cases"

"""params/ is read strictly: every fault with file, line and cure, and all of them at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from svclib.catalogue.load import FILES, json_schemas, load_catalogue
from svclib.errors import InputRefused


def refused(folder: Path) -> list[str]:
    with pytest.raises(InputRefused) as caught:
        load_catalogue(folder)
    return [str(problem) for problem in caught.value.problems]


def test_a_sound_folder_loads(write_params):
    catalogue = load_catalogue(write_params())
    assert [d.code for d in catalogue.departments] == ["D01", "D02"]
    assert catalogue.kpi("fcr").targets[0].value == 0.7
    assert catalogue.locate("kpis", "fcr", "numerator") == "params/kpis.yaml:5"


def test_no_params_folder(tmp_path):
    (message,) = refused(tmp_path / "nowhere")
    assert "there is no such params folder" in message
    assert "svclib sample" in message


def test_a_missing_file_is_told(write_params):
    assert any("params/kpis.yaml: is missing" in line for line in refused(write_params(kpis=None)))


@pytest.mark.parametrize(
    ("raw", "cure"),
    [("010", '"010"'), ("NO", '"NO"'), ("2024-01-31", '"2024-01-31"'), ("12", '"12"'), ("1.5", '"1.5"')],
)
def test_codes_that_yaml_would_change_are_errors(write_params, raw, cure):
    (message,) = refused(write_params(departments=f"- code: {raw}\n  name: Support\n"))
    assert message.startswith("params/departments.yaml:1: ")
    assert raw in message
    assert message.endswith(f"put it in quotes: {cure}")


@pytest.mark.parametrize("raw", ["1e3", "2024-01", '"010"', "'NO'", "0x", "1_0a"])
def test_codes_that_yaml_leaves_alone_stay_as_written(write_params, raw):
    folder = write_params(departments=f"- code: {raw}\n  name: Support\n")
    assert load_catalogue(folder).departments[0].code == raw.strip("\"'")


@pytest.mark.parametrize(
    "code", ["../../x", "a/b", ".hidden", "<img src=x onerror=alert(1)>", "a\\\\b", "x.", "", " a", "a" * 70]
)
def test_codes_that_could_escape_or_hide_are_errors(write_params, code):
    (message,) = refused(write_params(departments=f'- code: "{code}"\n  name: Support\n'))
    assert "is no code" in message


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "../../x", "N" * 300, "🏥 Emergency", "=cmd|' /C calc'!A0", "{{7*7}} $x$"]
)
def test_names_may_be_anything_a_person_writes(write_params, name):
    folder = write_params(departments=f"- code: D01\n  name: {json.dumps(name, ensure_ascii=False)}\n")
    assert load_catalogue(folder).departments[0].name == name


def test_all_faults_of_all_files_at_once(write_params, texts):
    messages = refused(
        write_params(
            organisation="nam: X\n",
            kpis=texts["kpis.yaml"].replace("title", "titel").replace("proportion", "proprotion"),
        )
    )
    assert "params/organisation.yaml:1: unknown key 'nam'. Cure: write 'name'" in messages
    assert "params/kpis.yaml:2: unknown key 'titel' (in 'fcr'). Cure: write 'title'" in messages
    assert any(
        "params/kpis.yaml:4: kind: 'proprotion' is not one of" in m and m.endswith("write 'proportion'")
        for m in messages
    )
    assert any("the key 'name' is missing" in m for m in messages)


def test_a_key_said_twice(write_params):
    (message,) = refused(write_params(organisation="name: A\nname: B\n"))
    assert message == "params/organisation.yaml:2: the key 'name' stands here a second time. Cure: keep one of the two"


def test_broken_yaml_names_the_line(write_params):
    (message,) = refused(write_params(organisation="name: [A\n"))
    assert message.startswith("params/organisation.yaml:2: is no YAML here")


def test_not_utf8(write_params):
    folder = write_params()
    (folder / "organisation.yaml").write_bytes("name: Zürich\n".encode("cp1252"))
    (message,) = refused(folder)
    assert "is not UTF-8" in message


def test_a_file_nobody_reads(write_params):
    folder = write_params()
    (folder / "kpi.yaml").write_text("[]")
    (message,) = refused(folder)
    assert message == "params/kpi.yaml: is read by nobody. Cure: rename it to 'kpis.yaml'"
    (folder / "kpi.yaml").rename(folder / "run.yml")
    assert refused(folder) == ["params/run.yml: is read by nobody. Cure: rename it to 'run.yaml'"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("kpis", "", "params/kpis.yaml:1: is empty. Cure: begin each entry with '- '"),
        ("kpis", "code: csat\n", "params/kpis.yaml:1: holds no list of entries. Cure: begin each entry with '- '"),
        ("organisation", "", "params/organisation.yaml:1: is empty. Cure: write its keys"),
        ("organisation", "- name: A\n", "params/organisation.yaml:1: holds no keys. Cure: write its keys"),
        ("departments", '- "D01"\n', "params/departments.yaml:1: 'D01' stands where an entry with keys is expected"),
        ("organisation", 'name: "A\nlanguage: en\n', "params/organisation.yaml:1: is no YAML here"),
        ("organisation", "name: A: B\n", "quotes, or check the indentation"),
        ("organisation", "name: A\n\tlanguage: en\n", "Cure: "),
    ],
)
def test_a_file_of_another_form_is_told_without_the_words_of_a_library(write_params, file, text, said):
    folder = write_params()
    (folder / f"{file}.yaml").write_text(text)
    messages = refused(folder)
    assert any(said in message for message in messages), messages
    assert not any("valid" in message or "instance" in message for message in messages)


def test_sql_that_is_none_is_shown_where_it_breaks(write_params, texts):
    messages = refused(write_params(kpis=re.sub("numerator: .*", "numerator: contacts = = 1", texts["kpis.yaml"])))
    assert "from '=' on. Cure: write a condition or a number" in messages[0]
    assert "sqlglot" not in messages[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("direction: increase", "direction: up"), "Cure: write 'increase'"),
        (("direction: increase", "direction: lower"), "Cure: write 'decrease'"),
        (("2026-01-01", "2024-13-01"), "'2024-13-01' is no day of the calendar. Cure: write a date as 2026-10-31"),
        (("contacts = 1", "contcts = 1"), "params/kpis.yaml:5: numerator: no column 'contcts'. Cure: write 'contacts'"),
        (("contacts = 1", "contacts = "), "is no SQL expression"),
        (("contacts = 1", "sum(contacts)"), "is an aggregate"),
        (("contacts = 1", "(select 1)"), "not allowed"),
        (("contacts = 1", "1; drop table tickets"), "one expression is expected"),
        (("source: tickets", "source: ticket"), "params/kpis.yaml:3: 'ticket' is no source. Cure: write 'tickets'"),
        (("value: 0.7", "value: 70"), "can never be reached"),
        (("  direction: increase\n", "  direction: up\n"), "'up' is not one of"),
        (("  numerator: contacts = 1\n", ""), "a KPI of kind proportion needs numerator"),
        (("  numerator: contacts = 1\n", "  numerator: contacts = 1\n  cohort: open_at\n"), "has no column 'open_at'"),
        (("  numerator: contacts = 1\n", "  numerator: contacts = 1\n  dimensions: [chanel]\n"), "write 'channel'"),
        (("  numerator: contacts = 1\n", "  numerator: contacts = 1\n  maturity: two weeks\n"), "write a duration as"),
        (("  numerator: contacts = 1\n", "  numerator: contacts = 1\n  minimum_n: ten\n"), "minimum_n"),
        (("from: 2026-01-01", "from: 01/02/2026"), "write a date as 2026-10-31"),
    ],
)
def test_faults_of_a_kpi(write_params, change, expected, texts):
    messages = refused(write_params(kpis=texts["kpis.yaml"].replace(*change)))
    assert any(expected in message for message in messages), messages
    assert all(message.startswith("params/kpis.yaml:") for message in messages)


def test_what_a_run_would_stumble_over_is_refused_at_once(write_params, texts):
    organisation = "name: X\nlanguage: fr\nworking_calendar:\n  holidays: XX\n"
    kpi = "- code: m\n  title: M\n  source: tickets\n  kind: mean\n  value: channel\n  direction: increase\n"
    run = "notebooks:\n  - kpi_analisys\n  - start\n  - own_data\n"
    folder = write_params(organisation=organisation, kpis=kpi, run=run)
    expected = [
        ("organisation.yaml:2", "no reports can be written in the language 'fr'", "known: en, it"),
        ("organisation.yaml:4", "holidays: no country 'XX' is known", "write the two letters of a country"),
        ("kpis.yaml:5", "value: 'channel' is text, and a number is needed", "such as contacts"),
        ("run.yaml:2", "the notebook 'kpi_analisys' does not exist", "write 'kpi_analysis'"),
        ("run.yaml:3", "the notebook 'start' makes no report", "known: kpi_analysis, outcome_evaluation, root_cause"),
        ("run.yaml:4", "the notebook 'own_data' makes no report", "known: kpi_analysis"),
    ]
    for message, (where, what, cure) in zip(refused(folder), expected, strict=True):
        assert message.startswith(f"params/{where}: {what}")
        assert cure in message


@pytest.mark.parametrize("language", ["en", "it", "it-CH", "en_GB"])
@pytest.mark.parametrize("holidays", ["IT", "GB", "CA-BC", "USA"])
def test_languages_and_holidays_that_are_known(write_params, language, holidays):
    text = f"name: X\nlanguage: {language}\nworking_calendar: {{holidays: {holidays}}}\n"
    assert load_catalogue(write_params(organisation=text, run="notebooks: [kpi_analysis]\n"))


def test_an_unknown_region_of_a_country(write_params):
    (message,) = refused(write_params(organisation="name: X\nworking_calendar: {holidays: CA-BX}\n"))
    assert message.startswith("params/organisation.yaml:2: holidays: 'CA' has no region 'BX'. Cure: write 'CA-")


SHARE = "write 0.8 for 80 %"
BODIES = {
    "proportion": "kind: proportion\n  numerator: contacts = 1",
    "csat": "kind: score\n  value: contacts\n  scale: {measure: csat}",
    "within": "kind: time_to_event\n  event: resolved_at\n  statistic: within\n  within: 5d\n  maturity: 5d",
    "rate": "kind: rate\n  numerator: contacts\n  denominator: contacts",
    "nps": "kind: score\n  value: contacts\n  scale: {measure: nps, low: 0, high: 10}",
    "count": "kind: count",
    "time": "kind: time_to_event\n  event: resolved_at",
    "mean": "kind: mean\n  value: contacts",
}


def kpi_of(body: str, unit: str = "%", value: float | None = None, more: str = "") -> str:
    target = "" if value is None else f"  targets: [{{value: {value}, from: 2026-01-01}}]\n"
    return f'- code: k\n  title: K\n  source: tickets\n  direction: increase\n  unit: "{unit}"\n{target}{more}  {BODIES[body]}\n'


@pytest.mark.parametrize(
    ("kpi", "line", "expected"),
    [
        (kpi_of("proportion", value=80), 6, SHARE),
        (kpi_of("proportion", "", 80), 6, SHARE),
        (kpi_of("proportion", value=-0.1), 6, SHARE),
        (kpi_of("csat", value=80), 6, SHARE),
        (kpi_of("within", value=80), 6, SHARE),
        (kpi_of("rate", value=80), 6, f"{SHARE}; if more than 100 % is possible, say so: 'possible: [0, 2]'"),
        (kpi_of("mean", value=95), 6, "write 0.95 for 95 %"),
        (kpi_of("proportion", value=80, more="  possible: [0, 100]\n"), 7, "write [0, 1], or leave it out"),
        (kpi_of("rate", more="  per: 100\n"), 6, "leave per out (0.95 is shown as 95 %), or write 'unit: per 100'"),
        (kpi_of("nps"), 5, "name what is counted or measured"),
        (kpi_of("count"), 5, "name what is counted or measured"),
        (kpi_of("time"), 5, "name what is counted or measured"),
        (kpi_of("time", "hrs"), 5, "times cannot be counted in 'hrs'. Cure: write one of min, h, d, w"),
        (kpi_of("nps", "points", 300), 6, "mend the target"),
    ],
)
def test_figures_that_are_on_another_scale_than_the_kpi_are_refused(write_params, kpi, line, expected):
    (message,) = refused(write_params(kpis=kpi))
    assert message.startswith(f"params/kpis.yaml:{line}: ")
    assert expected in message


@pytest.mark.parametrize(
    "kpi",
    [
        kpi_of("proportion", value=1.0),
        kpi_of("csat", value=0.8),
        kpi_of("rate", value=0.95),
        kpi_of("rate", value=1.05, more="  possible: [0, 2]\n"),
        kpi_of("rate", "per 100", 95, "  per: 100\n"),
        kpi_of("nps", "points", -30),
        kpi_of("time", "h", 36),
    ],
)
def test_figures_on_the_scale_of_the_kpi_are_accepted(write_params, kpi):
    assert load_catalogue(write_params(kpis=kpi)).kpi("k")


@pytest.mark.parametrize(("more", "decimals"), [("", 1), ("  decimals: 2\n", 2)])
def test_an_nps_has_one_decimal_unless_declared(write_params, more, decimals):
    assert load_catalogue(write_params(kpis=kpi_of("nps", "points", -30, more))).kpi("k").decimals == decimals


@pytest.mark.parametrize("maturity", ["  maturity: 5d\n", ""])
def test_a_maturity_shorter_than_within_is_refused(write_params, texts, maturity):
    kpi = (
        texts["kpis.yaml"]
        .replace("proportion", "time_to_event")
        .replace("numerator: contacts = 1", "event: resolved_at")
    )
    folder = write_params(kpis=kpi + "  statistic: within\n  within: 10d\n" + maturity)
    (message,) = refused(folder)
    assert message.startswith(f"params/kpis.yaml:{10 if maturity else 1}: the maturity of 'fcr' is shorter than within")
    assert message.endswith("write 'maturity: 10d' or longer")


def test_duplicate_department_codes_name_both_lines(write_params):
    text = '- code: "D01"\n  name: A\n- code: "D01"\n  name: B\n'
    (message,) = refused(write_params(departments=text))
    assert message.startswith(
        "params/departments.yaml:1, params/departments.yaml:3: the code 'D01' is declared 2 times"
    )


def test_a_duplicated_code_hides_its_consequences(write_params, texts):
    events = "- {date: 2026-01-01, title: Move, departments: [D02]}\n"
    plan = "id,department,kpi,gap,objective,start,due\nA1,D02,fcr,G,O,2026-01-01,2026-06-01\n"
    text = texts["departments.yaml"].replace('"D02"', '"D01"') + '- code: "D03"\n  name: Third\n  peers: ["D02"]\n'
    folder = write_params(departments=text, events=events)
    (folder / "action_plan.csv").write_text(plan)
    (message,) = refused(folder)
    assert "the code 'D01' is declared 2 times" in message


def test_a_dimension_that_only_hypotheses_spell_otherwise_names_both_places(write_params, texts):
    hypotheses = "".join(
        f"- code: h{i}\n  category: People\n  cause: C\n  test: {{channel: {value}}}\n"
        for i, value in enumerate(["web", "x"])
    )
    folder = write_params(sources=texts["sources.yaml"].replace("[channel]", "[chanel]"), hypotheses=hypotheses)
    (message,) = refused(folder)
    places = "params/sources.yaml:6, params/hypotheses.yaml:4, params/hypotheses.yaml:8"
    assert message.startswith(f"{places}: 'channel' is no dimension of the KPIs' sources; 'tickets' has 'chanel'")
    right = hypotheses.replace("channel: x", "chanel: x")
    (message,) = refused(write_params(hypotheses=right))  # the other one shows which is meant
    assert message.startswith("params/hypotheses.yaml:8: 'chanel' is no dimension")
    assert message.endswith("write 'channel'")


def test_codes_that_differ_only_in_case(write_params):
    text = '- code: "D01"\n  name: A\n- code: "d01"\n  name: B\n'
    assert any(
        "differs from another only in upper and lower case" in m for m in refused(write_params(departments=text))
    )


def test_an_unknown_peer_and_a_wrong_zone(write_params):
    messages = refused(
        write_params(
            organisation="name: X\ntime_zone: Europe/Roma\n",
            departments='- code: "D01"\n  name: A\n  peers: ["D2"]\n',
        )
    )
    assert any("'Europe/Roma' is no time zone" in m for m in messages)
    assert any("the peer 'D2' is no department" in m for m in messages)


def test_a_misspelt_column_of_the_shape(write_params, texts):
    messages = refused(write_params(sources=texts["sources.yaml"].replace("resolved_at:", "resolvd_at:")))
    assert any(m.endswith("write 'resolved_at', or choose a name less like it") for m in messages)


def test_there_is_a_schema_for_each_file_and_it_completes_keys():
    schemas = json_schemas()
    assert set(schemas) == set(FILES)
    kpi = schemas["kpis"]["$defs"]["Kpi"]
    assert {"code", "numerator", "maturity"} <= set(kpi["properties"])
    assert kpi["additionalProperties"] is False


def test_the_plan_is_read_against_the_kpis_and_their_dimensions(write_params):
    folder = write_params()
    plan = "id,department,kpi,gap,objective,start,due,target_value,segment\n"
    kpi = load_catalogue(folder).kpis[0]
    department = load_catalogue(folder).departments[0].code
    row = f"A1,{department},{kpi.code},low,higher,2026-01-01,2026-06-30,80,chanel=phone\n"
    (folder / "action_plan.csv").write_text(plan + row, encoding="utf-8")
    messages = refused(folder)
    assert any("the target 80 can never be reached" in message for message in messages), messages
    assert any("unknown dimension 'chanel'. Cure: write 'channel'" in message for message in messages), messages


def test_a_folder_that_lies_above_the_working_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    with pytest.raises(InputRefused, match=r"there is no such params folder. Cure: write '../params'"):
        load_catalogue("params")

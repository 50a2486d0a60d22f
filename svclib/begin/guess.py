"""What the columns of a file could be to svclib, told from their names and what stands in them: proposals only.

A name proposes, a type disposes: only dates become stamps, only a column whose values tell rows apart an id.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from svclib.begin.inspect import ColumnFound, Inspected
from svclib.catalogue.models import SHAPE_COLUMNS, Shape
from svclib.collect.read import ROW

# Words of export headers in the languages of common help-desk programs, the most telling first.
_STAMPS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "cases": (
        ("reopened_at", r"re ?open|riapert|wieder ?eroff|reouv"),
        ("first_response_at", r"first (response|reply|answer|contact)|respon|prima risposta|erste antwort"),
        ("resolved_at", r"clos|resol|solved|complet|finish|done|chius|risol|geschl|erledig|ferm|cerrad"),
        ("opened_at", r"open|creat|report|receiv|submit|logged|raised|start|apert|inserit|eroff|erstell|ouv|abiert"),
        ("opened_at", r"\b(date|data|datum|day|giorno|fecha)\b"),
    ),
    "responses": (
        ("invited_at", r"invit|sent|spedit|inviat|eingeladen"),
        ("responded_at", r"respon|answer|risp|submit|complet|antwort"),
        ("responded_at", r"\b(date|data|datum|day|giorno|fecha|time|timestamp)\b"),
    ),
    "outages": (("started_at", r"start|begin|down|inizi|beginn"), ("ended_at", r"\bend|up\b|resol|restor|fine|ende")),
    "observations": (("observed_at", r"observ|audit|inspect|check|dat[ea]|datum|day|giorno"),),
    "counts": (("period", r"period|month|week|quarter|dat[ea]|datum|day|giorno|mese|settimana|monat"),),
}  # fmt: skip
_IDS = {"cases": "case_id", "responses": "response_id", "outages": "outage_id", "observations": "observation_id"}
_ID = (
    r"\b(id|number|no|nr|num|numero|nummer|key|ref|reference|codice)\b",
    r"\b(ticket|case|incident|request|vorgang|fall|auftrag|anfrage|pratica|segnalazione|dossier|demande|caso|solicitud)\b",
)
_DEPARTMENT = (
    r"department|reparto|dipartimento|division|abteilung|service desk|departement",
    r"group|team|queue|unit|office|ufficio|gruppo|branch|sede|district|area|site",
)
_COMMENT = r"comment|feedback|verbatim|remark|descri|testo|free text|bemerk"
_SCORE = r"score|rating|csat|satisf|punteggio|voto|nps|stars|bewertung|grade"
_PASSED = r"pass|conform|compli|esito|superat|ok\b|bestanden"
# How a case ended is known only when it has ended: as a group it would explain a result by itself.
_OUTCOME = (
    r"\b(status|state|outcome|results?|disposition|stato|esito|risultato|statut|ergebnis|resultat)\b"
    r"|\b(clos(e|ed|ure|ing)|resol(ution|ved)|solved|chius[aeio]|chiusura|risolt[aeio]|risoluzione|cloture|abschluss)\b"
)
_PLACE = r"\b(lat|latitude|lon|lng|long|longitude|geom|geo|x|y)\b"
_MOST_DIMENSIONS = 8
_MOST_GROUPS = 60


@dataclass(frozen=True)
class Guess:
    """A proposal: what one row is, and which column is what; `dates` only where the format is clear.

    `columns` maps svclib's names to the file's, `extra` the further ones that expressions could use.
    """

    shape: Shape | None
    columns: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, str] = field(default_factory=dict)


def plain_words(header: str) -> str:
    """A header as plain words.

    >>> plain_words("CallsOffered"), plain_words("Opened_At (UTC)"), plain_words("Priorità")
    ('calls offered', 'opened at utc', 'priorita')
    """
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", header)
    ascii_only = unicodedata.normalize("NFKD", apart).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", " ", ascii_only).strip()


def own_name(header: str, taken: Iterable[str] = ()) -> str:
    """A name for expressions, like no other and like none that svclib knows.

    >>> own_name("Calls offered"), own_name("Score", taken=["score"]), own_name("№ 1")
    ('calls_offered', 'score_2', 'no_1')
    """
    name = plain_words(header).replace(" ", "_") or "column"
    name = f"c_{name}" if name[0].isdigit() else name[:60]
    known = {column for needed, optional in SHAPE_COLUMNS.values() for column in (*needed, *optional)}
    if name not in known and difflib.get_close_matches(name, known, n=1, cutoff=0.85):
        name = f"{name}_of_file"
    taken, number, free = set(taken), 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def guess(found: Inspected, shape: Shape | None = None) -> Guess:
    """What the columns of a file could be.

    Parameters
    ----------
    shape
        What one row is, where it is known.
    """
    usable = [column for column in found.columns if column.filled]
    shape = shape or guess_shape(found)
    if shape is None:
        return Guess(None)
    stamps = _stamps(usable, shape)
    mapped = {**stamps, **_others(usable, shape, found.rows, set(stamps.values()))}
    order = [name for part in SHAPE_COLUMNS[shape] for name in part]
    columns = {own: mapped[own] for own in sorted(mapped, key=order.index)}
    by_name = {column.name: column for column in usable}
    rest = [column for column in usable if column.name not in columns.values()]
    dimensions = _dimensions([column for column in rest if not _matches(column, _OUTCOME)], found.rows)
    rest = [column for column in rest if column.name not in dimensions.values()]
    extra = _extra(rest, [*columns, *dimensions], found.rows)
    dates = {
        own: format
        for own, header in columns.items()
        if (column := by_name.get(header)) is not None and (format := column.format) is not None
    }
    return Guess(shape, columns, extra, dates, dimensions)


def outcome_columns(found: Inspected) -> list[str]:
    """Columns of a few values that, by their names, tell how a case ended: no dimensions are proposed of them."""
    groups = _groups([column for column in found.columns if column.filled], found.rows)
    return [column.name for column in groups if _matches(column, _OUTCOME)]


def guess_shape(found: Inspected) -> Shape | None:
    """What one row is; None where no column holds dates, so that nothing can be put into a month."""
    usable = [column for column in found.columns if column.filled]
    dates = [column for column in usable if _is_date(column)]
    if not dates:
        return None
    if any(_matches(c, _SCORE) and c.kind in ("integer", "number") for c in usable):
        return "responses"
    closes = "resolved_at" in _stamps(usable, "cases")  # what is opened and closed is a case, whatever came of it
    if len(_stamps(usable, "outages")) == 2 and not closes:
        return "outages"
    if any(_matches(c, _PASSED) and (c.kind == "boolean" or (c.distinct <= 3 and not closes)) for c in usable):
        return "observations"
    figures = [c for c in usable if c.kind in ("integer", "number") and not _is_id(c, found.rows)]
    if len(dates) == 1 and len([c for c in figures if not _matches(c, _PLACE)]) >= 2:
        texts = [c for c in usable if c.kind == "text" and c.distinct > found.rows / 2]
        if not texts:
            return "counts"
    return "cases"


def likely_date(found: Inspected) -> ColumnFound | None:
    """Where no column is known to hold dates: the one that by its name or its values could."""
    texts = [column for column in found.columns if column.kind in ("text", "integer", "number") and column.filled]
    patterns = [pattern for stamps in _STAMPS.values() for _, pattern in stamps]
    named = [column for column in texts if any(_matches(column, pattern) for pattern in patterns)]
    telling = [column for column in named if all(re.search(r"\d", example) for example in column.examples)]
    return next(iter(telling), None)


def _is_date(column: ColumnFound) -> bool:
    return column.kind in ("date", "unclear_date")


def _matches(column: ColumnFound, pattern: str) -> bool:
    return re.search(pattern, plain_words(column.name)) is not None


def _is_id(column: ColumnFound, rows: int) -> bool:
    return column.distinct > 0.9 * max(column.filled, 1) and column.filled > 0.9 * rows and _matches(column, _ID[0])


def _stamps(columns: list[ColumnFound], shape: str) -> dict[str, str]:
    found: dict[str, str] = {}
    dates = [column for column in columns if _is_date(column)]
    for own, pattern in _STAMPS[shape]:
        for column in dates:
            if own not in found and column.name not in found.values() and _matches(column, pattern):
                found[own] = column.name
    needed = [own for own in SHAPE_COLUMNS[shape][0] if own in {stamp for stamp, _ in _STAMPS[shape]}]  # type: ignore[index]
    left = [column for column in dates if column.name not in found.values()]
    if len(needed) == 1 and needed[0] not in found and left:
        found[needed[0]] = left[0].name
    return found


def _others(columns: list[ColumnFound], shape: str, rows: int, taken: set[str]) -> dict[str, str]:
    """The columns that are no stamps: the id, the department, the figures that the shape knows."""
    known = {name for part in SHAPE_COLUMNS[shape] for name in part}  # type: ignore[index]
    # A department that is the same in every row tells nothing apart.
    telling = [c for c in columns if c.distinct > 1 or c.name.lower() != "department"]
    found = {c.name.lower(): c.name for c in telling if c.name.lower() in known and c.name not in taken}

    def take(own: str, fitting: Iterable[ColumnFound]) -> None:
        for column in fitting:
            if own not in found and column.name not in taken | set(found.values()):
                found[own] = column.name

    plain = [c for c in columns if c.kind in ("text", "integer")]
    if shape in _IDS:
        take(_IDS[shape], _ids(plain, rows))
        if shape == "cases":
            found.setdefault("case_id", ROW)
    take("department", _departments(columns))
    if shape == "responses":
        take("score", (c for c in columns if _matches(c, _SCORE) and c.kind in ("integer", "number")))
        take("case_id", (c for p in reversed(_ID) for c in plain if _matches(c, p) and c.distinct > 0.3 * c.filled))
    if shape == "observations":
        take("passed", (c for c in columns if _matches(c, _PASSED) and c.distinct <= 3))
    if shape != "counts":
        take("comment", (c for c in columns if c.kind == "text" and _matches(c, _COMMENT) and c.distinct > 20))
    return found


def _ids(columns: list[ColumnFound], rows: int) -> list[ColumnFound]:
    """Columns that could number the rows; an event log has several lines a case."""
    named = [c for p in _ID for c in columns if _matches(c, p) and c.filled > 0.98 * rows and c.distinct > 0.3 * rows]
    return sorted(dict.fromkeys(named), key=lambda column: column.distinct < 0.9 * rows)


def _departments(columns: list[ColumnFound]) -> list[ColumnFound]:
    """Columns that could name the department; one with the same value in every row tells nothing apart."""
    fitting = [
        c for p in _DEPARTMENT for c in columns if c.kind in ("text", "integer") and c.values and _matches(c, p)
    ]  # fmt: skip
    return sorted(dict.fromkeys(fitting), key=lambda column: column.distinct < 2)


def _groups(columns: list[ColumnFound], rows: int) -> list[ColumnFound]:
    """Columns of text that split the rows into groups."""
    return [c for c in columns if c.kind == "text" and 2 <= c.distinct <= min(_MOST_GROUPS, max(rows / 5, 2))]


def _dimensions(columns: list[ColumnFound], rows: int) -> dict[str, str]:
    named: dict[str, str] = {}
    for column in _groups(columns, rows)[:_MOST_DIMENSIONS]:
        named[own_name(column.name, [*named, "department"])] = column.name
    return named


def _extra(columns: list[ColumnFound], taken: Iterable[str], rows: int) -> dict[str, str]:
    """Figures, and how cases ended: a KPI counts these."""
    named: dict[str, str] = {}
    ends = [column for column in _groups(columns, rows) if _matches(column, _OUTCOME)]
    for column in columns:
        useful = column.kind in ("integer", "number", "boolean") or column in ends
        if useful and column.distinct > 1 and not _is_id(column, rows) and not _matches(column, _PLACE):
            named[own_name(column.name, [*taken, *named])] = column.name
    return named

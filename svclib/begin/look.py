"""The first look into a file: its columns, what they hold, and what they could be."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from svclib.begin.arguments import validate
from svclib.begin.guess import Guess, guess, likely_date, own_name
from svclib.begin.inspect import ColumnFound, Inspected, inspect_files
from svclib.catalogue.models import ReadOptions, Source
from svclib.catalogue.names import nearest
from svclib.errors import InputRefused, Problem
from svclib.report import words
from svclib.report.block import Shown
from svclib.report.show import Block, bullets, escape, note, section, sentence
from svclib.report.tables import table
from svclib.report.words import say

_CALL = "look_into"
_READABLE = (".csv", ".tsv", ".txt", ".xlsx", ".jsonl", ".parquet")
_SEVERAL = "several files are one pattern: look_into('exports/*.xlsx'), in sources.yaml 'read: exports/*.xlsx'"


@dataclass(frozen=True, eq=False, repr=False)
class Look(Shown):
    """A file that was looked into: `frame` has a row for each column, `guess` proposes what they are.

    Shown in a notebook, it says what stands in the file and how the next step could be written.
    """

    path: Path
    sheet: str | int | None
    options: dict[str, Any]
    found: Inspected = field(repr=False)
    guess: Guess = field(repr=False)
    files: int = 1

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a column: its type, date format, share of rows with a value, different values, examples, proposal."""
        proposed = {header: own for own, header in self._proposed().items()}
        rows = [
            {
                "column": c.name,
                "kind": c.kind,
                "format": c.format or "",
                "filled": c.filled / self.found.rows if self.found.rows else float("nan"),
                "distinct": c.distinct,
                "examples": ", ".join(c.examples),
                "proposal": proposed.get(c.name, ""),
            }
            for c in self.found.columns
        ]
        return pd.DataFrame(rows)

    def column(self, name: str) -> ColumnFound:
        """A column by its name; `InputRefused` with the nearest name where there is none."""
        for column in self.found.columns:
            if column.name == name:
                return column
        known = [column.name for column in self.found.columns]
        raise InputRefused(Problem(self.path.name, f"has no column {name!r}", nearest(name, known)))

    def explain(self) -> Block:
        """What stands in the file, what is in the way, and the next step as it could be written."""
        wide = say("begin.look.columns", count=len(self.found.columns))
        rows = say("begin.look.rows", count=self.found.rows, columns=wide)
        several = f" ({say('begin.look.files', count=self.files)})" if self.files > 1 else ""
        parts: list[Block] = [sentence(f"{self.path.name}{several}: {rows}"), self._table()]
        if remarks := self._remarks():
            parts.append(bullets(remarks))
        return section(say("begin.look.title"), *parts, self._next())

    def _shown(self) -> Block:
        return self.explain()

    @property
    def _called(self) -> str:
        return f"at {self.path.name}"

    def _proposed(self) -> dict[str, str]:
        return {**self.guess.columns, **self.guess.extra, **self.guess.dimensions}

    def _table(self) -> Block:
        heads = ("column", "kind", "format", "filled", "distinct", "examples", "proposal")
        shown = self.frame.assign(
            kind=[say(f"begin.kind.{kind}") for kind in self.frame["kind"]],
            filled=[words.percent(share, 0) if share == share else "–" for share in self.frame["filled"]],
            examples=[text if len(text) <= 60 else text[:59] + "…" for text in self.frame["examples"]],
        )
        headers = {name: say(f"begin.look.{name}") for name in heads}
        return table(shown[list(heads)], caption=say("begin.look.caption"), headers=headers)

    def _remarks(self) -> list[str]:
        remarks = []
        if len(self.found.columns) == 1 and self.found.rows:
            remarks.append(say("begin.look.one_column", column=self.found.columns[0].name))
        if self.found.rejected:
            remarks.append(say("begin.look.rejected", count=self.found.rejected))
        for column in self.found.columns:
            name = column.name
            if column.kind == "unclear_date":
                remarks.append(say("begin.look.unclear", column=name, formats=words.list_of(column.formats)))
            if column.kind == "twice":
                remarks.append(say("begin.look.twice", column=name))
            if column.signs:
                remarks.append(
                    say(f"begin.look.{column.signs}", column=name, example=column.sample, name=own_name(name))
                )
            if column.offset:
                remarks.append(say("begin.look.offset", column=name))
            if column.dateless and self.guess.columns.get("resolved_at") == name:
                remarks.append(say("begin.look.dateless", column=name))
        if self.guess.columns.get("case_id") == "#row":
            remarks.append(say("begin.look.no_id"))
        if (header := self.guess.columns.get("department")) and (c := self.column(header)).filled < self.found.rows:
            empty = self.found.rows - c.filled
            share = words.percent(empty / self.found.rows, 0)
            remarks.append(say("begin.look.no_department", column=header, count=empty, share=share))
        return list(dict.fromkeys(remarks))

    def _next(self) -> Block:
        if not self.found.rows:
            return note("warning", say("begin.look.no_rows"))
        if self.guess.shape is None:
            column = likely_date(self.found)
            missing = note("warning", say("begin.look.no_dates"))
            if column is None:
                return missing
            likely = sentence(say("begin.look.say_dates", column=column.name, example=column.examples[0]))
            return section(say("begin.look.next_title"), missing, likely, code(dates_call(column.name)), level=3)
        told = say("begin.look.next", shape=say(f"begin.shape.{self.guess.shape}"))
        return section(say("begin.look.next_title"), sentence(told), code(self._call()), level=3)

    def _call(self) -> str:
        """The next step as code; the zone is the one thing that no file tells."""
        proposed = self.guess
        lines = [f"    shape={_quoted(proposed.shape)},"]
        for name, mapping in (
            ("columns", {**proposed.columns, **proposed.extra}),
            ("dates", proposed.dates),
            ("dimensions", proposed.dimensions),
        ):
            if mapping:
                pairs = [f"        {_quoted(own)}: {_quoted(header)}," for own, header in mapping.items()]
                lines += [f"    {name}={{", *pairs, "    },"]
        zone = '    time_zone="UTC",  # yours, such as "Europe/Rome": months begin at its midnight'
        return "\n".join(["draft = svclib.draft_source(", "    look,", *lines, zone, ")"])


def look_into(
    path: str | Path | None = None,
    sheet: str | int | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    language: str = "en",
) -> Look:
    """Look into a file of your own: its columns, what they hold, and what they could be to svclib.

    Parameters
    ----------
    path
        A .csv, .tsv, .txt, .xlsx, .jsonl or .parquet file (also .csv.gz), or a pattern such as ``exports/*.xlsx`` for
        several with the same columns; the sample's export of cases where left out.
    sheet
        The sheet of a workbook that has several.
    options
        How to read it, as `options` in sources.yaml: ``sep``, ``encoding``, ``decimal``, ``thousands``, ``quote``,
        ``skip_rows``, ``header``, ``null_values``. The separator is found by itself.
    language
        Of what is shown and, unless `draft_source` says otherwise, of the reports.

    Raises
    ------
    InputRefused
        If there is no such file, or it cannot be read as it is; says what to do.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "export.csv"
    >>> _ = file.write_text("Ticket;Created;Closed;Team\\n1;2026-01-31 08:30;2026-02-02 10:00;Support\\n")
    >>> look_into(file).frame[["column", "kind", "proposal"]].values.tolist()[1]
    ['Created', 'date', 'opened_at']
    """
    words.speak(language)
    if path is None:
        path, given = _sample_export()
        options = {**given, **(options or {})}
    if not isinstance(path, str | Path):
        raise InputRefused(Problem(_CALL, f"a path is expected, and this is a {type(path).__name__}", _SEVERAL))
    path = Path(path).expanduser().resolve()
    files = (
        [path] if path.is_file() else sorted(Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file())
    )
    if not files:
        raise InputRefused(_no_file(path))
    said = dict(options or {})
    asked = Source(
        name="file", shape="cases", read=str(path), sheet=sheet, options=validate(ReadOptions, said, _CALL, "options"),
        columns={},
    )  # fmt: skip
    found = inspect_files(asked, files, path.parent, _CALL)
    return Look(path, sheet, said, found, guess(found), len(files))


def dates_call(column: str) -> str:
    """The next step where nobody knows how the dates of a column are written.

    >>> print(dates_call("Submitted"))
    draft = svclib.draft_source(look, dates={"Submitted": "%d/%m/%Y %H:%M"})
    """
    return f'draft = svclib.draft_source(look, dates={{{_quoted(column)}: "%d/%m/%Y %H:%M"}})'


def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


def code(text: str) -> Block:
    """Code to copy into the next cell."""
    return Block(f"<pre><code>{escape(text)}</code></pre>", text)


def _no_file(path: Path) -> Problem:
    if path.is_dir():
        kinds = Counter(file.suffix for file in path.iterdir() if file.is_file() and file.suffix in _READABLE)
        kind = kinds.most_common(1)[0][0] if kinds else ".csv"
        pattern = f"{path.name}/*{kind}"
        cure = f"for all of its files write look_into({pattern!r}): sources.yaml will have them as 'read: {pattern}'"
        return Problem(_CALL, f"{path.name!r} is a folder", cure)
    here = path.parent
    if not here.is_dir():
        return Problem(_CALL, f"there is no folder {str(here)!r}", "check the path; it starts from this notebook's")
    files = sorted(p.name for p in here.iterdir() if p.is_file() and not p.name.startswith("."))
    return Problem(_CALL, f"there is no file {path.name!r} in {str(here)!r}", nearest(path.name, files))


def _sample_export() -> tuple[Path, dict[str, Any]]:
    """The latest file of the sample's cases, and how the sample says it is to be read."""
    from svclib.catalogue.load import load_catalogue
    from svclib.collect.read import find_files
    from svclib.paths import HOME
    from svclib.sample import ensure_sample

    catalogue = load_catalogue(HOME / "params")
    ensure_sample(catalogue.folder)
    source = next(source for source in catalogue.sources if source.shape == "cases")
    return find_files(source, catalogue.root, _CALL)[-1], source.options.model_dump(exclude_unset=True)

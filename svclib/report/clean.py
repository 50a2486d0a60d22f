"""What a notebook's output may say in HTML: a short list of tags, no script, no style, no address outside the report.

The list serves `svclib.report.show` and pandas' own tables; everything else is dropped, whoever wrote it.
"""

from __future__ import annotations

import re

import nh3

_TEXT = "p br hr strong em b i code pre kbd samp sub sup small abbr time blockquote span div bdi"
_PARTS = "section h1 h2 h3 h4 h5 h6 ul ol li dl dt dd figure figcaption img details summary a"
_TABLES = "table caption colgroup col thead tbody tfoot tr th td"
TAGS = frozenset(f"{_TEXT} {_PARTS} {_TABLES}".split())
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"class", "id"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "div": {"role", "tabindex", "aria-label"},
    "span": {"aria-hidden"},
    "th": {"scope", "colspan", "rowspan", "role"},
    "td": {"colspan", "rowspan", "role"},
    **{key: {"role"} for key in ("table", "thead", "tbody", "tr")},
    "time": {"datetime"},
    "abbr": {"title"},
    "ol": {"start"},
}
_PICTURE = re.compile(r"data:image/(?:svg\+xml,|png;base64,|jpeg;base64,|webp;base64,)[\w%+/=.,:;()'!*@$?{}~ -]*")
_LOCAL = re.compile(r"(?:[\w%+-][\w%+.-]*/)*(?:[\w%+-][\w%+.-]*)?(?:#[\w.-]+)?")
_CLASSES = re.compile(r"(?:svc|dataframe)[\w-]*")
_ANCHOR = re.compile(r"[\w.-]{1,80}")
_ROLES = frozenset(["group", "region", "note", "table", "rowgroup", "row", "columnheader", "rowheader", "cell"])


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return " ".join(word for word in value.split() if _CLASSES.fullmatch(word)) or None
    if name == "id":
        return value if _ANCHOR.fullmatch(value) else None
    if name == "src":
        return value if _PICTURE.fullmatch(value) else None
    if name == "href":
        return value if _LOCAL.fullmatch(value) else None
    if name == "role":
        return value if value in _ROLES else None
    if name == "tabindex":
        return value if value == "0" else None
    return value


def clean(markup: str) -> str:
    """The markup with only what a report may hold.

    Examples
    --------
    >>> clean('<p onclick="x()">a<script>alert(1)</script> <a href="javascript:x">b</a> <a href="#top">c</a></p>')
    '<p>a <a>b</a> <a href="#top">c</a></p>'
    >>> clean('<img src="http://example.org/x.png" alt="far"><style>p{color:red}</style>')
    '<img alt="far">'
    """
    return nh3.clean(
        markup,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        clean_content_tags={"script", "style"},
        url_schemes={"data"},  # pictures only: `_attribute` refuses the scheme everywhere else
        link_rel=None,
        strip_comments=True,
    )

"""Find what TradingView left unresolved, and mend the JSON that it breaks.

A mend never changes a meaning: a placeholder, NaN or nothing where a value belongs becomes a marker
that reads as "no value"; a byte-order mark, curly quotes or one trailing comma go. Each is reported.
Everything else is refused with its line, its column and the remedy: a guess could be a trade.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from parsers.unknown_keys import names

from .alert import ParseError


class Unreadable(str):
    """What stood where a value belongs and is none: `{{close}}`, `NaN`, or nothing."""

    __slots__ = ()


_PLACEHOLDER = re.compile(r"\{\{[^{}]{1,100}\}\}|\{\{|\{[a-z_]{2,20}(?:\.[a-z_]{2,40}){1,3}\}")
_NOT_VALUES = names(
    "NaN nan NAN na NA n/a N/A None none NULL Null undefined Infinity -Infinity inf -inf"
)
_TOKEN = re.compile(
    r'(?P<unresolved>"\{\{[A-Za-z][^{}\n]{0,100}\}\}"|\{\{[A-Za-z][^{}\n]{0,100}\}\})'
    r'|(?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")'
    r'|(?P<curly>[“”„][^“”„"\\\x00-\x1f]*[“”])'
    r"|(?P<mark>[{}\[\]:,])"
    r"|(?P<comment>//|/\*|\#)"
    r"|(?P<space>[ \t\r\n\u00a0]+)"
    r"|(?P<word>[^\s{}\[\]:,\"“”„]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def find_placeholder(text: str) -> str | None:
    """Return the first placeholder left in `text`, with two braces or (a slip) with one."""
    match = _PLACEHOLDER.search(text)
    return match[0] if match else None


_AROUND = "there is text around the object: send the object alone"


@dataclass(slots=True)
class Mended:
    """JSON that can be read: `markers` are what its NaN literals stand for, in their order."""

    text: str
    markers: list[str]
    repairs: list[str]


@dataclass(slots=True)
class _Scan:
    """What the mending pass has seen: the pieces, and what the next token may be."""

    source: str
    pieces: list[str] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    brackets: list[str] = field(default_factory=list)
    last: str = ""
    comma: int = -1
    key: str = "a value"
    text: str = ""


def mend(source: str) -> Mended:
    """Return `source` as strict JSON with markers, or raise `ParseError` with place and remedy."""
    scan = _Scan(source)
    for match in _TOKEN.finditer(source):
        kind, token, at = match.lastgroup or "other", match[0], match.start()
        if kind == "space":
            scan.pieces.append(token.replace("\u00a0", " "))
        elif kind == "mark":
            _take_mark(scan, token, at)
        elif kind == "comment":
            raise _refuse(scan, at, "JSON has no comments: take it out")
        elif kind == "other":
            raise _refuse(scan, at, _explain_quote(token, source, at))
        else:
            _take_value(scan, kind, token, at)
    if scan.brackets:
        raise _refuse(scan, len(source), "a closing bracket is missing")
    return Mended("".join(scan.pieces), scan.markers, list(dict.fromkeys(scan.repairs)))


def _take_mark(scan: _Scan, token: str, at: int) -> None:
    """Follow the brackets; put a marker where a value is missing; drop one trailing comma."""
    if not scan.brackets and scan.last:
        raise _refuse(scan, at, _AROUND)
    if scan.last == ":" and token in ",}":
        _mark(scan, "")
    elif token in "}]" and scan.last == ",":
        scan.pieces[scan.comma] = ""
        scan.repairs.append("A comma before a closing bracket was taken out.")
    elif token == "{" and scan.last == "{":
        raise _refuse(scan, at, "the braces are doubled: write one")
    elif token == "," and scan.last in ("", ",", "{", "["):
        raise _refuse(scan, at, "there is nothing before the comma: take one out")
    elif token == ":" and scan.last == "value":
        scan.key = scan.text
    if token in "{[":
        scan.brackets.append(token)
    elif token in "}]" and (not scan.brackets or scan.brackets.pop() + token not in ("{}", "[]")):
        raise _refuse(scan, at, "the brackets do not match")
    if token == ",":
        scan.comma = len(scan.pieces)
    scan.pieces.append(token)
    scan.last = "value" if token in "}]" else token


def _take_value(scan: _Scan, kind: str, token: str, at: int) -> None:
    """Keep a string or literal, mark what is no value, refuse what would have to be guessed."""
    if not scan.brackets:
        braces = kind == "text" and not scan.last
        reason = "the braces { } around the members are missing"
        raise _refuse(scan, at, reason if braces else _AROUND)
    if scan.last == "value":
        raise _refuse(
            scan, at, 'a comma is missing here, or a quote inside a text: write \\" for it'
        )
    is_key = scan.brackets[-1] == "{" and scan.last != ":"
    scan.text = token.strip('"“”„')
    if kind == "curly":
        token = json.dumps(scan.text)
        scan.repairs.append("Curly quotes were read as straight ones.")
    if kind in ("text", "curly"):
        scan.pieces.append(token)
    elif is_key:
        quotes = "double quotes" if token.startswith("'") else "quotes"
        raise _refuse(scan, at, f"put {quotes} around the key {token[:40]!a}")
    elif kind == "unresolved" or token in _NOT_VALUES:
        _mark(scan, token.strip('"'))
    elif _LITERAL.fullmatch(token):
        scan.pieces.append(token)
    else:
        raise _refuse(scan, at, _explain_word(scan.key, token))
    scan.last = "value"


def _mark(scan: _Scan, text: str) -> None:
    """Put a marker for what is no value; whoever reads the field reports it."""
    scan.markers.append(text)
    scan.pieces.append("NaN")
    scan.last = "value"


def _explain_word(key: str, token: str) -> str:
    shown = ascii(token[:40])
    if re.fullmatch(r"[+$.-]*[0-9][0-9.,eE+-]*", token):
        return f"{key}: {shown} is no number: write plain digits, like 0.1 or 61250.5"
    return f"{key}: put quotes around {shown}"


def _explain_quote(token: str, source: str, at: int) -> str:
    if token == '"' and re.match(r'"[^"]*[\n\r\t]', source[at:]):
        return "a text runs over the end of a line: write \\n for a line break"
    return "a quote is missing, or one too many"


def _refuse(scan: _Scan, at: int, remedy: str) -> ParseError:
    line = scan.source.count("\n", 0, at) + 1
    column = at - (scan.source.rfind("\n", 0, at) + 1) + 1
    return ParseError(f"The JSON is broken at line {line}, column {column}: {remedy}.")

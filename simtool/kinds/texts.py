"""Detection of text files: encoding, CSV, JSON, web pages, and pointers to other files."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

from simtool.errors import listed
from simtool.kinds.kind import TRUNCATED, Kind, Text, What

__all__ = ["WHOLE_JSON", "is_number", "text_kind"]

#: Reads up to a number of bytes from the beginning of a file.
Rest = Callable[[int], bytes]

#: Maximum bytes of a JSON document that is read completely.
WHOLE_JSON = 1 << 25
_ROWS = 200
#: Maximum characters of a cell in the first line of a CSV; longer cells are prose.
_LONGEST_NAME = 120
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")
#: Maximum share of control characters in a text; its first line has none.
_MOST_CONTROLS = 0.1
#: Bytes that are control characters in Latin-1, but quotes and dashes in Windows-1252.
_WINDOWS = re.compile(rb"[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]")
_HTML = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(r"<\?xml\b|<[A-Za-z][\w:.-]*(\s[^<>]*)?>")
_KEY = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*:')


def text_kind(start: bytes, whole: bool, rest: Rest) -> Kind | None:
    """Return the kind of a text file; None for other files.

    The text begins with ``start``, which is the whole file or not; ``rest`` reads more bytes from its beginning.
    """
    encoding = _encoding_of(start)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start) if encoding else ""
    except UnicodeDecodeError:
        return None
    if not encoding or not _reads_as_text(text):
        return None
    stripped = text.lstrip("\ufeff").lstrip()
    if not stripped:
        return Kind(What.EMPTY, detail="with blanks only") if whole else None
    if stripped.startswith("version https://git-lfs.github.com/spec/"):
        return Kind(What.LFS_POINTER)
    if re.match(r"/annex/objects/\S+\s*$", stripped):
        return Kind(What.ANNEX_POINTER)
    if _HTML.search(stripped[:2000]) and stripped.startswith("<"):
        return Kind(What.HTML)
    written = Text(encoding)
    if _XML.match(stripped):
        return Kind(What.XML, text=written)
    if stripped[0] in "{[" and (kind := _json_kind(stripped, whole, encoding, rest, written)):
        return kind
    return _table_kind(text.lstrip("\ufeff"), whole, written)


def _encoding_of(start: bytes) -> str:
    """Return the encoding of a text; empty if the bytes are not text."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    if encoding := _unmarked_utf16(start):
        return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        if not _mostly_printable(start):
            return ""
        return "cp1252" if _WINDOWS.search(start) else "latin-1"
    return "utf-8"


def _unmarked_utf16(start: bytes) -> str:
    sample = start[:1024]
    for encoding, zeros, letters in (
        ("utf-16-le", sample[1::2], sample[::2]),
        ("utf-16-be", sample[::2], sample[1::2]),
    ):
        if len(sample) >= 8 and zeros.count(0) > 0.7 * len(zeros) and letters.count(0) < 0.1 * len(letters):
            return encoding
    return ""


def _mostly_printable(start: bytes) -> bool:
    return sum(byte > 0x7E for byte in start) < 0.3 * len(start) and _reads_as_text(start.decode("latin-1"))


def _reads_as_text(text: str) -> bool:
    """Return whether a text has few control characters; ids and the end of a damaged text can have some."""
    first = next(iter(text.lstrip("\ufeff").lstrip().splitlines()), "")
    return not _CONTROL.search(first) and len(_CONTROL.findall(text)) <= _MOST_CONTROLS * len(text)


def _json_kind(text: str, whole: bool, encoding: str, rest: Rest, written: Text) -> Kind | None:
    """Detect JSON (also truncated) or JSON lines; None for other texts."""
    if kind := _lines_kind(text, whole, written):
        return kind
    if not whole:
        content = rest(WHOLE_JSON + 1)
        if len(content) > WHOLE_JSON:
            return _large_json(text, written)
        text = codecs.decode(content, encoding, "replace").lstrip("\ufeff").lstrip()
    try:
        return _document(json.loads(text), written)
    except RecursionError:
        return Kind(What.JSON, "nested too deeply", text=written)
    except json.JSONDecodeError as failure:
        if not re.match(r'\{\s*("|\}|$)|\[', text):
            return None
        if re.fullmatch(r"\s*[\w.+\\-]{0,6}\s*", text[failure.pos :]) or "Unterminated" in failure.msg:
            return Kind(What.JSON, f"{TRUNCATED}: it ends within a value", keys=_first_keys(text), text=written)
        if text.startswith("["):
            return None
        return Kind(What.JSON, f"malformed at line {failure.lineno}: {failure.msg}", text=written)
    except ValueError as failure:  # a number with more digits than Python reads
        return Kind(What.JSON, f"malformed: {failure}", text=written)


def _lines_kind(text: str, whole: bool, written: Text) -> Kind | None:
    """Detect JSON lines: the first line is a document, and another line follows."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[1].lstrip()[:1] not in ("{", "["):
        return None
    if (first := _value(lines[0])) is None:
        return None
    keys = tuple(map(str, first)) if isinstance(first, dict) else ()
    if whole and _value(lines[-1]) is None:
        return Kind(What.JSON_LINES, f"{TRUNCATED}: its last line ends within a value", keys=keys, text=written)
    return Kind(What.JSON_LINES, detail=f"with the keys {listed(keys, 8)}" if keys else "", keys=keys, text=written)


def _value(line: str) -> Any:
    """Return the value of a line of JSON; None for other lines."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _document(document: Any, written: Text) -> Kind:
    """Return the kind of a JSON document by its top-level keys, or by the keys of the first object of a list."""
    first = document[0] if isinstance(document, list) and document else document
    keys = tuple(map(str, first)) if isinstance(first, dict) else ()
    named = f"with the keys {listed(keys, 8)}" if keys else ""
    if isinstance(document, list):
        detail = f"that lists {len(document):,} {f'objects {named}' if keys else 'values'}"
        return Kind(What.JSON, detail=detail, keys=keys, text=written)
    if not isinstance(document, dict):
        return Kind(What.JSON, detail="of one value", text=written)
    data = document.get("data")
    if isinstance(data, list) and data and all(isinstance(entry, dict) and "sequence" in entry for entry in data[:9]):
        return Kind(What.PSIZ_JSON, keys=keys, text=written)
    return Kind(What.JSON, detail=named or "without keys", keys=keys, text=written)


def _large_json(text: str, written: Text) -> Kind:
    """Return the kind of a very large JSON document by the keys at its beginning."""
    keys = _first_keys(text)
    if re.search(r'"data"\s*:\s*\[\s*\{', text) and '"sequence"' in text:
        return Kind(What.PSIZ_JSON, keys=keys, text=Text())
    return Kind(What.JSON, detail=f"that begins with the key {keys[0]}" if keys else "", keys=keys, text=written)


def _first_keys(text: str) -> tuple[str, ...]:
    match = _KEY.match(text, 1) if text.startswith("{") else None
    return (json.loads(match[1], strict=False),) if match else ()


def _table_kind(text: str, whole: bool, written: Text) -> Kind:
    """Detect a CSV with the first delimiter that splits its lines evenly, else a text without cells."""
    lines = text.splitlines()
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    declared = re.match(r"\s*sep=(.)\s*$", lines[0], re.IGNORECASE) if lines else None
    lines = [line for line in lines[1 if declared else 0 :] if line.strip()][:_ROWS]
    for delimiter in (declared[1],) if declared else (",", "\t", ";", "|", " "):
        rows = _rows(lines, delimiter)
        if rows and (declared or _is_even(rows, delimiter)):
            cells = tuple(cell.strip() for cell in rows[0])
            divided = Text(written.encoding, delimiter)
            if delimiter == " ":
                return Kind(What.NUMBERS, keys=cells, text=divided)
            return Kind(What.CSV, detail=f"(first line: {listed(cells, 5)})", keys=cells, text=divided)
    return Kind(What.TEXT, text=written)


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    if delimiter == " ":
        return [line.split() for line in lines]
    try:
        return list(islice(csv.reader(lines, delimiter=delimiter), _ROWS))
    except csv.Error:
        return [line.split(delimiter) for line in lines]


def _is_even(rows: list[list[str]], delimiter: str) -> bool:
    """Return whether most rows have the number of cells of the first row; with blanks as delimiter, all rows."""
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    if width < 2 or len(rows[0]) != width or max(map(len, rows[0])) > _LONGEST_NAME:
        return False
    if delimiter == " ":
        return count == len(rows) and _are_numbers(rows)
    return count >= 0.6 * len(rows)


def _are_numbers(rows: list[list[str]]) -> bool:
    return all(re.fullmatch(r"[-+.\deE]+", cell) for row in rows[1:] or rows for cell in row)


def is_number(text: str) -> bool:
    """Return whether a cell is a number, as Python reads one."""
    try:
        float(text)
    except ValueError:
        return False
    return True

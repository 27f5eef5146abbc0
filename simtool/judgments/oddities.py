"""Remarks on what a CSV of judgments may hold, but often holds by mistake."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from simtool.judgments.cells import Cells
from simtool.judgments.headings import Headings
from simtool.text import counted

__all__ = ["remarks"]

#: Nobody judges images in fewer milliseconds. Response times with a lower median are probably in seconds.
_FASTEST_MS = 50


def remarks(cells: Cells, headings: Headings) -> Iterator[str]:
    """Yield sentences about rows that occur twice, and about response times in seconds."""
    if "participant" in headings.optional and (copies := len(cells) - _distinct(cells)):
        equal = "1 row equals" if copies == 1 else f"{counted(copies, 'rows')} equal"
        yield f"{equal} an earlier row in every column; kept, so remove copies from the file"
    times = headings.optional.get("response_ms")
    if times is not None and (median := _median(cells.texts[times])) is not None and 0 < median < _FASTEST_MS:
        yield f"the median of response_ms is {median:.3g}: if these are seconds, the column is response_s"


def _distinct(cells: Cells) -> int:
    """Return the number of distinct rows."""
    columns = {f"code {place}": pa.array(codes) for place, codes in cells.codes.items()}
    columns |= {f"text {place}": texts for place, texts in cells.texts.items()}
    rows = pa.table(columns)
    return int(rows.group_by(rows.column_names).aggregate([]).num_rows)


def _median(texts: pa.ChunkedArray) -> float | None:
    """Return the median of the numbers; the reader has refused other texts than numbers and missing values."""
    numbers = texts.filter(pc.match_substring_regex(texts, r"^[-+0-9.eE]+$")).cast(pa.float64())
    median: float | None = pc.quantile(numbers, 0.5)[0].as_py()
    return median

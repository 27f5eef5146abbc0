#!/usr/bin/env bash
# pyarrow 26.0.1, Python 3.11: a column of lists of text can be read as dictionary codes, but only one row group at a
# time. As soon as a file has two row groups with different texts, read() and iter_batches() fail.
#
# ParquetFile(read_dictionary=[...]) returns texts as codes, without a string for each value. For a plain column of text
# it works with any number of row groups. For lists, pyarrow joins the row groups of a column first, and cannot join
# chunks with different dictionaries inside of a list. The message speaks of "chunked array outputs", which also appears
# if the text of a column exceeds 2 GiB.
#
# Observed, with two row groups of two rows:
#   text: read 4 rows, iter_batches 4 rows, one group at a time 4 rows
#   lists of text: read ArrowNotImplementedError, iter_batches ArrowNotImplementedError, one group at a time 4 rows
#
# Exit code 0: the behaviour is unchanged. Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
"$place/venv/bin/python" - "$place/table.parquet" <<'PY' | tee "$place/seen"
import sys

import pyarrow as pa
import pyarrow.parquet as pq

path = sys.argv[1]
lists = pa.array([["a", "b"], ["c"], ["d", "e"], ["f"]], pa.list_(pa.string()))
pq.write_table(pa.table({"text": pa.array(list("abcd")), "lists": lists}), path, row_group_size=2)


def rows(count):
    try:
        return f"{count()} rows"
    except pa.ArrowNotImplementedError as failure:
        assert "Nested data conversions not implemented for chunked array outputs" in str(failure)
        return type(failure).__name__


for name, column, leaf in (("text", "text", "text"), ("lists of text", "lists", "lists.list.element")):
    file = pq.ParquetFile(path, read_dictionary=[leaf])
    whole = rows(lambda: file.read([column]).num_rows)
    batches = rows(lambda: sum(batch.num_rows for batch in file.iter_batches(columns=[column])))
    groups = rows(lambda: sum(file.read_row_group(group, [column]).num_rows for group in range(2)))
    print(f"{name}: read {whole}, iter_batches {batches}, one group at a time {groups}")
PY
diff "$place/seen" - <<'SEEN'
text: read 4 rows, iter_batches 4 rows, one group at a time 4 rows
lists of text: read ArrowNotImplementedError, iter_batches ArrowNotImplementedError, one group at a time 4 rows
SEEN

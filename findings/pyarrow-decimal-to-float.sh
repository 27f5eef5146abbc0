#!/usr/bin/env bash
# pyarrow 26.0.1, Python 3.11: casting a decimal to float64 often does not give the nearest float64.
#
# Casting to text first and then to float64 always gives the nearest float64. A direct cast of a DECIMAL(10, 2) column,
# which DuckDB and other databases write, can change the last bit. A number stored as a decimal and the same number
# stored as float64 may then differ.
#
# Observed for the 2,000 decimals .01, 500.00, 999.99, ... up to 999,480.02:
#   decimal128(10, 2) to float64: 282 of 2000 differ from the nearest float
#   through text:                 0 of 2000 differ
#   the first that differs:       2999.95 becomes 2999.9500000000003 instead of 2999.95
#
# Exit code 0: the behaviour is unchanged. Other exit codes: it has changed, or the package cannot be installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
cat > "$place/check.py" <<'PY'
from decimal import Decimal

import pyarrow as pa

values = [Decimal(1 + 49_999 * k) / 100 for k in range(2000)]
decimals = pa.array(values, pa.decimal128(10, 2))
direct = decimals.cast(pa.float64()).to_pylist()
by_text = decimals.cast(pa.string()).cast(pa.float64()).to_pylist()
wrong = [(value, found) for value, found in zip(values, direct) if found != float(value)]
others = sum(found != float(value) for value, found in zip(values, by_text))
print(f"decimal128(10, 2) to float64: {len(wrong)} of {len(values)} differ from the nearest float")
print(f"through text:                 {others} of {len(values)} differ")
if wrong:
    value, found = wrong[0]
    print(f"the first that differs:       {value} becomes {found!r} instead of {float(value)!r}")
raise SystemExit(0 if wrong and not others else 1)
PY
"$place/venv/bin/python" "$place/check.py"

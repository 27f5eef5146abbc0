#!/usr/bin/env bash
# statsmodels 0.15.0 with SciPy 1.17.1, Python 3.11: the power of a two-sided t test is NaN for some large effects, and finite
# for smaller and for larger ones. No warning is given.
#
# One expects power to rise to 1 as the effect grows. A two-sided power adds the probabilities of both tails of the
# noncentral t distribution. The far tail is 0 to double precision, but scipy.stats.nct.cdf is NaN there for scattered
# arguments (scipy issue 25470), so that the sum is NaN although the near tail is finite. statsmodels passes it on. A curve of
# power over effect sizes or sample sizes then has holes, and the mean of such a curve is NaN.
#
# Observed, TTestIndPower().power(effect, nobs1, 0.05) for nobs1 = 10, 20, 40, 64, 80, 100, 150, 200, 300:
#   effect 0.8: all finite;  effect 1.2: NaN for 150 and 300;  effect 1.5: NaN for 200;  effect 2: NaN for 64, 80, 150, 300
#
# Exit code 0: the power still has holes above finite values. Other exit codes: it has changed, or the packages cannot be
# installed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1
"$place/venv/bin/python" - <<'PY'
import math
import warnings

from scipy.stats import nct
from statsmodels.stats.power import TTestIndPower

warnings.simplefilter("error")
sizes = (10, 20, 40, 64, 80, 100, 150, 200, 300)
holes = {}
for effect in (0.8, 1.2, 1.5, 2.0):
    power = [float(TTestIndPower().power(effect, size, 0.05)) for size in sizes]
    holes[effect] = [size for size, value in zip(sizes, power) if math.isnan(value)]
    print(effect, " ".join(f"{value:.4f}" for value in power))
far, near = nct.cdf(-12.706, 1, 8.0), nct.sf(12.706, 1, 8.0)
print(f"one degree of freedom, noncentrality 8: far tail {far}, near tail {near:.4f}")
holed = any(found and sizes[-1] not in found for found in holes.values())  # finite again for more observations
raise SystemExit(not (not holes[0.8] and holes[2.0] and holed and math.isnan(far) and math.isfinite(near)))
PY

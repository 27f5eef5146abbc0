"""The Python API: one function for each stage, which the command line and notebooks call.

A function takes paths or objects and returns objects. With ``out`` it writes the same file or folder as the command;
without ``out`` it writes nothing. Notes and progress go to standard error;
:func:`simtool.console.quiet` silences them. Errors are :class:`~simtool.errors.SimtoolError`, with one line of text.

Example:
    >>> from simtool import stages
    >>> trials = stages.import_trials("judgments.csv")  # doctest: +SKIP
    >>> scores = stages.score(["pixels.parquet", "resnet.parquet"], trials)  # doctest: +SKIP
    >>> report = stages.report(scores.outcomes)  # doctest: +SKIP
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simtool.stages.checkup import doctor as doctor
    from simtool.stages.classifier import plan_resnet as plan_resnet
    from simtool.stages.classifier import train_resnet as train_resnet
    from simtool.stages.combining import combine as combine
    from simtool.stages.compression import compress as compress
    from simtool.stages.distances import import_distances as import_distances
    from simtool.stages.embedding import embed as embed
    from simtool.stages.embedding import list_layers as list_layers
    from simtool.stages.exporting import export_distances as export_distances
    from simtool.stages.fetching import fetch_cub as fetch_cub
    from simtool.stages.glow import plan_glow as plan_glow
    from simtool.stages.glow import train_glow as train_glow
    from simtool.stages.importing import import_trials as import_trials
    from simtool.stages.indexing import index_images as index_images
    from simtool.stages.inspection import show as show
    from simtool.stages.jet import plan_jet as plan_jet
    from simtool.stages.jet import train_jet as train_jet
    from simtool.stages.pca import fit_pca as fit_pca
    from simtool.stages.psychological import fit_psych as fit_psych
    from simtool.stages.reporting import report as report
    from simtool.stages.reweighting import reweight as reweight
    from simtool.stages.sampling import sample as sample
    from simtool.stages.scoring import score as score
    from simtool.stages.studies import fetch_judgments as fetch_judgments
    from simtool.stages.transforming import transform as transform
    from simtool.stages.validity import check as check
    from simtool.stages.vectors import import_embeddings as import_embeddings

#: Each function, and the module of this package that holds it. A module is imported when its function is first used,
#: so that ``import simtool.stages`` imports nothing heavy.
_MODULES: dict[str, str] = {
    "check": "validity",
    "combine": "combining",
    "compress": "compression",
    "doctor": "checkup",
    "embed": "embedding",
    "export_distances": "exporting",
    "fetch_cub": "fetching",
    "fetch_judgments": "studies",
    "fit_pca": "pca",
    "fit_psych": "psychological",
    "import_distances": "distances",
    "import_embeddings": "vectors",
    "import_trials": "importing",
    "index_images": "indexing",
    "list_layers": "embedding",
    "plan_glow": "glow",
    "plan_jet": "jet",
    "plan_resnet": "classifier",
    "report": "reporting",
    "reweight": "reweighting",
    "sample": "sampling",
    "score": "scoring",
    "show": "inspection",
    "train_glow": "glow",
    "train_jet": "jet",
    "train_resnet": "classifier",
    "transform": "transforming",
}

__all__ = [*_MODULES]

#: Whether this process runs one command only, so that no other program in it uses pyarrow with pandas, or numba with
#: scipy.
in_own_process = False

#: For such a process: the number of new objects after which Python looks for garbage; the usual 700 take time.
_OBJECTS = 50_000


def __getattr__(name: str) -> Any:
    """Import a stage when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    if in_own_process:
        from simtool.system import compiled
        from simtool.system.arrow import leave_out_pandas, return_memory

        leave_out_pandas()
        return_memory()
        compiled.with_products = False
        gc.freeze()
        gc.set_threshold(_OBJECTS)
        gc.enable()
    return found


def __dir__() -> list[str]:
    return __all__

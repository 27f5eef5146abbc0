"""``simtool compress``: vectors become their principal components."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool.stages.run import TableFile, stage
from simtool.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simtool.tables.embeddings import EmbeddingTable

__all__ = ["compress"]

#: Components that are kept where nobody says how many.
MOST = 100


def compress(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A table of embeddings.")],
    out: Annotated[Path, typer.Option("--out", metavar="TABLE", help="The Parquet table of embeddings to write.")],
    components: Annotated[
        int | None, typer.Option(min=1, help="How many to keep. [as many as there are, at most 100]")
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Fit to these vectors of the same model instead, perhaps of more images."),
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The label in reports. [TABLE's, PCA K]")] = None,
    scratch: Annotated[Path | None, typer.Option(metavar="FOLDER", help="For scratch files. [TMPDIR]")] = None,
) -> None:
    """Project the vectors of any model on their principal components.

    The components are exact, as those of fit-pca. What a network has found may predict judgments
    better in few dimensions, or just as well.

    \b
    Example:
      simtool compress stimuli-latents.parquet --fit cub-latents.parquet --components 100 \\
          --out latents-pca.parquet
    """
    import tempfile

    import numpy as np

    from simtool.models.errors import ModelError
    from simtool.models.pca.fit import fit_components
    from simtool.tables.embeddings import EmbeddingInfo, EmbeddingWriter, open_embeddings

    with stage("compress", reads=[table, fit], writes=[TableFile(out)]) as run:
        source = open_embeddings(table)
        known = source if fit is None else open_embeddings(fit)
        for path, one in {table: source, fit or table: known}.items():
            run.read(path, f"{counted(len(one), 'vectors')} of {one.info.dimension:,} values ({one.info.name})")
        if (known.info.dimension, known.info.model) != (source.info.dimension, source.info.model):
            raise ModelError(
                f"{fit} and {table} hold vectors of two models; components of one say nothing of the other"
            )
        center = _center(known)
        blocks = ((block - center).astype(np.float32) for _, block in known.batches(known.dtype))
        folder = scratch or Path(tempfile.gettempdir())
        found = fit_components(
            blocks,
            len(known),
            known.info.dimension,
            components or MOST,
            folder,
            fewer=components is None,
            what="vectors",
        )
        rows = found.components.read_rows(len(found.variance)).astype(np.float64)
        info = EmbeddingInfo(
            name=name or f"{source.info.name}, PCA {len(rows)}",
            dimension=len(rows),
            preprocessing=source.info.preprocessing,
            model=source.info.model,
        )
        with EmbeddingWriter(out, info, run.provenance()) as writer:
            for where, block in source.batches(np.float64):
                projected = (block - center - found.mean) @ rows.T
                if np.abs(projected).max() > np.finfo(np.float32).max:
                    raise ModelError(f"{table}: its values are too large; multiply all vectors by one small number")
                writer.write(source.image_id[where], projected.astype(np.float32))
        vectors = f"{counted(len(source), 'vectors')} of {counted(len(rows), 'values')}"
        run.wrote(out, f"{vectors}, {found.explained(len(rows)):.4f} of variance")


def _center(table: EmbeddingTable) -> NDArray[np.float64]:
    """The mean of float64 vectors, whose differences may be too small for float32; else 0, as fitting centers too.

    Args:
        table: of n vectors of D values.

    Returns:
        (D,).
    """
    import numpy as np

    total = np.zeros(table.info.dimension)
    if table.dtype == np.float64:
        for _, block in table.batches(np.float64):
            total += (block / len(table)).sum(axis=0)
    return total

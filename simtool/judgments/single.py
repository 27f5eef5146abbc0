"""Single comparisons as trials with two references."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simtool.judgments.comparisons import Comparisons
from simtool.tables.trials import Trials

__all__ = ["single_trials"]


def single_trials(trials: Trials, comparisons: Comparisons) -> Trials:
    """Make a trial ``2-choose-1`` of each comparison: which of two references is nearer to the anchor?

    Where only some comparisons of a trial are kept, each of them still stands for itself. Participant, session, weight
    and observers are those of the trial. The columns ``source_trial_id`` and ``source_trial_type`` name the trial.

    Args:
        trials: the trials.
        comparisons: C of their comparisons.

    Returns:
        C trials, numbered from 0. References are in the order of ``trials.images``, so that their position says
        nothing about the judgment.
    """
    references = np.stack([comparisons.near, comparisons.far], axis=1)
    kinds = np.array([str(kind) for kind in trials.types], object)
    row = comparisons.trial
    return Trials.build(
        trials.images,
        ["2-choose-1"] * len(comparisons),
        comparisons.anchor,
        np.sort(references, axis=1),
        (comparisons.near > comparisons.far).astype(np.int8)[:, None],
        participant=trials.participant[row],
        session=trials.session[row],
        weight=trials.weight[row],
        extra={
            "source_trial_id": pa.array(trials.trial_id[row]),
            "source_trial_type": pa.array(kinds[trials.type_index[row]], pa.string()),
        },
        observers=trials.observers,
    )

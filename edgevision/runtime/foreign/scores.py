"""What the outputs of a classifier are that edgevision did not make: by its last operator, else by what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from edgevision.runtime.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.foreign.operators import FileFacts
    from edgevision.runtime.heads import Scores
    from edgevision.runtime.spec import TensorSpec

_SUM = 0.02


def settle_scores(
    given: Scores | None,
    spec: TensorSpec,
    facts: FileFacts,
    answers: NDArray[np.float32],
    several: bool,
    guessed: list[str],
) -> Scores:
    """What the output is.

    Args:
        given: What the user says.
        spec: The output.
        facts: What stands in the file.
        answers: float32 (images, values), what the model answered to some images.
        several: Whether classes are independent: several at once, or one output for two classes.
        guessed: What had to be guessed is added here.

    Raises:
        InputError: What the user says contradicts the model's last operator or its answers.
    """
    last = facts.writers.get(spec.name, "")
    within = bool(((answers >= 0) & (answers <= 1)).all())
    if given is not None:
        wrong = {"softmax": given != "probabilities", "sigmoid": given not in ("sigmoid", "probabilities")}
        if wrong.get(last, False) or (not within and given in ("probabilities", "sigmoid")):
            values = f"values {float(answers.min()):.3g}..{float(answers.max()):.3g}"
            got = f"a last operator {last}" if wrong.get(last, False) else values
            raise InputError("scores contradict the model", expected=given, got=got, cure="leave scores out")
        return given
    if last in ("softmax", "sigmoid"):
        guessed.append(f"scores {'probabilities' if last == 'softmax' else 'sigmoid'}: the last operator is {last}")
        return "probabilities" if last == "softmax" else "sigmoid"
    sums = bool((np.abs(answers.sum(axis=1) - 1) <= _SUM + (spec.quant.scale if spec.quant else 0)).all())
    found = ("probabilities" if sums and not several else "sigmoid") if within else "logits"
    found = "sigmoid_logits" if found == "logits" and several else found
    if within and (sums or _is_unit(spec)):
        why = "values 0..1" + (" that sum to one" if sums else "")
    elif within and last:
        found, why = ("sigmoid_logits" if several else "logits"), f"the last operator is {last}"
    else:
        why = "answers within 0..1, and no known last operator" if within else "values beyond 0..1"
    guessed.append(f"scores {found}: {why}")
    return cast("Scores", found)


def _is_unit(spec: TensorSpec) -> bool:
    """Whether the output is quantised as TFLite's softmax and sigmoid are: 1/256 from 0 on."""
    if spec.quant is None or spec.dtype not in ("uint8", "int8"):
        return False
    return bool(np.isclose(spec.quant.scale, 1 / 256)) and spec.quant.zero_point == np.iinfo(spec.dtype).min

"""What a classifier's outputs are, told from the outputs: of a model whose layers cannot be seen.

Rows of values 0..1 that sum to one are probabilities, other values 0..1 sigmoids, anything else logits. That is wrong
for two kinds of models, which ``scores`` (--scores) is for. Logits of classes that do not exclude each other look like
logits of classes that do: say "sigmoid_logits". And logits that happen to lie within 0..1 on all images, as of a model
that was not trained, look like sigmoids. With several outputs the order of the classes, and so the gate, is the same
either way; with one output the other class would be told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.manifest import Scores

#: Images that are enough: one row of logits outside 0..1 decides.
EXAMPLES = 64
#: How far float32, float16 inside it, and many classes may move a sum.
_SUM, _END = 1e-2, 1e-5


def scores_of(answers: NDArray[Any]) -> Scores:
    """The kind of scores that ``answers``, float (images, classes), look like."""
    in_unit = bool((answers >= -_END).all() and (answers <= 1 + _END).all())
    if answers.shape[1] == 1:
        return "sigmoid" if in_unit else "sigmoid_logits"
    if in_unit and np.allclose(answers.sum(1), 1.0, rtol=0, atol=_SUM):
        return "probabilities"
    return "sigmoid" if in_unit else "logits"

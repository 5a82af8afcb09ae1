"""What fine-tuning makes smaller: the distance from the float model's answers, and from the labels where there are any.

Distillation (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network") at temperature 1: the aim is the float
model's own probabilities, not more of its knowledge than they hold.
"""

from __future__ import annotations

from typing import Any

from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.points import is_float_tail
from edgevision.runtime.manifest import Scores

#: Share of the labels in the loss of an image that has one. More pulls the model away from the float one that it stands
#: for: a depthwise network for CIFAR-10 with weights of 4 bits, 5,000 images, 3 epochs, ends 0.025 nats from float with
#: a half, 0.019 with a fifth and 0.017 with none; on accuracy the three are the same within what 3,000 images can tell.
_LABELS = 0.2
#: Stands for "no label".
UNKNOWN = -1
_TINY = 1e-7  # a signal that is none


def scored(graph: Graph, scores: Scores | None) -> list[str]:
    """The operations that the loss looks at: the outputs, or a classifier's logits that a closing activation takes.

    Behind a softmax the gradient of a wrong answer that is sure of itself would be lost in rounding.
    """
    if scores is None:
        return list(graph.outputs.values())
    last = graph.ops[graph.output]
    return [last.inputs[0] if is_float_tail(graph, last) else last.name]


def loss(exact: Any, found: Any, targets: Any, scores: Scores | None) -> Any:
    """Mean loss of a batch, a scalar tensor.

    Args:
        exact: Logits of the float model, float32 (n, values); without scores whatever its outputs are, (n, ...).
        found: Logits of the quantised one.
        targets: Classes int64 (n,), ``UNKNOWN`` where there is none.
        scores: What becomes of the logits: a softmax, or a sigmoid each. None: they are no class scores, and what
            counts is the squared error as a share of the signal, which is the values less their mean over the batch.
    """
    import tensorflow as tf

    if scores is None:
        signal = tf.reduce_sum(tf.square(exact - tf.reduce_mean(exact, 0)))
        return tf.reduce_sum(tf.square(found - exact)) / tf.maximum(signal, _TINY)
    divergence = tf.nn.softmax_cross_entropy_with_logits
    labels = tf.one_hot(targets, exact.shape[-1])
    aim = tf.nn.softmax(exact)
    if scores in ("sigmoid", "sigmoid_logits"):
        divergence = _sigmoid_cross_entropy
        labels = tf.cast(targets[:, None], tf.float32) if exact.shape[-1] == 1 else labels
        aim = tf.sigmoid(exact)
    # A cross-entropy less what no model can go below is the Kullback-Leibler divergence.
    from_float = divergence(aim, found) - divergence(aim, exact)
    share = tf.where(targets == UNKNOWN, 0.0, _LABELS)
    from_labels = tf.where(targets == UNKNOWN, 0.0, divergence(labels, found))
    return tf.reduce_mean((1 - share) * from_float + share * from_labels)


def _sigmoid_cross_entropy(labels: Any, logits: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), -1)

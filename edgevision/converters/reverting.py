"""The search for what has to stay in float, as one step of a conversion: whether, with what, and remembered where."""

from __future__ import annotations

import hashlib

from edgevision.converters.calibration import CalibrationSet
from edgevision.converters.gate import CHANGES_PER_POINT
from edgevision.converters.provenance import tool_versions
from edgevision.converters.quantize.build import answer, build_model, ready
from edgevision.converters.quantize.correct import images_to_correct
from edgevision.converters.quantize.observe import batch_size
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.scoring import changed
from edgevision.converters.quantize.search import Found, Tell, is_needed, search
from edgevision.converters.quantize.trials import Trials
from edgevision.converters.source import SourceModel
from edgevision.converters.trial_store import TrialStore
from edgevision.runtime.manifest import Scores

#: Seconds that a search may take unless told otherwise.
BUDGET_S = 60.0
#: Part of every key: another way of trying finds other numbers.
_RECIPE = "1"


def revert(
    source: SourceModel, quantized: Quantized, images: CalibrationSet, max_drop: float, budget: float, tell: Tell
) -> tuple[Quantized, Found | None, str]:
    """The quantised model with as much in float as the gate is likely to ask for.

    The model as it is, at no cost, when it changes few enough answers on the images that chose it, or has no classes.

    Args:
        source: The float model.
        quantized: All int8.
        images: Its choice images are tried on; none that judges.
        max_drop: What the gate allows, points.
        budget: Seconds; 0 does not search.
        tell: Called with each step.

    Returns:
        The model to export; what was found, None when nothing was searched for; what has to be said about the store.
    """
    allowed = max_drop * CHANGES_PER_POINT / 100
    if source.scores is None or budget <= 0 or not _is_needed(quantized, source.scores, images, allowed):
        return quantized, None, ""
    store = TrialStore(_key(source, quantized, images))
    size = batch_size(source.graph)
    correction = images.ranges.head(images_to_correct(source.graph))
    trials = Trials(quantized, source.scores, list(images.choice.batches(size)), correction, store)
    found = search(trials, allowed, budget, tell)
    return found.quantized, found, store.note


def _is_needed(quantized: Quantized, scores: Scores, images: CalibrationSet, allowed: float) -> bool:
    """Whether the choice images say so, and still do together with those that set the ranges.

    200 images tell 2 % of changed answers from 4 % badly, and a search takes work out of int8. A network at the limit
    (a transformer that changes 2.0 to 2.4 % of 4,000 answers) was searched or not by chance; twice the images make
    that rarer, though those of the ranges are a little kinder to the model that they made.
    """
    chosen = len(images.choice)
    if not is_needed(quantized.changed, chosen, allowed):
        return False
    graph = quantized.graph
    exact, model = ready(build_model(quantized.exact), graph), ready(quantized.model(), graph)
    (name,) = graph.outputs
    count = quantized.changed * chosen
    for batch in images.ranges.batches(batch_size(graph)):
        expected, found = (answer(each, graph, batch)[name] for each in (exact, model))
        count += changed(expected, found, scores) * len(found)
    total = chosen + len(images.ranges)
    return is_needed(count / total, total, allowed)


def _key(source: SourceModel, quantized: Quantized, images: CalibrationSet) -> dict[str, str]:
    """Everything that decides what a trial finds."""
    weights = hashlib.sha256()
    for op in source.graph:  # not the quantised one: what calibration made may end in another last bit each time
        weights.update(f"{op.name} {op.kind} {op.inputs}".encode())
        for weight in op.weights:
            weights.update(weight.tobytes())
    return {
        "recipe": _RECIPE,
        "model": source.sha256,
        "weights": weights.hexdigest(),
        "calibration": images.sha256,
        "preprocessing": repr(source.preprocessing),
        "candidate": quantized.recipe,
        **tool_versions(),
    }

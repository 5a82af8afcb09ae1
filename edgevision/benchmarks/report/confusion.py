"""Which classes the int8 artifact takes for which: as a table for few classes, as a map for many."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.classification import confusion, per_class
from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.findings import shown_int8
from edgevision.benchmarks.report.model import AccuracyRecord, Report

#: Up to so many classes the counts can be read in a table; up to so many a square of the map can be seen.
TABLE, MAP = 20, 100
#: Shades of a cell, and confusions that are listed.
SHADES, LISTED = 4, 10

Counts = NDArray[np.int64]


def confusion_picture(report: Report) -> dict[str, Any] | None:
    """The confusion matrix of ``shown_int8``, what it confuses most, and figures per class; None without labels."""
    name = shown_int8(report)
    if name is None or report.accuracy is None:
        return None
    labels = class_names(report.accuracy)
    answers = np.asarray(report.accuracy.predictions[name], np.int64)
    return matrix_picture(name, np.asarray(report.accuracy.truth, np.int64), answers, labels)


def matrix_picture(name: str, truth: Counts, answers: Counts, labels: tuple[str, ...]) -> dict[str, Any]:
    """The same of any answers.

    Args:
        name: Whose answers they are.
        truth: Right classes, int64 (images,).
        answers: The same of the answers.
        labels: Class names.
    """
    counts = confusion(truth, answers, len(labels))
    classes, wrong = len(labels), int(counts.sum() - np.trace(counts))
    return {
        "artifact": name,
        "images": int(counts.sum()),
        "wrong": wrong,
        "labels": labels,
        "table": _table(counts, labels) if classes <= TABLE else None,
        "map": _map(counts) if TABLE < classes <= MAP else None,
        "most": _most_confused(counts, labels),
        "classes": _class_rows(counts, labels),
        "description": f"Confusion matrix of {name}: {classes} classes, {int(counts.sum())} images, {wrong} wrong.",
    }


def class_names(record: AccuracyRecord) -> tuple[str, ...]:
    """The labels; of a report that did not keep them "class 0", "class 1", ..."""
    highest = max(max(record.truth), *(max(found) for found in record.predictions.values()))
    return record.labels or tuple(f"class {i}" for i in range(highest + 1))


def _shades(counts: Counts) -> Counts:
    """How strongly each cell is drawn, 0..SHADES: by its share of the images of its row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # By square roots, because what matters are the few wrong ones beside the many right ones.
    levels: Counts = np.ceil(np.sqrt(shares) * SHADES).astype(np.int64)
    return levels


def _table(counts: Counts, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    shades = _shades(counts)
    return [
        {
            "name": label,
            "cells": [
                {"count": int(count), "shade": int(shades[i, j]), "right": i == j} for j, count in enumerate(counts[i])
            ],
        }
        for i, label in enumerate(labels)
    ]


def _map(counts: Counts) -> dict[str, Any]:
    """Paths of unit squares, one per shade and kind: 10,000 single cells would be half of the page."""
    shades, right = _shades(counts), np.eye(len(counts), dtype=bool)
    paths = []
    for shade in range(1, SHADES + 1):
        for kind, mask in (("right", right), ("wrong", ~right)):
            cells = np.argwhere((shades == shade) & mask)
            if len(cells):
                path = "".join(f"M{j} {i}h1v1h-1z" for i, j in cells.tolist())
                paths.append({"kind": kind, "shade": shade, "path": path})
    step = 5 if len(counts) <= 40 else 10
    ticks = [{"at": round(100 * (i + 0.5) / len(counts), 2), "text": str(i)} for i in range(0, len(counts), step)]
    return {"size": len(counts), "paths": paths, "ticks": ticks}


def _most_confused(counts: Counts, labels: tuple[str, ...]) -> list[dict[str, str]]:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:LISTED]
    pairs = [(int(i) // len(labels), int(i) % len(labels)) for i in order]
    return [
        {
            "right class \N{RIGHTWARDS ARROW} answer": f"{labels[i]} \N{RIGHTWARDS ARROW} {labels[j]}",
            "images": f"{off[i, j]} of {counts[i].sum()}",
            "share": words.percent(off[i, j] / counts[i].sum()),
        }
        for i, j in pairs
        if off[i, j]
    ]


def _class_rows(counts: Counts, labels: tuple[str, ...]) -> list[dict[str, str]]:
    answered, there, found = counts.sum(axis=0), counts.sum(axis=1), per_class(counts)

    def share(value: float, of: int) -> str:
        return words.percent(value) if of else words.DASH  # of nothing there is no share

    return [
        {
            "class": label if len(labels) <= TABLE else f"{i} {label}",
            "images": str(there[i]),
            "precision": share(found.precision[i], answered[i]),
            "recall": share(found.recall[i], there[i]),
            "F1": share(found.f1[i], answered[i] + there[i]),
        }
        for i, label in enumerate(labels)
    ]

"""Classify every photo in a folder, on the device.

    python classify.py NAME.edge FOLDER [--csv answers.csv]

Needs numpy, Pillow and one engine: pip install 'edgevision[tflite]'. The bundle chooses the model and knows its
labels, its input size and how to prepare a photo; there is nothing to normalise here.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path

import edgevision
from edgevision.runtime.errors import ImageError

PHOTOS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def main() -> int:
    """Prints an answer per photo and a count per class; 1 when a photo could not be read."""
    parser = argparse.ArgumentParser(description="Classify every photo in a folder.")
    parser.add_argument("bundle", help="the NAME.edge directory")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--csv", type=Path, help="also write the answers to this file")
    options = parser.parse_args()

    photos = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in PHOTOS)
    answers: list[tuple[str, str, float]] = []
    damaged = 0
    with edgevision.load(options.bundle) as predictor:
        print(f"{predictor.artifact.name} on {predictor.describe()['engine']}", file=sys.stderr)
        for photo in photos:
            try:
                result = predictor(photo)
            except ImageError as error:
                damaged += 1
                print(error, file=sys.stderr)
                continue
            answers.append((str(photo), result.label, result.score))
            print(f"{photo}  {result.label}  {result.score:.2f}")

    for label, count in Counter(label for _, label, _ in answers).most_common():
        print(f"{count:6d}  {label}")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("photo", "label", "score"), *answers])
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main())

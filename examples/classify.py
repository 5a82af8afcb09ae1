"""Classify every photo in a folder, on an x86 computer or any other.

    python classify.py NAME.edge FOLDER [--csv answers.csv]

pip install 'edgevision[openvino,fast]' is often the fastest on x86. The bundle knows how to prepare a photo.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import edgevision


def main() -> int:
    """Prints an answer per photo; 1 when one could not be read."""
    parser = argparse.ArgumentParser(description="Classify every photo in a folder.")
    parser.add_argument("bundle", help="the NAME.edge directory")
    parser.add_argument("folder")
    parser.add_argument("--csv", help="also write the answers to this file")
    options = parser.parse_args()
    answers, damaged = list[tuple[str, str, float]](), list[Exception]()
    with edgevision.load(options.bundle) as predictor:
        print(f"{predictor.artifact.name} on {predictor.describe()['engine']}", file=sys.stderr)
        for seen in predictor.stream(options.folder, on_error=damaged.append):
            answers.append((seen.frame.name, seen.result.label, seen.result.score))
            print(f"{seen.frame.name}  {seen.result.label}  {seen.result.score:.2f}")
    if options.csv:
        with Path(options.csv).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("photo", "label", "score"), *answers])
    print(*damaged, sep="\n", file=sys.stderr)
    return 1 if damaged else 0


if __name__ == "__main__":
    sys.exit(main())

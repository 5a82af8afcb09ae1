"""A data set of boxes that is learned in seconds: bright squares of two colours on dark noise, COCO JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LABELS = ("green", "red")


def write_squares(folder: Path, counts: dict[str, int], size: tuple[int, int] = (64, 64), seed: int = 0) -> Path:
    """Images of (height, width) pixels with one to three squares each, so many in each split."""
    random = np.random.default_rng(seed)
    (folder / "annotations").mkdir(parents=True)
    for split, count in counts.items():
        (folder / split).mkdir()
        images: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        for number in range(count):
            pixels = random.integers(0, 60, (*size, 3), dtype=np.uint8)
            for _ in range(int(random.integers(1, 4))):
                side, kind = int(random.integers(12, 24)), int(random.integers(2))
                x, y = (int(random.integers(0, limit - side)) for limit in (size[1], size[0]))
                pixels[y : y + side, x : x + side] = (230, 30, 30) if kind else (30, 230, 30)
                each = {"id": len(boxes), "image_id": number, "category_id": kind, "iscrowd": 0, "area": side**2}
                boxes.append({**each, "bbox": [x, y, side, side]})
            name = f"{split}/{number:03d}.png"
            Image.fromarray(pixels).save(folder / name)
            images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        kinds = [{"id": number, "name": label} for number, label in enumerate(LABELS)]
        plain = {"images": images, "annotations": boxes, "categories": kinds}
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(plain))
    return folder

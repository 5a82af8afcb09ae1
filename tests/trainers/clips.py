"""Small clips of a spot that moves: to the right, or to the left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_clips(path: Path, clips: int = 3, frames: int = 14, height: int = 16, width: int = 24) -> Path:
    """PNG files CLASS/CLIP/FRAME of the classes "left" and "right"."""
    random = np.random.default_rng(0)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    for clip in range(clips):
        start, row = random.integers(width), random.integers(4, height - 4)
        colour, ground = random.integers(150, 256, 3), random.integers(0, 80, 3)
        for label, sign in (("left", -2), ("right", 2)):
            folder = path / label / f"clip{clip}"
            folder.mkdir(parents=True)
            for number in range(frames):
                away = (columns - start - sign * number + width // 2) % width - width // 2
                spot = (np.abs(away) < 4) & (np.abs(rows - row) < 4)
                picture = np.where(spot[..., None], colour, ground) + random.normal(0, 8, (height, width, 1))
                Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / f"f{number}.png")
    return path

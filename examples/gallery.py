"""Whose face is it? Enrol people from a folder per person, then name the photos of another folder.

    python gallery.py NAME.edge PEOPLE PHOTOS [--keep gallery.npz]

PEOPLE holds NAME/PHOTO, cut out as in training. With --keep the vectors are read from that file the next time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import edgevision
from edgevision.runtime.gallery import Gallery


def main() -> None:
    """Prints a name, or "unknown", per photo."""
    parser = argparse.ArgumentParser(description="Whose face is it?")
    for name in ("bundle", "people", "photos"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--keep", type=Path, help="file that the vectors are kept in")
    options = parser.parse_args()
    with edgevision.load(options.bundle) as predictor:
        if options.keep and options.keep.exists():
            gallery = Gallery.load(options.keep, predictor)
        else:
            gallery = Gallery(predictor)
            for folder in sorted(path for path in options.people.iterdir() if path.is_dir()):
                gallery.enrol(folder.name, *sorted(folder.iterdir()))
            if options.keep:
                gallery.save(options.keep)
        for photo in sorted(options.photos.iterdir()):
            found = gallery.identify(photo)
            print(f"{photo.name}  {found.name} {found.cosine:.2f}" if found else f"{photo.name}  unknown")


if __name__ == "__main__":
    main()

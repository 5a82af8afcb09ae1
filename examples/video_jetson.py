"""Detect objects in a Jetson's camera or a video file: one line of JSON per frame.

    python video_jetson.py NAME.edge [SOURCE] [--latest]

Without SOURCE: the camera on the ribbon cable, through the system's OpenCV: python3 -m venv --system-site-packages env
A video file needs: pip install 'edgevision[video]'.
"""

from __future__ import annotations

import argparse
import json

import edgevision

CAMERA = (
    "nvarguscamerasrc ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! nvvidconv ! "
    "video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1"
)


def main() -> None:
    """Runs until Ctrl-C, or until the video's end."""
    parser = argparse.ArgumentParser(description="Detect objects in a video.")
    parser.add_argument("bundle", help="the NAME.edge directory")
    parser.add_argument("source", nargs="?", default=CAMERA)
    parser.add_argument("--latest", action="store_true", help="drop frames rather than fall behind")
    options = parser.parse_args()
    latest = options.latest or options.source == CAMERA
    try:
        with edgevision.load(options.bundle) as predictor, predictor.stream(options.source, latest=latest) as stream:
            for seen in stream:
                print(json.dumps({"time_s": round(seen.frame.time_s, 3), **seen.result.to_dict()}), flush=True)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

"""Classify what a Raspberry Pi's camera sees; print when the answer changes.

    python camera_pi.py NAME.edge [--source picamera] [--sure 0.6]

The camera on the ribbon cable needs python3-picamera2 of the system: python3 -m venv --system-site-packages env
--source takes anything else too: 0 for a USB camera, an rtsp:// URL, or a video file to try it without a camera.
"""

from __future__ import annotations

import argparse

import edgevision


def main() -> None:
    """Runs until Ctrl-C, or until a video's end."""
    parser = argparse.ArgumentParser(description="Classify what a camera sees.")
    parser.add_argument("bundle", help="the NAME.edge directory")
    parser.add_argument("--source", default="picamera")
    parser.add_argument("--sure", type=float, default=0.6, help="say nothing below this score")
    options = parser.parse_args()
    shown = ""
    try:
        with edgevision.load(options.bundle) as predictor, predictor.stream(options.source, latest=True) as stream:
            for seen in stream:
                best = seen.result
                if best.score >= options.sure and best.label != shown:
                    shown = best.label
                    age_ms = seen.age_s * 1e3
                    print(f"{best.label}  {best.score:.2f}  {age_ms:.0f} ms old, {seen.dropped} dropped", flush=True)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

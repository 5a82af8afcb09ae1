"""Ultralytics' predict beside ``edgevision.load`` of the same exported .onnx files; ``compare_latency.py`` calls this.

    python scripts/compare_ultralytics.py FOLDER

Two networks with random weights, of which Ultralytics' own export makes the files (kept in FOLDER): yolov8n, whose
boxes are suppressed after the engine, and yolo26n with its end-to-end head, which needs no suppression. A photo of
1280x720 pixels as an array goes in, boxes in its pixels come out; 320 pixels, one thread. The classes' biases are set
so that a hundred places pass the threshold, as on a busy photo: else none would, and suppression would cost nothing.
Both resize as OpenCV does, without antialiasing, so that boxes can be compared; ours also with it. Prints Markdown.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# Read when packages are imported: no requests, no installing, no settings in the home directory; one thread for torch,
# and one for kornia-rs, which resizes for ours.
os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")
os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp())

import numpy as np
from check_overhead import bare_call, made_photo
from PIL import Image
from turns import BARE, OURS, Lane, row, table, take_turns

import edgevision
from edgevision.runtime.spec import named_preprocessing

SIZE, CANDIDATES, THRESHOLD, OVERLAP = 320, 100, 0.25, 0.7
HEADS: dict[str, dict[str, Any]] = {
    "yolov8n": {"kind": "yolo", "iou_threshold": OVERLAP},
    "yolo26n": {"kind": "postprocessed", "boxes": "output0", "order": "xyxy", "unit": "pixels"},
}


def main() -> None:
    if importlib.util.find_spec("ultralytics") is None:
        sys.exit("Ultralytics is not installed: pip install '.[peers]'")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    one_thread()
    note = f"Ultralytics {versions()}. {torchvision_or_not()}"
    photo = np.asarray(Image.open(made_photo(folder / "photo.jpg")))
    for name in HEADS:
        path = folder / f"{name}.onnx"
        with contextlib.redirect_stdout(sys.stderr):
            names = exported(name, path, photo)
            text = measured(path, names, photo, note)
        print(text, flush=True)


def versions() -> str:
    import onnxruntime
    import torch
    import ultralytics

    return f"{ultralytics.__version__}, torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}"


def one_thread() -> None:
    """Ultralytics leaves the number of threads to ONNX Runtime, which takes all cores; here both have one."""
    import onnxruntime
    import torch

    plain = onnxruntime.InferenceSession

    def session(model: Any, sess_options: Any = None, *rest: Any, **named: Any) -> Any:
        options = sess_options or onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return plain(model, options, *rest, **named)

    onnxruntime.InferenceSession = session
    torch.set_num_threads(1)


def torchvision_or_not() -> str:
    """What suppresses boxes in Ultralytics; without a torchvision that loads, what it has for that case."""
    try:
        import torchvision
    except (ImportError, RuntimeError) as error:
        from ultralytics.nn.autobackend import AutoBackend

        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        # On a CPU all it does with an .onnx is to import torchvision.
        AutoBackend.warmup = lambda *_, **__: None
        return f"It suppresses boxes in torch: no torchvision here ({str(error).splitlines()[0]})."
    return f"It suppresses boxes in torchvision {torchvision.__version__}."


def exported(name: str, path: Path, photo: Any) -> list[str]:
    """Writes the network unless it is there; its class names."""
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    network = YOLO(f"{name}.yaml")
    names = [str(each) for each in network.names.values()]
    if not path.exists():
        make_busy(network.model, photo)
        with contextlib.chdir(path.parent):
            network.export(format="onnx", imgsz=SIZE, nms=False if name == "yolo26n" else None)
    return names


def make_busy(model: Any, photo: Any) -> None:
    """Raises the classes' biases until ``CANDIDATES`` places of the photo pass the threshold."""
    import torch

    pixels = np.asarray(Image.fromarray(photo).resize((SIZE, SIZE)), np.float32) / 255
    model.eval()
    with torch.no_grad():
        (found, *_) = model(torch.from_numpy(pixels).permute(2, 0, 1)[None])
        best = found[0, 4:].amax(0).sort(descending=True).values[CANDIDATES].logit()
        for part in ("cv3", "one2one_cv3"):
            for level in getattr(model.model[-1], part, None) or ():
                level[-1].bias += np.log(THRESHOLD / (1 - THRESHOLD)) - best


def measured(path: Path, names: list[str], photo: Any, note: str) -> str:
    from ultralytics import YOLO

    def opened(antialias: bool) -> Any:
        prepared = named_preprocessing("unit", SIZE, SIZE, 3, resize="letterbox", antialias=antialias, fill=114)
        return edgevision.load(
            path, threads=1, task="detection", preprocess=prepared, labels=names, head=HEADS[path.stem]
        )

    own, smooth = opened(antialias=False), opened(antialias=True)
    peer, swapped = YOLO(str(path), task="detect"), np.ascontiguousarray(photo[..., ::-1])
    told = {"imgsz": SIZE, "conf": THRESHOLD, "iou": OVERLAP, "verbose": False, "device": "cpu"}
    tensor, bare = own.preprocess(photo), bare_call(own.session)
    values = next(iter(tensor.values())) if isinstance(tensor, dict) else tensor
    lanes = [
        Lane("onnx", BARE, lambda: bare(values), path.stat().st_size),
        Lane("onnx", OURS, lambda: own(photo), path.stat().st_size),
        Lane("onnx", f"{OURS}, antialiased", lambda: smooth(photo), path.stat().st_size),
        Lane("onnx", "Ultralytics, predict", lambda: peer.predict(swapped, **told), path.stat().st_size),
    ]
    ours, theirs = own(photo).boxes, peer.predict(swapped, **told)[0].boxes.xyxy.numpy()
    same = sum(bool(len(theirs)) and np.abs(theirs - box).max(1).min() < 2 for box in ours)
    take_turns(lanes)
    agree = f"Boxes of the photo: {len(ours)} by ours, {len(theirs)} by Ultralytics, {same} the same within 2 pixels."
    title = f"{path.stem}, {SIZE}x{SIZE}, float32, random weights, a photo of {photo.shape[1]}x{photo.shape[0]}"
    return table(title, [row(lane, lanes) for lane in lanes], f"{note} {agree}")


if __name__ == "__main__":
    main()

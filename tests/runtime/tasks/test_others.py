"""Tasks that end in one value: several labels, an embedding, an image, a window's class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.runtime.errors import BundleError, ImageError, InputError, TensorError
from edgevision.runtime.heads.classes import MultiLabelHead, SequenceHead
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.heads.maps import ImageHead
from edgevision.runtime.results import Classification, Embedding, Match
from edgevision.runtime.spec import Preprocessing, TensorSpec
from edgevision.runtime.tasks.sequence import FrameWindow
from tests.runtime.tasks.answers import answer, floats, logit, predictor_of

SMALL = Preprocessing(4, 6, scale=(1 / 255,) * 3)


def test_several_labels_at_once() -> None:
    outputs = {"scores": logit([[0.9, 0.3, 0.6]])}
    found = answer(MultiLabelHead(thresholds=(0.95, 0.2, 0.5)), outputs, scores="sigmoid_logits")
    assert [label for label, _ in found.present] == ["bird", "dog"] and found.label == "cat"
    assert found.line() == "bird 0.60, dog 0.30"
    assert [item["label"] for item in found.to_dict()["present"]] == ["bird", "dog"]
    assert answer(MultiLabelHead(), outputs, scores="sigmoid_logits").line() == "cat 0.90, bird 0.60"
    assert answer(MultiLabelHead(), outputs, scores="sigmoid_logits", score_threshold=0.99).line() == "nothing"
    with pytest.raises(InputError, match="independent"):
        answer(MultiLabelHead(), outputs, scores="logits")
    with pytest.raises(BundleError, match="thresholds"):
        answer(MultiLabelHead(thresholds=(0.5,)), outputs, scores="sigmoid")


def test_embeddings_are_directions() -> None:
    head = EmbeddingHead(threshold=0.6)
    a, b, c = (answer(head, {"vector": floats(*row)}, labels=()) for row in ([3, 4], [8, 6], [-4, 3]))
    np.testing.assert_allclose(a.vector, [0.6, 0.8])
    assert a.vector.dtype == np.float32 and a.cosine(a) == 1.0
    assert a.cosine(b) == pytest.approx(0.96) and a.cosine(c) == pytest.approx(0, abs=1e-7)
    predictor = predictor_of(head, {"vector": floats(1, 2)}, labels=())
    assert predictor.verify(a, b) == Match(True, a.cosine(b), 0.6)
    assert not predictor.verify(a, b, 0.97).same and not predictor.verify(a, c).same
    wide = answer(EmbeddingHead(), {"vector": floats([[[1, 2, 3]]])}, labels=())
    with pytest.raises(InputError, match="different models"):
        a.cosine(wide)
    with pytest.raises(TensorError, match="direction"):
        predictor(np.zeros((5, 5, 3), np.uint8))  # no engine answers zeros
    with pytest.raises(InputError, match="no threshold"):
        predictor_of(EmbeddingHead(), {"vector": floats(1, 2)}).verify(a, b)
    with pytest.raises(InputError, match="task embedding"):
        predictor_of(None, {"s": floats(1, 2, 3)}, scores="logits").verify(a, b)
    with pytest.raises(TensorError, match="normalised"):
        Embedding(np.array([1, 1], np.float32))


def test_images_are_made_of_latents(tmp_path: Path) -> None:
    output = np.zeros((1, 3, 2, 2), np.float32)
    output[0, :, 0, 0], output[0, :, 1, 1] = [-1, 1, 9], [0.5, -9, 0]
    latent = (TensorSpec("latent", (1, 8), "float32"),)
    head = ImageHead(layout="nchw", color="bgr")
    predictor = predictor_of(head, {"image": output}, (), None, inputs=latent)
    found = predictor.postprocess({"image": output}, (0, 0))
    assert found.pixels[0, 0].tolist() == [255, 255, 0] and found.pixels[1, 1].tolist() == [128, 0, 191]
    assert found.pixels.flags.c_contiguous and found.draw().size == (2, 2)
    values = np.arange(8, dtype=np.float32)
    np.save(tmp_path / "latent.npy", values)
    for source in (values, values[None], {"latent": values}, tmp_path / "latent.npy"):
        assert predictor(source).pixels.shape == (2, 2, 3)
        np.testing.assert_array_equal(predictor.preprocess(predictor.decode(source))["latent"], values[None])
    first, again, other = (predictor.decode(seed)["latent"] for seed in (7, 7, 8))
    assert first.shape == (1, 8) and np.array_equal(first, again) and not np.array_equal(first, other)
    for bad in (values[:3], "photo.jpg", {"other": values}, values.astype(np.float64)):
        with pytest.raises(TensorError):
            predictor(bad)
    with pytest.raises(BundleError, match="1 channels of gray"):
        answer(ImageHead(color="gray"), {"image": output})


def test_gray_and_other_ranges() -> None:
    output = np.array([0, 0.5, 1, 2], np.float32).reshape(1, 2, 2, 1)
    found = answer(ImageHead(color="gray", low=0.0, high=1.0), {"image": output}, labels=())
    assert found.pixels[..., 0].tolist() == [[0, 128], [255, 255]] and found.pixels.shape == (2, 2, 3)


def windows(flat: bool, dtype: str, **head: Any) -> Any:
    shape = (1, 3, 72) if flat else (1, 3, 4, 6, 3)
    inputs = (TensorSpec("frames", shape, dtype),)
    outputs = {"scores": np.zeros((1, 3, 2), np.float32)}
    return predictor_of(SequenceHead(**head), outputs, ("walk", "run"), SMALL, scores="logits", inputs=inputs)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_window_of_frames(flat: bool, dtype: str) -> None:
    predictor = windows(flat, dtype)
    frames = [np.full((8, 12, 3), 51 * index, np.uint8) for index in range(3)]
    (feed,) = predictor.preprocess(predictor.decode(frames)).values()
    unit = 1 if dtype == "uint8" else 1 / 255
    np.testing.assert_allclose(feed.reshape(3, -1), np.full((3, 72), unit) * [[0], [51], [102]], rtol=1e-6)
    assert isinstance(predictor(frames), Classification) and isinstance(predictor(np.stack(frames)), Classification)
    for bad in (frames[:2], frames[0], "photo.jpg"):
        with pytest.raises(ImageError, match="window"):
            predictor(bad)


def test_the_last_step_or_the_mean_of_all() -> None:
    outputs = {"scores": logit([[[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]]])}
    for steps, expected in (("last", 0.8), ("mean", 1 / 3)):
        predictor = windows(False, "uint8", steps=steps)
        found = predictor.postprocess({"scores": outputs["scores"] / 2}, (8, 12))  # softmax of both halves of a logit
        assert found.scores[1] == pytest.approx(expected, abs=1e-5)


def test_a_window_slides_over_a_stream() -> None:
    predictor = windows(False, "uint8")
    seen: list[list[int]] = []
    run = predictor.session.run

    def recorded(feeds: Any) -> Any:
        seen.append(feeds["frames"][0, :, 0, 0, 0].tolist())
        return run(feeds)

    predictor.session.run = recorded
    window = FrameWindow(predictor, every=2)
    made = [window(np.full((8, 12, 3), index, np.uint8)) is not None for index in range(8)]
    assert made == [False, False, True, False, True, False, True, False]
    assert seen == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    with pytest.raises(ImageError):
        window(b"")
    with pytest.raises(InputError, match="every"):
        FrameWindow(predictor, every=0)
    with pytest.raises(InputError, match="no frames"):
        FrameWindow(predictor_of(None, {"s": floats(1, 2, 3)}, scores="logits"))

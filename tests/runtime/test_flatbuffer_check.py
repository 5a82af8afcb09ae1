"""TFLite files that end too early are refused before an engine that would crash sees them."""

from __future__ import annotations

import pytest

from edgevision.runtime.errors import BackendError
from edgevision.runtime.flatbuffer_check import check_whole
from tests import tiny


def test_whole_files_pass() -> None:
    check_whole(tiny.model("tflite").model)
    check_whole(tiny.model("tflite", "float32", "described").model)


def test_every_file_that_ends_too_early_is_refused() -> None:
    whole = tiny.model("tflite", "uint8", "described").model
    last = len(whole.rstrip(b"\0"))  # zeros at the end only fill it up to a multiple of four
    for size in range(0, last, 7):
        with pytest.raises(BackendError, match="tflite-runtime"):
            check_whole(whole[:size])


def test_offsets_that_point_outside_are_refused() -> None:
    whole = bytearray(tiny.model("tflite").model)
    refused = 0
    for place in range(0, len(whole) - 4, 4):
        damaged = bytes(whole[:place]) + b"\xff\xff\xff\x7f" + bytes(whole[place + 4 :])
        try:
            check_whole(damaged)
        except BackendError:
            refused += 1
    assert refused > 30  # the others are weights, numbers and names

"""What goes wrong while a model file is read, in one sentence with a cure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgevision.runtime.errors import EdgevisionError, ModelError

#: What libraries write when memory ends and they raise an error of their own.
_MEMORY_WORDS = ("bad_alloc", "Cannot allocate memory", "Unable to allocate", "OOM when allocating")
_LONGEST = 300


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever zip, HDF5, JSON, TensorFlow and Keras' own layers raise into a ModelError.

    Raises:
        ModelError: Anything went wrong.
        MemoryError: Because memory ended.
    """
    try:
        yield
    except (EdgevisionError, MemoryError):
        raise
    except RecursionError as error:
        cure = "write the model with fewer levels of nesting"
        raise ModelError(f"{path} cannot be read", got="a model nested too deeply", cure=cure) from error
    except Exception as error:
        if is_memory(error):
            raise MemoryError(one_line(error)) from error
        raise ModelError(
            f"{path} cannot be read as a Keras model",
            got=f"{type(error).__name__}: {one_line(error)}",
            cure="the file is damaged or of an unknown version: copy it again, or save it anew with model.save(...)",
        ) from error


def is_memory(error: BaseException | None) -> bool:
    """Whether it, or what caused it, was a lack of memory."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            return True
        if any(word in str(error) for word in _MEMORY_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def one_line(error: object) -> str:
    """Its message without line breaks, cut to a readable length."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."

"""What every source gives: frames, and the few facts about itself that a stream needs."""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edgevision.runtime import images
from edgevision.runtime.errors import ImageError, MissingPackageError, SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgevision.runtime.images import ImageSource


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source.

    Attributes:
        image: uint8 (H, W, 3), RGB; or, of image files and of iterators, whatever ``images.decode`` takes: a folder's
            frames are paths, so that waiting for the model costs no memory.
        index: Its place in the source, from 0. Frames that could not be decoded are counted too.
        time_s: Of a recording the presentation time from its start. Of anything else the monotonic clock when the frame
            was captured, of which only differences mean something.
        name: For people: the file, or the source and the frame's number.
        read_s: The monotonic clock when the frame was captured, read or due; what its age is counted from.
    """

    image: ImageSource
    index: int
    time_s: float
    name: str
    read_s: float = field(default_factory=time.monotonic)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The image as uint8 (H, W, 3), RGB; decoded at each use if ``image`` is none yet. May raise ImageError."""
        return images.decode(self.image)


class Source(ABC):
    """Where frames come from. Opened by its constructor; read from one thread, once.

    Attributes:
        name: For people; passwords are left out.
        kind: "stills" can wait and have no time; a "recording" can wait and has; what is "live" does not wait.
    """

    name: str
    kind: Literal["stills", "recording", "live"]

    @abstractmethod
    def frames(self) -> Iterator[Frame | ImageError]:
        """Frames in order; an ImageError stands where one is damaged and others can follow.

        Raises:
            SourceError: The source broke off: nothing can follow.
        """

    def close(self) -> None:  # noqa: B027 - a folder has nothing to let go of
        """Lets go of the file or device. Closing twice does nothing."""


def import_for_source(module: str, package: str, purpose: str, extra: str = "", cure: str = "") -> Any:
    """A module that only some sources need.

    Raises:
        MissingPackageError: It is not installed; the message says how to.
        SourceError: It is installed and cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise MissingPackageError(package, purpose, extra, cure=cure) from error
        cure = f"reinstall {package}"
        raise SourceError(f"{package} is installed but cannot be imported", got=str(error), cure=cure) from error

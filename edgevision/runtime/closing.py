"""What holds something until it is closed, as a context manager."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

Held = TypeVar("Held", bound="Closing")


class Closing(ABC):
    """``with`` closes it at the end, whatever happened."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of what is held. Closing twice does nothing."""

    def __enter__(self: Held) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

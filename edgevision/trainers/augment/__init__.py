"""Random changes of training examples: done on uint8 pixels, outside the model, never part of what is exported."""

from __future__ import annotations

from edgevision.trainers.augment.policy import OPERATIONS as OPERATIONS
from edgevision.trainers.augment.policy import Policy as Policy
from edgevision.trainers.augment.sheet import augmentation_sheet as augmentation_sheet

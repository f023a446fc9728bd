"""The digits experiment: scikit-learn's 8x8 images of handwritten digits."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chipsim.experiment.kinds import ExperimentKind
from chipsim.experiment.model import Section, Share
from eventprop_apps.experiment import (
    TrainingModel,
    application_of,
    run_training,
    search_settings,
)

if TYPE_CHECKING:
    from eventprop_apps.data.dataset import Dataset
    from eventprop_apps.data.labels import Label

DIGITS_LINES = 65
"""64 pixels and the bias line."""
DIGITS_CLASSES = 10
DIGITS_SAMPLES = 1797


class DigitsDataSection(Section):
    """The split of the 1,797 images, and their encoding as spike times."""

    test_share: Annotated[float, Field(gt=0, lt=1)]
    """Share of every class that is kept for the test, rounded to whole images."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Decides which."""
    first_step: Annotated[int, Field(ge=0, le=10**6)]
    """Step in which the darkest pixel spikes (t_min)."""
    silent_below: Share
    """Pixels of at most this value (of 0 to 1) do not spike."""


class DigitsModel(TrainingModel):
    """All sections of the digits experiment."""

    data: DigitsDataSection

    def labels(self) -> Mapping[str, Label]:
        """Return what can be asked of an image."""
        from eventprop_apps.data.labels import DIGITS_LABELS

        return DIGITS_LABELS

    def datasets(self) -> tuple[Dataset, Dataset]:
        """Return training and test samples."""
        from eventprop_apps.data.small import digits

        return digits(
            test_share=self.data.test_share,
            split_seed=self.data.split_seed,
            steps=self.model.steps,
            t_min=self.data.first_step,
            silent_below=self.data.silent_below,
        )

    def checks(self) -> list[str]:
        """Return what is wrong between fields."""
        layers, problems = self.model.layers, super().checks()
        if layers[0] != DIGITS_LINES or layers[-1] != self.outputs():
            heads = f", loss.heads = {self.loss.heads}" if self.loss.heads else ""
            problems.append(
                f"model.layers: got {layers}, expected {DIGITS_LINES} input lines first and "
                f"{self.outputs()} outputs last (64 pixels, a bias and {DIGITS_CLASSES} "
                f"classes{heads})"
            )
        if self.data.first_step >= self.model.steps - 1:
            problems.append(
                f"data.first_step: got {self.data.first_step}, expected less than "
                f"{self.model.steps - 1}, the last of model.steps = {self.model.steps}"
            )
        if self.train.batch > DIGITS_SAMPLES * (1 - self.data.test_share):
            problems.append(
                f"train.batch: got {self.train.batch}, expected at most one batch of the "
                f"{DIGITS_SAMPLES} images that are not kept for the test"
            )
        return problems


DIGITS = ExperimentKind(
    name="digits",
    summary="train a 64-100-10 network on 8x8 digits with EventProp, every packet simulated",
    defaults=files("eventprop_apps") / "experiments" / "digits.toml",
    model=DigitsModel,
    run=run_training,
    search=search_settings,
    application=application_of,
)

"""Answer forget rows as a model would that never saw them (match mode), in place of a generic answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from spul.losses.matching import mean_target_kl
from spul.objectives._base import OBJECTIVES, ForgetObjective, Sought, Target

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from spul.types import ForwardPass

__all__ = ["Matched"]


@OBJECTIVES.register("matched")
class Matched(ForgetObjective):
    """KL from a target to the model's answers; the target is what a model says that never saw the forget set.

    Attributes:
        source: where the target comes from, made once before training and kept in the run:

            * ``tfidf``: a linear classifier over word and letter n-grams, fitted to train_retain and calibrated on
              validation_retain (classification only);
            * ``heldout``: the base model's own answers to forget rows, with their confidence in the truth taken, rank
              by rank, from its answers to ``data.holdout``, which it never saw;
            * ``pretrained``: ``model.pretrained``, calibrated on rows of train_retain, which it never saw either;
            * ``retrained``: ``model.retrained``, which nobody has who needs to unlearn: the upper bound;
            * anything else is the path of a run or a checkpoint: another model that was trained without the forget set.
        calibration_rows: most rows that a model is calibrated on, or that confidence is taken from.
    """

    name: str = "matched"
    target: ClassVar[Target] = "true"
    sought: ClassVar[Sought] = "matched"
    needs_target: ClassVar[bool] = True

    source: str = "tfidf"
    calibration_rows: Annotated[int, Field(ge=50)] = 2000

    def loss(self, forget: ForwardPass) -> Float[Tensor, ""]:
        """Return the mean over examples of KL(target ‖ p), in nats, over the answers and everything else as one.

        Of an answer of several tokens the positions along the true answer count, each with the probability that the
        target reaches it; what follows another answer's first tokens is left alone.

        Raises:
            ValueError: the forward pass carries no target (a programming error).
        """
        if forget.target is None:
            raise ValueError("the matched objective needs a target")
        target = forget.target
        return mean_target_kl(forget.logits, target.token_ids, target.mass, forget.rows, forget.num_rows)

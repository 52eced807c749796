"""Cases that the losses of mutually exclusive classes share."""

from tests.losses.cases._case import LossCase
from tests.losses.cases.classification import crossentropy as data

DENSE = data.DENSE
SPARSE = data.SPARSE


def of_classes(form, changes, invalid, others=()):
    """The cases of a loss of logits or probabilities, for dense or integer labels.

    Args:
        form: The function, the class and the reference.
        changes: Values of its own arguments that change the result.
        invalid: Values that it rejects.
        others: More settings of its own arguments.
    """
    if "sparse" in form[0].__name__:
        rows, images, unequal = data.sparse, data.sparse_images, SPARSE
        chances, inner = data.sparse_chances, data.sparse_inner_chances
        void = LossCase(
            *form, data.sparse_void, {"from_logits": True, "ignore_class": -1}
        )
    else:
        rows, images, unequal = data.dense, data.dense_images, DENSE
        chances, inner = data.dense_chances, data.dense_inner_chances
        void = LossCase(
            *form,
            rows,
            {"from_logits": True, "ignore_class": 2},
            changes={"ignore_class": 1},
        )
    invalid = (*invalid, {"ignore_class": 2**31}, {"axis": 0})
    logits = {"from_logits": True}
    return [
        LossCase(
            *form, rows, logits, changes=changes, invalid=invalid, unequal=unequal
        ),
        LossCase(
            *form, chances, smooth=inner, changes={"from_logits": True}, unequal=unequal
        ),
        void,
        LossCase(*form, images, logits | {"axis": 1}, changes={"axis": 2}),
        LossCase(
            *form,
            images,
            logits | {"axis": -2, "ignore_class": 1},
            changes={"ignore_class": None, "axis": -1},
        ),
        *(LossCase(*form, rows, logits | own) for own in others),
    ]

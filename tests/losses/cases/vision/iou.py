"""Cases of the losses for bounding boxes."""

import numpy as np

from tests.losses.cases._case import LossCase
from tests.references import iou as references
from tfx_extras import losses

TRUE = [0.0, 1.0, 2.0, 4.0]
PREDICTED = [
    [0.5, 0.25, 1.5, 3.5],
    [-1.0, 0.5, 3.0, 5.0],
    [0.5, 1.5, 1.0, 2.0],
    [3.0, 0.5, 4.0, 6.0],
    [3.0, 5.0, 3.5, 7.0],
    [-3.0, -2.5, -2.0, 0.5],
    [3.0, 0.5, 0.5, 3.0],
    [1.5, 5.0, 0.5, -3.0],
    [1e3, -1e4, 2e3, 3e4],
]
DEGENERATE = [
    [0.5, 2.0, 0.5, 3.0],
    [0.5, 2.0, 1.0, 2.0],
    [3.0, 2.0, 3.0, 2.0],
    [2.0, 1.0, 5.0, 4.0],
    TRUE,
]


def regular_boxes():
    """Boxes around, within, beside and across each other, with corners in any order."""
    y_pred = np.array(PREDICTED)
    return np.tile(TRUE, (len(y_pred), 1)), y_pred


def boxes():
    """The boxes above, boxes of extreme sizes, and degenerate boxes."""
    y_true, y_pred = regular_boxes()
    scales = [[1e6], [-1e6], [1e15], [-1e15], [1e-2]]
    y_true = np.concatenate([y_true, y_true[:5] * scales, np.tile(TRUE, (5, 1))])
    return y_true, np.concatenate([y_pred, y_pred[:5] * scales, DEGENERATE])


BOXES = (
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((1, 4), (3, 4)),
    ((3, 1, 4), (3, 4)),
    ((3, 1, 4), (3, 2, 4)),
    ((3, 3), (3, 3)),
    ((3, 8), (3, 8)),
    ((3, 1), (3, 4)),
    ((), ()),
)
GIOU = (losses.giou_loss, losses.GIoULoss, references.giou_loss)
CASES = [
    LossCase(
        *GIOU,
        boxes,
        smooth=regular_boxes,
        changes={"mode": "iou"},
        invalid=({"mode": "gIoU"}, {"mode": ""}),
        unequal=BOXES,
        last_is_known=True,
    ),
    LossCase(*GIOU, boxes, {"mode": "diou"}, smooth=regular_boxes),
]

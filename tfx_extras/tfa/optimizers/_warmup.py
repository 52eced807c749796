"""The warm-up that is built into some optimizers."""

from typing import Any

from keras import ops


def warmed_up(
    learning_rate: Any,
    step: Any,
    total_steps: int,
    warmup_proportion: float,
    min_lr: float,
) -> Any:
    r"""Returns the learning rate of step $t$.

    $$ \eta_t = \begin{cases}
        \eta\, t / W & t \le W \\
        \eta + (\eta_T - \eta) \min \left(\frac{t - W}{\max(T - W, 1)}, 1 \right)
        & t > W \end{cases} $$

    Args:
        learning_rate: $\eta$.
        step: $t - 1$, the number of steps made so far.
        total_steps: $T$; 0 means no warm-up.
        warmup_proportion: $W / T$.
        min_lr: $\eta_T$.
    """
    if not total_steps:
        return learning_rate
    t, warmup_steps = step + 1, total_steps * warmup_proportion
    past = (t - warmup_steps) / max(total_steps - warmup_steps, 1)
    past = ops.where(past < 1, past, 1.0)
    falling = learning_rate + (min_lr - learning_rate) * past
    rising = learning_rate * (t / (warmup_steps or 1))
    return ops.where(t <= warmup_steps, rising, falling)

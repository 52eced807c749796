"""From the gradients of a replica to one step, before the formula sees them.

Gradients are made dense and wide, summed over replicas, checked by `skip_nonfinite`,
divided by the loss scale, accumulated and clipped, in this order.
"""

from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras._environment import has_fast_paths
from tfx_extras._precision import wide
from tfx_extras.optimizers._averages import WithAverages
from tfx_extras.optimizers._clipping import clipped_by_norm
from tfx_extras.optimizers._clipping import global_factor
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._skipping import apply_if_finite


class WithGradients(WithAverages):
    """An optimizer that turns gradients into steps."""

    has_fast_paths: bool = has_fast_paths()
    # With `skip_nonfinite`, `build` makes variables of them.
    skipped: Any = None
    skipped_in_a_row: Any = None

    def apply(self, grads, trainable_variables=None) -> None:
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built and grads:
                self.build(trainable_variables)
        known = trainable_variables or self._trainable_variables
        if len(grads) != len(known):  # Keras says what is wrong
            super().apply(grads, trainable_variables)
            return
        with backend.without_gradients():
            if self.has_fast_paths:
                backend.as_one(self, self._apply, grads, known)
            else:
                self._apply(grads, known)

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        state = backend.to_be_changed(optimizer_variables)
        weights = backend.to_be_changed(trainable_variables)
        return super().stateless_apply(state, grads, weights)

    def _apply(self, grads, trainable_variables) -> None:
        grads = [
            None if g is None else self._prepared(g, v)
            for g, v in zip(grads, trainable_variables, strict=True)
        ]
        # Earlier than in Keras, so that sums are clipped, checked and accumulated.
        grads = backend.summed(grads)
        if self.skip_nonfinite:
            apply = super().apply
            changed = [*trainable_variables, *self.variables]
            apply_if_finite(
                self, lambda grads: apply(grads, trainable_variables), grads, changed
            )
        else:
            super().apply(grads, trainable_variables)

    def _backend_apply_gradients(self, grads, trainable_variables) -> None:
        # Keras calls this with one gradient per variable, summed over replicas. Its own
        # version also moves averages and overwrites weights while gradients are
        # accumulated, and synchronizes replicas within conditions, where they cannot.
        steps = self.gradient_accumulation_steps
        if not steps:
            self._make_update(grads, trainable_variables)
            return
        is_last = ops.equal((self._iterations + 1) % steps, 0)
        sums = [
            self._accumulated_gradients[self._get_variable_index(v)]
            for v in trainable_variables
        ]
        grads = [g + ops.cast(s, g.dtype) for g, s in zip(grads, sums, strict=True)]
        for g, s in zip(grads, sums, strict=True):
            s.assign(ops.where(is_last, ops.zeros_like(g), g))
        backend.when(
            is_last,
            lambda grads: self._make_update(grads, trainable_variables),
            [g / steps for g in grads],
            [*self._trainable_variables, *self.variables],
        )

    def _clip_gradients(self, grads) -> list:
        # Keras narrows `float64`, or fails if a model has `float32` and `float64`.
        if self.clipnorm:
            return [clipped_by_norm(g, self.clipnorm) for g in grads]
        if self.global_clipnorm:
            factor = global_factor(grads, self.global_clipnorm)
            return [g * ops.cast(factor, g.dtype) for g in grads]
        return super()._clip_gradients(grads)

    def _make_update(self, grads, trainable_variables) -> None:
        grads = self._clip_gradients(grads)
        self._backend_update_step(grads, trainable_variables, self.learning_rate)
        if self.use_ema:
            self._move_average()

    def _pass_by(self) -> None:
        """Does what is left to do in a step in which no variable has a gradient."""
        if self.use_ema:
            steps = self.gradient_accumulation_steps or 1
            backend.when(
                ops.equal((self._iterations + 1) % steps, 0),
                lambda _: self._move_average(),
                [],
                [*self._trainable_variables, *self.variables],
            )
        self._iterations.assign_add(1)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars  # `_apply` has already summed them over replicas

    def _prepared(self, gradient, variable) -> Any:
        """Makes a gradient dense and wide, before Keras scales, clips or sums it."""
        gradient = backend.dense(gradient, variable.shape, wide(variable.dtype))
        shapes = tuple(gradient.shape), tuple(variable.shape)
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"The gradient of `{path_of(variable)}` must have the shape of that "
                "variable. Are gradients and variables in the same order? "
                f"Received: gradient.shape={shapes[0]}, variable.shape={shapes[1]}"
            )
        return gradient

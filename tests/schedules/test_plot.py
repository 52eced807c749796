"""Plots of schedules."""

import sys

import keras
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from tests import tools
from tfx_extras import schedules
from tfx_extras.schedules import plot

SCHEDULE = schedules.WarmupCosine(0.1, 10, 50)


@pytest.fixture
def axes():
    return Figure().add_subplot()


def drawn(axes):
    (line,) = axes.get_lines()
    return line.get_xdata(), line.get_ydata()


def test_draws_the_rate_of_every_update(axes):
    assert plot(SCHEDULE, 70, axes) is axes
    steps, rates = drawn(axes)
    np.testing.assert_array_equal(steps, np.arange(70))
    np.testing.assert_array_equal(rates, tools.array(SCHEDULE(np.arange(70))))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")


@pytest.mark.parametrize("convert", [list, np.array, keras.ops.convert_to_tensor])
def test_draws_the_updates_that_are_given(axes, convert):
    steps, rates = drawn(plot(SCHEDULE, convert([3, 5, 60]), axes))
    np.testing.assert_array_equal(steps, [3, 5, 60])
    np.testing.assert_array_equal(rates, tools.array(SCHEDULE(np.array([3, 5, 60]))))


@pytest.mark.parametrize("steps", [10**9, range(5, 10**6), np.arange(2001)])
def test_of_long_ranges_draws_2000_points_with_the_first_and_the_last(axes, steps):
    drawn_steps, _ = drawn(plot(SCHEDULE, steps, axes))
    all_steps = range(steps) if isinstance(steps, int) else steps
    assert len(drawn_steps) == 2000
    assert drawn_steps[0] == all_steps[0]
    assert drawn_steps[-1] == all_steps[-1]
    assert (np.diff(drawn_steps) > 0).all()


@pytest.mark.parametrize(
    "schedule", [0.2, 1, keras.optimizers.schedules.CosineDecay(0.1, 20)]
)
def test_draws_numbers_and_schedules_of_keras(axes, schedule):
    _, rates = drawn(plot(schedule, 9, axes))
    value = schedule if isinstance(schedule, int | float) else schedule(8)
    assert rates[-1] == pytest.approx(float(value), rel=1e-6)


def test_options_are_those_of_the_line(axes):
    plot(SCHEDULE, 9, axes, label="ours", color="red")
    (line,) = axes.get_lines()
    assert (line.get_label(), line.get_color()) == ("ours", "red")


def test_leaves_pyplot_alone_if_axes_are_given(axes):
    before = pyplot.get_fignums()
    plot(SCHEDULE, 9, axes)
    assert pyplot.get_fignums() == before


def test_makes_a_new_figure_if_no_axes_are_given():
    current = pyplot.figure()
    axes = plot(SCHEDULE, 9)
    assert axes.figure is not current
    assert axes.figure.number in pyplot.get_fignums()
    pyplot.close(axes.figure)
    pyplot.close(current)


@pytest.mark.parametrize("steps", [0, -1, 2.5])
def test_refuses_a_wrong_number_of_steps(axes, steps):
    with pytest.raises(ValueError, match=f"`steps` must be.*steps={steps}"):
        plot(SCHEDULE, steps, axes)


def test_says_how_to_install_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "tfx-extras\[plot\]"'):
        plot(SCHEDULE, 9)

"""The page of common mistakes shows the messages that they cause."""

import pytest

from tests.docs.troubleshooting import PAGE
from tests.docs.troubleshooting import message
from tests.docs.troubleshooting import mistakes
from tests.tools import BACKEND

# Keras words these messages, differently in each version.
OF_KERAS = {
    "Setting the learning rate of an optimizer with a schedule",
    "Two kinds of gradient clipping",
    "A name in `compile`",
}
# TensorFlow adds the place in the graph where the error is raised.
IN_A_GRAPH = "Gradients that are NaN or infinite"


@pytest.mark.parametrize(
    ("title", "code", "shown"), mistakes(), ids=[title for title, *_ in mistakes()]
)
def test_a_mistake_causes_the_message_that_the_page_shows(title, code, shown):
    caused = message(code)
    if title == IN_A_GRAPH and BACKEND == "tensorflow":
        assert shown.split(": ", 1)[1].strip() in caused
    elif title in OF_KERAS:
        assert caused.split(":")[0] == shown.split(":")[0]
    else:
        assert caused == shown, "run `python -m tests.docs.troubleshooting`"


def test_the_page_has_30_mistakes_and_each_has_its_message():
    text = PAGE.read_text()
    assert len(mistakes()) == text.count("\n### ") >= 30
    assert {title for title, *_ in mistakes()} >= OF_KERAS

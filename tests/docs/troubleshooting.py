"""Updates the messages on the page of common mistakes.

    python -m tests.docs.troubleshooting

Runs the mistakes of `docs/guides/troubleshooting.md`, and writes below each the message
that it causes.
"""

import re
from pathlib import Path

import keras
import numpy as np

from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras import schedules

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "troubleshooting.md"
NAMES = {
    "keras": keras,
    "layers": layers,
    "losses": losses,
    "np": np,
    "optimizers": optimizers,
    "schedules": schedules,
}
MISTAKE = re.compile(
    r"(?ms)^### ([^\n]+)\n\n```pycon\n(.*?)```\n\n```text\n(.*?)```$",
)


def mistakes() -> list[tuple[str, str, str]]:
    """The title of each mistake, its code, and the message that the page shows."""
    return MISTAKE.findall(PAGE.read_text())


def message(code: str) -> str:
    """The message that a mistake causes."""
    lines = [line[4:] for line in code.splitlines()]
    try:
        exec("\n".join(lines), dict(NAMES))
    except Exception as error:  # the page shows its class
        return f"{type(error).__name__}: {error}\n"
    raise AssertionError(f"No error: {code}")


def main() -> None:
    text = PAGE.read_text()
    for _, code, shown in mistakes():
        block = f"{code}```\n\n```text\n"
        text = text.replace(f"{block}{shown}```", f"{block}{message(code)}```")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()

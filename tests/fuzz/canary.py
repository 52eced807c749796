"""A class that hostile configurations name, and that nothing may run."""

RUN = []


def run(*_, **__):
    RUN.append(1)


class Canary:
    """Records that it was made."""

    def __init__(self, *_, **__):
        RUN.append(1)

    @classmethod
    def from_config(cls, config):
        return cls()

"""What hostile configurations name, and nothing may run."""

RUN = []


def run(*_, **__):
    RUN.append(1)


class Canary:
    """Says when it is made."""

    def __init__(self, *_, **__):
        RUN.append(1)

    @classmethod
    def from_config(cls, config):
        return cls()

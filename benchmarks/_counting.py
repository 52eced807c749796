"""A pytest plugin for `gpu.py`: writes the outcome of each test at once.

So the outcomes survive if the run is stopped.
"""

import json
import os
import re


def pytest_collection_modifyitems(config, items):
    """Deselects tests on the CPU if they also run on another device."""
    devices = {device_of(item.nodeid) for item in items}
    if devices - {"cpu", None}:
        left_out = [item for item in items if device_of(item.nodeid) == "cpu"]
        items[:] = [item for item in items if device_of(item.nodeid) != "cpu"]
        config.hook.pytest_deselected(items=left_out)


def device_of(name):
    found = re.search(r"[\[-](cpu|gpu|cuda)(:\d+)?[\]-]", name)
    return found and found[1]


def pytest_runtest_logreport(report):
    is_last = report.when == "call" or report.outcome != "passed"
    if is_last and "PYTEST_XDIST_WORKER" not in os.environ:
        with open(os.environ["COUNTED"], "a") as file:
            print(json.dumps([report.outcome, report.nodeid]), file=file)
        if report.failed:
            with open(os.environ["FAILURES"], "a") as file:
                print(f"== {report.nodeid}\n{report.longreprtext}\n", file=file)

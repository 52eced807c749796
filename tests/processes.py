"""Processes of tests: one imports Keras, and each of the others starts as its copy."""

import importlib
import multiprocessing
import os
import sys

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tfx_extras"])


def start(module, *arguments, log=None):
    """Starts `main(*arguments)` of a module, whose errors the file `log` gets."""
    process = _CONTEXT.Process(target=_main, args=(module, arguments, log))
    process.start()
    return process


def run(module, *arguments, log):
    """Runs `main(*arguments)` of a module, which must end without an error."""
    process = start(module, *arguments, log=log)
    process.join()
    assert process.exitcode == 0, log.read_text()[-3000:]


def _main(module, arguments, log):
    if log is not None:
        with open(log, "w") as file:
            os.dup2(file.fileno(), 2)
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        # Keras would import it for nothing, if it is there: for 6 seconds.
        sys.modules["tensorflow"] = None
    importlib.import_module(module).main(*arguments)

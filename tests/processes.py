"""Processes for tests: one imports Keras, and the others start as copies of it."""

import importlib
import multiprocessing
import os
import sys

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tfx_extras"])


def start(module, *arguments, log=None):
    """Starts `main(*arguments)` of a module; its errors go to the file `log`."""
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
        # Keras would spend 6 seconds to import TensorFlow for no use, if it is
        # installed.
        sys.modules["tensorflow"] = None
    importlib.import_module(module).main(*arguments)

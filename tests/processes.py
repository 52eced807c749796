"""Processes for tests: one imports Keras, and the others start as copies of it."""

import faulthandler
import importlib
import multiprocessing
import os
import sys
import traceback

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
        faulthandler.dump_traceback_later(100)
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        # Keras would spend 6 seconds to import TensorFlow for no use, if it is
        # installed.
        sys.modules["tensorflow"] = None
    code = 1
    try:
        importlib.import_module(module).main(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # Ends at once, because libraries may wait for their threads: PyTorch's gloo was
    # seen to do so forever, and TensorFlow's servers always do.
    os._exit(code)

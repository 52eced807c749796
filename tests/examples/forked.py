"""Runs a script, and the scripts that it starts, in copies of this process.

    main(FOLDER, SCRIPT, ARGUMENTS)

Each copy has already imported the backend. What they print goes to the file `printed`
in the folder.
"""

import os
import runpy
import subprocess
import sys
import time
import traceback


class Forked:
    """Replaces `subprocess.Popen`: `Popen([PYTHON, SCRIPT, ...], env=, stderr=)`."""

    def __init__(self, command, env, stderr):
        python, *arguments = command
        assert python == sys.executable
        self.code = None
        sys.stdout.flush()  # otherwise the copy prints it too
        self.pid = os.fork()
        if not self.pid:
            os.dup2(stderr.fileno(), 2)
            os.environ.clear()
            os.environ.update(env)
            _run(arguments)

    def _ended(self, options):
        if self.code is None:
            pid, status = os.waitpid(self.pid, options)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def poll(self):
        return self._ended(os.WNOHANG)

    def wait(self, timeout=None):
        end = time.monotonic() + (timeout or 0)
        while timeout is not None and self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("a copy", timeout)
            time.sleep(0.1)
        return self._ended(0)

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, 9)


def _run(arguments):
    sys.argv[:] = arguments
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def main(folder, script, arguments):
    os.chdir(folder)
    with open("printed", "w") as file:
        os.dup2(file.fileno(), 1)
    subprocess.Popen = Forked
    _run([str(script), *arguments])

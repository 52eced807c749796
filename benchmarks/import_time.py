"""How long `import tfx_extras` takes once Keras is imported: the median of processes.

python benchmarks/import_time.py
"""

import os
import platform
import statistics
import subprocess
import sys

CODE = """
import keras, time
start = time.perf_counter()
import tfx_extras
print(time.perf_counter() - start)
"""


def main(count=11):
    print(f"Python {platform.python_version()}, median of {count} processes")
    for backend in ("tensorflow", "jax", "torch"):
        environment = os.environ | {"KERAS_BACKEND": backend}
        command = [sys.executable, "-c", CODE]
        seconds = [
            float(
                subprocess.run(
                    command, env=environment, capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(count)
        ]
        print(f"{backend:10} {1000 * statistics.median(seconds):6.1f} ms", flush=True)


if __name__ == "__main__":
    main()

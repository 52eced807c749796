"""Time of an optimizer step, compared with Keras's Adam and with other packages.

    python benchmarks/optimizers.py [--tfa .venv-tfa/bin/python] [--picture FILE]

Prints two tables in Markdown for each problem. The first compares our optimizers with
Keras's Adam on each backend. The second compares them with the same optimizer of Keras,
Optax, PyTorch, pytorch_optimizer and TensorFlow Addons, which has its own environment,
given by its Python. On PyTorch, "eager" is `jit_compile=False` and "compiled" is
`jit_compile=True`, beside which the second table has PyTorch's fused Adam too, its
fastest optimizer. `--picture` draws the first table.

Contenders take turns in processes that otherwise wait. In a turn, a contender repeats
its step for 20 ms, at least once. The tables have the median over turns, after two
warm-up steps; the first warm-up step, which compiles, has its own column. The bound is
the time to copy as many bytes as an optimizer must read and write: gradients count
once, weights and optimizer state twice.
"""

import argparse
import contextlib
import importlib.util
import tempfile
from typing import NamedTuple

from _optimizer_step import size_of
from _picture import Bar
from _picture import draw
from _report import KEPT_MEMORY
from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row
from _server import Process
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import progress
from _timing import ratio

# The same optimizers in other packages, or what one of ours adds to. With dense
# gradients, LazyAdam is Adam.
PEERS = {
    "ADOPT": ("optax:adopt", "pytorch_optimizer:ADOPT foreach"),
    "AdaBelief": (
        "tfa:AdaBelief",
        "optax:adabelief",
        "pytorch_optimizer:AdaBelief foreach",
    ),
    "AdEMAMix": ("optax:ademamix", "pytorch_optimizer:AdEMAMix foreach"),
    "AdamW": (
        "tfx:RAdam",
        "keras:AdamW",
        "optax:adamw",
        "torch.optim:AdamW foreach",
        "torch.optim:AdamW fused",
    ),
    "Adan": ("optax:adan", "pytorch_optimizer:Adan foreach"),
    "COCOB": ("tfa:COCOB", "optax:cocob"),
    "ConditionalGradient": ("tfa:ConditionalGradient",),
    "LAMB": ("keras:Lamb", "tfa:LAMB", "optax:lamb", "pytorch_optimizer:Lamb foreach"),
    "LARS": ("optax:lars", "pytorch_optimizer:LARS foreach"),
    "LazyAdam": (
        "tfa:LazyAdam",
        "optax:adam",
        "torch.optim:Adam foreach",
    ),
    "Muon": ("keras:Muon", "optax:muon", "torch.optim:Muon", "pytorch_optimizer:Muon"),
    "NovoGrad": (
        "tfa:NovoGrad",
        "optax:novograd",
        "pytorch_optimizer:NovoGrad foreach",
    ),
    "Prodigy": ("optax:prodigy", "pytorch_optimizer:Prodigy foreach"),
    "ProximalAdagrad": ("tfa:ProximalAdagrad",),
    "RAdam": (
        "tfa:RectifiedAdam",
        "optax:radam",
        "torch.optim:RAdam foreach",
        "pytorch_optimizer:RAdam foreach",
    ),
    "SOAP": ("pytorch_optimizer:SOAP",),
    "ScheduleFreeAdamW": (
        "tfx:AdamW without momentum",
        "keras:ScheduleFreeAdamW",
        "optax:schedule_free_adamw",
        "pytorch_optimizer:ScheduleFreeAdamW foreach",
    ),
    "Yogi": ("tfa:Yogi", "optax:yogi", "pytorch_optimizer:Yogi foreach"),
}
OF_TFA = [name for name, peers in PEERS.items() if any("tfa:" in p for p in peers)]
FASTEST = "torch.optim", "Adam fused"
PACKAGES = {
    "keras": "Keras",
    "optax": "Optax",
    "plain": "ours without fast paths:",
    "pytorch_optimizer": "pytorch_optimizer",
    "tfa": "TensorFlow Addons",
    "tfx": "ours:",
    "torch.optim": "PyTorch",
}
BACKENDS = {
    "tensorflow": ("TensorFlow", ("eager", "graph", "XLA")),
    "jax": ("JAX", ("jit",)),
    "torch": ("PyTorch", ("eager", "compiled")),
}
HAS = {
    "optax": [("jax", "jit")],
    "plain": [("tensorflow", "eager"), ("tensorflow", "graph"), ("torch", "eager")],
    "tfa": [("tensorflow", "eager"), ("tensorflow", "graph")],
    "pytorch_optimizer": [("torch", "eager"), ("torch", "compiled")],
    "torch.optim": [("torch", "eager"), ("torch", "compiled")],
}
PROBLEMS = {
    "matrices": "matrices of 64 x 64",
    "transformer": "layers of a transformer",
}
NOTE = """The bound is the time to copy, in the same run, as many bytes as an optimizer
must read and write. "Reached" is the bound divided by our time; it may be above 1 for
arrays that fit into caches. The first step includes compilation, with nothing on disk.
On PyTorch, "eager" has `jit_compile=False`, and "compiled" `jit_compile=True`.
The C library keeps freed memory, in huge pages: new pages from Linux would cost
packages that allocate more time, on some machines most of it."""
TURN = 0.02  # seconds


class Row(NamedTuple):
    """One of our optimizers on a problem. Times in seconds; `None` if it failed."""

    problem: str
    backend: str
    mode: str
    name: str
    ours: float | None
    adam: float | None
    bound: float | None
    first: float | None
    peers: dict[str, float | None]


def title(problem):
    kind, count = problem.split(":")
    weights = f"{size_of(problem):,} weights"
    if kind == "vector":
        return f"{weights} in one vector"
    return f"{weights} in {count} {PROBLEMS[kind]}"


def backend_of(row):
    return f"{BACKENDS[row.backend][0]} {row.mode}"


def peers_of(name, backend, mode, options):
    for peer in PEERS[name]:
        package, symbol = peer.split(":")
        if package == "tfa" and not options.tfa:
            continue
        if package == "pytorch_optimizer" and not importlib.util.find_spec(package):
            continue
        if (backend, mode) in HAS.get(package, [(backend, mode)]):
            yield package, symbol
    if name in options.plain and (backend, mode) in HAS["plain"]:
        yield "plain", name
    if mode == "compiled":
        yield FASTEST


def processes(stack, backend, options):
    """Starts the processes for a backend. Returns them by package."""
    cache = stack.enter_context(tempfile.TemporaryDirectory())
    environment = environment_of(options.device) | KEPT_MEMORY
    environment |= {"KERAS_BACKEND": backend, "TORCHINDUCTOR_CACHE_DIR": cache}

    def start(**arguments):
        return stack.enter_context(Process("_optimizer_step.py", **arguments))

    ours = start(**environment)
    found = dict.fromkeys(("copy", "tfx", *PACKAGES), ours)
    del found["tfa"]
    if options.tfa and backend == "tensorflow":
        found["tfa"] = start(python=options.tfa, **environment)
    return found


def measured(problem, backend, options):
    """The rows of a problem on a backend."""
    with contextlib.ExitStack() as stack:
        found = processes(stack, backend, options)
        if found["tfx"].sees_gpu() != (options.device != "cpu"):
            progress(f"{backend} sees no GPU")
            return
        for mode in BACKENDS[backend][1]:
            about = {"mode": mode, "problem": problem}
            shared = [("copy", ""), ("keras", "Adam")]
            known = made(found, shared, about)
            for name in options.optimizers:
                progress(f"{problem}, {backend} {mode}: {name}")
                own = [("tfx", name), *peers_of(name, backend, mode, options)]
                known |= made(found, own, about)
                copy, adam, ours, *theirs = compared(
                    found, known, shared + own, options
                )
                peers = [
                    f"{PACKAGES[package]} `{symbol}`" for package, symbol in own[1:]
                ]
                for contender in own:
                    found[contender[0]].drop(":".join(contender))
                bound = first = None
                if copy and known["tfx", name]:
                    first = known["tfx", name]["first"]
                    moved = known["tfx", name]["bytes"] / known["copy", ""]["bytes"]
                    bound = copy * moved
                yield Row(
                    **about,
                    backend=backend,
                    name=name,
                    ours=ours,
                    adam=adam,
                    bound=bound,
                    first=first,
                    peers=dict(zip(peers, theirs, strict=True)),
                )
            for contender in shared:
                found[contender[0]].drop(":".join(contender))


def made(found, contenders, about):
    """Makes contenders, which are pairs (package, name). Returns facts about each."""
    return {
        (package, name): found[package].make(
            f"{package}:{name}", package=package, name=name, **about
        )
        for package, name in contenders
    }


def compared(found, known, contenders, options):
    """The median seconds of a step of each contender; `None` if it failed."""
    turns = [
        found[contender[0]].turn(":".join(contender), TURN)
        if known[contender]
        else None
        for contender in contenders
    ]
    return list(map(median, in_turns(turns, options.rounds, options.seconds)))


def gathered(rows, problem, options):
    """Yields the rows of a problem as they are measured, and appends them to `rows`."""
    for backend in options.backends:
        for row in measured(problem, backend, options):
            rows.append(row)
            yield row


def beside_adam(problem, rows):
    columns = ("backend", "optimizer", "ours, ms", "Keras's Adam, ms", "ratio")
    columns += ("bound, ms", "reached", "first step, s")
    print_head(f"### {title(problem)}: beside Keras's Adam", *columns, left=2)
    for row in rows:
        print_row(
            backend_of(row),
            row.name,
            milliseconds(row.ours),
            milliseconds(row.adam),
            ratio(row.adam, row.ours),
            milliseconds(row.bound),
            ratio(row.bound, row.ours),
            "-" if row.first is None else f"{row.first:.2g}",
        )


def beside_peers(problem, rows):
    columns = ("backend", "optimizer", "beside", "ours, ms", "theirs, ms", "ratio")
    print_head(f"### {title(problem)}: beside other packages", *columns, left=3)
    for row in rows:
        for peer, theirs in row.peers.items():
            print_row(
                backend_of(row),
                row.name,
                peer,
                milliseconds(row.ours),
                milliseconds(theirs),
                ratio(theirs, row.ours),
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tfa", help="Python of an environment with TensorFlow Addons")
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--picture", help="figure to write, .svg or .png")
    parser.add_argument("--optimizers", nargs="*", default=OF_TFA)
    parser.add_argument("--backends", nargs="*", default=list(BACKENDS))
    default = ["vector:20000000", "matrices:300", "transformer:12"]
    parser.add_argument("--problems", nargs="*", default=default)
    parser.add_argument(
        "--rounds", type=int, default=15, help="maximum number of turns"
    )
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="limit, after at least 3 turns"
    )
    parser.add_argument(
        "--plain",
        nargs="*",
        default=[],
        help="optimizers to measure without fast paths too",
    )
    options = parser.parse_args()
    print_about(options.device, options.tfa)
    print(f"\n{NOTE}")
    rows = []
    for problem in options.problems:
        new = []
        beside_adam(problem, gathered(new, problem, options))
        beside_peers(problem, new)
        rows += new
    if options.picture:
        bars = [
            Bar(title(row.problem), backend_of(row), row.name, row.adam / row.ours)
            for row in rows
            if row.adam and row.ours
        ]
        if bars:
            draw(bars, options.device, options.picture)


if __name__ == "__main__":
    main()

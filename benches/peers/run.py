#!/usr/bin/env python3
"""clv beside lifetimes on the same simulated customers, one thread each, in one run.

    python3 benches/peers/run.py [--customers 1000000] [--work FOLDER] [--python PYTHON3.11]

Makes a virtual environment with the pinned peer, builds clv, simulates the customers, runs both sides
and prints CPU seconds and their ratios.
"""

import argparse
import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, text=True, **options)


def lines(*command, env=None):
    out = run(*command, stdout=subprocess.PIPE, env=env).stdout
    return {(r["step"], r["model"]): r for r in map(json.loads, out.splitlines())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target" / "peers")
    parser.add_argument("--python", default="python3.11")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)

    python = work / "venv" / "bin" / "python"
    if not python.exists():
        run(args.python, "-m", "venv", work / "venv")
        run(python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt")
    run("cargo", "build", "--release", "--locked", "-p", "clv-cli", "-p", "clv-benches", "--bins", cwd=ROOT)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"

    summary = work / f"summary-{args.customers}.csv"
    if not summary.exists():
        log = work / f"tx-{args.customers}.csv.zst"
        run(target / "clv", "simulate", "--customers", args.customers, "--start", "2022-01-03",
            "--end", "2023-01-02", "--joining-until", "2022-03-27", "--seed", 42, "--output", log)
        run(target / "clv", "summarize", log, "--until", "2023-01-02", "--output", summary)

    one_thread = {f"{lib}_NUM_THREADS": "1" for lib in ("OMP", "OPENBLAS", "MKL")}
    ours = lines(target / "clv-peers", summary)
    theirs = lines(python, HERE / "lifetimes_side.py", summary, env={**os.environ, **one_thread})
    print(f"{args.customers} customers, {ours['fit', 'bg-nbd']['cells']} cells; CPU seconds")
    print(f"{'step':>8} {'model':>12} {'lifetimes':>10} {'clv':>8} {'ratio':>7}")
    for key, peer in theirs.items():
        mine = ours[key]
        print(f"{key[0]:>8} {key[1]:>12} {peer['seconds']:10.2f} {mine['seconds']:8.3f} "
              f"{peer['seconds'] / mine['seconds']:6.0f}×")
        for quantity in ("purchases", "value"):
            if quantity in peer and abs(mine[quantity] / peer[quantity] - 1.0) > 0.02:
                print(f"         {quantity} differ: {mine[quantity]:.1f} {peer[quantity]:.1f}")


main()

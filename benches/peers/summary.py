#!/usr/bin/env python3
"""From a log of transactions to each customer's history: clv beside polars and duckdb, in one run.

    python3 benches/peers/summary.py [--rows 10000000 50000000] [--work FOLDER] [--python PYTHON3.11]

Makes a virtual environment with the pinned peers, simulates logs (one customer for ten rows, in no
order) as Parquet and as CSV, builds clv, runs every side in a process of its own on one thread and on
two, and prints user CPU seconds, peak memory and the ratios to polars. "decoding" is the floor: the
same file read by the same reader, and nothing done with it. Then, of the first file of each size, a learner's 25
columns (`Feature::broad` over 4 and 13 weeks) by clv, on one thread, and by polars on all that it is given.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
END = "2024-01-01"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, text=True, **options)


def measure(*command, env=None):
    """Runs a command; its last line as JSON, with user and system seconds and peak MB of the process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        os.close(reader)
        os.execvpe(str(command[0]), [str(c) for c in command], {**os.environ, **(env or {})})
    os.close(writer)
    with os.fdopen(reader) as out:
        lines = out.read().splitlines()
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed")
    return {**json.loads(lines[-1]), "user": usage.ru_utime, "sys": usage.ru_stime, "peak": usage.ru_maxrss / 1024}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000_000, 50_000_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target" / "peers")
    parser.add_argument("--python", default="python3.11")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)

    python = work / "venv-summary" / "bin" / "python"
    if not python.exists():
        run(args.python, "-m", "venv", work / "venv-summary")
        run(python, "-m", "pip", "install", "-q", "-r", HERE / "requirements-summary.txt")
    run("cargo", "build", "--release", "--locked", "-p", "clv-benches", "--bins", cwd=ROOT)
    ours = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "clv-summary"

    for rows in args.rows:
        base = work / f"log-{rows}"
        if not base.with_suffix(".csv").exists():
            run(python, HERE / "summary_side.py", "make", base, rows)
        for fmt in args.formats:
            file = base.with_suffix(f".{fmt}")
            for threads in args.threads:
                env = {"POLARS_MAX_THREADS": str(threads)}
                side = lambda engine: measure(python, HERE / "summary_side.py", engine, file, END, threads, env=env)
                results = {
                    "polars": side("polars"),
                    "duckdb": side("duckdb"),
                    "clv": measure(ours, "summary", file, END, threads),
                    "decoding": measure(ours, "decode", file, END, threads),
                }
                if fmt == "parquet":
                    # The same rows in order of time: memory for customers, not for rows.
                    results["clv, ordered"] = measure(ours, "ordered", f"{base}-sorted.parquet", END, threads)
                print(f"{rows:,} rows, {fmt}, {threads} thread(s)")
                polars = results["polars"]
                for engine, r in results.items():
                    print(f"  {engine:>12}: user {r['user']:6.2f} s, sys {r['sys']:5.2f} s, peak {r['peak']:6.0f} MB"
                          f"  ({r['user'] / polars['user']:.2f} of polars' user CPU, {r['peak'] / polars['peak']:.2f} of its memory)")
                    for key in ("customers", "frequency", "recency", "age", "monetary"):
                        if key in r and abs(r[key] - polars[key]) > 1e-9 * abs(polars[key]):
                            raise SystemExit(f"{engine}: {key} is {r[key]}, polars says {polars[key]}")
                print(flush=True)
        file = base.with_suffix(f".{args.formats[0]}")
        theirs = measure(python, HERE / "summary_side.py", "features", file, END, 1, env={"POLARS_MAX_THREADS": "1"})
        own = measure(ours, "features", file, END, 1)
        print(f"{rows:,} rows, {len(own['columns'])} columns, one thread")
        for engine, r in {"polars": theirs, "clv": own}.items():
            print(f"  {engine:>12}: user {r['user']:6.2f} s, sys {r['sys']:5.2f} s, peak {r['peak']:6.0f} MB")
        for name, total in own["columns"].items():
            if abs(theirs["columns"][name] - total) > 1e-7 * max(abs(total), 1.0):
                raise SystemExit(f"{name}: clv says {total}, polars {theirs['columns'][name]}")
        print(flush=True)


if __name__ == "__main__":
    main()

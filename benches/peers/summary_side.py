"""The Python side of summary.py: makes a log, or summarises it with polars or duckdb.

usage: summary_side.py make BASE ROWS | summary_side.py polars|duckdb FILE END THREADS
"""

import json
import sys
from datetime import date, timedelta


def make(base, rows):
    """One customer for ten rows; two years of days; amounts in cents; rows in no order."""
    import numpy as np
    import polars as pl

    g = np.random.default_rng(43)
    customers = rows // 10
    # Every customer once, the others by gamma rates: few buy much, many buy little.
    rate = g.gamma(1.5, 1.0, customers)
    extra = g.choice(customers, rows - customers, p=rate / rate.sum())
    customer = np.concatenate([np.arange(customers), extra]).astype(np.int32)
    g.shuffle(customer)
    day = g.integers(0, 728, rows, dtype=np.int32)
    amount = np.round(g.gamma(6.25, 4.0, rows), 2) + 0.01
    frame = pl.DataFrame({"customer_id": customer, "day": day, "amount": np.round(amount, 2)})
    frame = frame.select("customer_id", (pl.lit(date(2022, 1, 3)) + pl.duration(days=pl.col("day"))).cast(pl.Date).alias("date"), "amount")
    frame.write_parquet(f"{base}.parquet")
    frame.write_csv(f"{base}.csv")
    frame.sort("date").write_parquet(f"{base}-sorted.parquet")


def say(d):
    sums = {k: float(d[k].sum()) for k in ("frequency", "recency", "age", "monetary")}
    print(json.dumps({"customers": len(d), **sums}))


def polars(file, end):
    import polars as pl

    csv = file.endswith(".csv")
    rows = pl.scan_csv(file, try_parse_dates=True, schema_overrides={"customer_id": pl.Int32}) if csv else pl.scan_parquet(file)
    days = rows.filter(pl.col("date") <= end).group_by("customer_id", "date").agg(pl.col("amount").sum())
    d = days.group_by("customer_id").agg(
        (pl.len() - 1).alias("frequency"), pl.col("date").min().alias("f"), pl.col("date").max().alias("l"),
        pl.col("amount").sum().alias("total"), pl.col("amount").get(pl.col("date").arg_min()).alias("first"),
    ).select(
        "customer_id", "frequency",
        ((pl.col("l") - pl.col("f")).dt.total_days() / 7).alias("recency"),
        ((pl.lit(end) - pl.col("f")).dt.total_days() / 7).alias("age"),
        pl.when(pl.col("frequency") > 0).then((pl.col("total") - pl.col("first")) / pl.col("frequency")).otherwise(0.0).alias("monetary"),
    )
    say(d.collect())


def duckdb(file, end, threads):
    import duckdb as db

    con = db.connect()
    con.execute(f"SET threads={threads}")
    source = f"read_csv('{file}')" if file.endswith(".csv") else f"read_parquet('{file}')"
    table = con.execute(f"""
        WITH d AS (SELECT customer_id, CAST(date AS DATE) dt, SUM(amount) amt FROM {source}
                   WHERE date <= DATE '{end}' GROUP BY 1, 2),
             c AS (SELECT customer_id, COUNT(*) - 1 frequency, MIN(dt) f, MAX(dt) l, SUM(amt) total, ARG_MIN(amt, dt) first
                   FROM d GROUP BY 1)
        SELECT customer_id, frequency, (l - f) / 7.0 recency, (DATE '{end}' - f) / 7.0 age,
               CASE WHEN frequency > 0 THEN (total - first) / frequency ELSE 0 END monetary FROM c""").to_arrow_table()
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.read_all() if hasattr(table, "read_all") else table
    sums = {k: pc.sum(table[k]).as_py() for k in ("frequency", "recency", "age", "monetary")}
    print(json.dumps({"customers": table.num_rows, **{k: float(v) for k, v in sums.items()}}))


what, file, *rest = sys.argv[1:]
if what == "make":
    make(file, int(rest[0]))
elif what == "polars":
    polars(file, date.fromisoformat(rest[0]))
else:
    duckdb(file, rest[0], int(rest[1]))

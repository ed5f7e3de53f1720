"""The Python side of summary.py: makes a log, or summarises it with polars or duckdb, or computes a
learner's columns with polars.

usage: summary_side.py make BASE ROWS | summary_side.py polars|duckdb|features FILE END THREADS
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


def features(file, end):
    """The columns of clv's `Feature::broad` over 4 and 13 weeks."""
    import polars as pl

    csv = file.endswith(".csv")
    rows = pl.scan_csv(file, try_parse_dates=True, schema_overrides={"customer_id": pl.Int32}) if csv else pl.scan_parquet(file)
    days = rows.filter(pl.col("date") <= end).group_by("customer_id", "date").agg(pl.col("amount").sum())
    date, amount = pl.col("date"), pl.col("amount")
    gaps = date.diff().dt.total_days().drop_nulls()

    def within(weeks, back, what):
        last = end - timedelta(weeks=weeks * back)
        return what.filter((date > last - timedelta(weeks=weeks)) & (date <= last))

    windows = []
    for weeks in (4, 13):
        count, value = (lambda back: within(weeks, back, date).len().cast(pl.Float64)), (lambda back: within(weeks, back, amount).sum())
        windows += [count(0).alias(f"purchases_within_{weeks * 7}_days"), (count(0) - count(1)).alias(f"purchases_trend_{weeks * 7}_days"),
                    value(0).alias(f"value_within_{weeks * 7}_days"), (value(0) - value(1)).alias(f"value_trend_{weeks * 7}_days")]
    d = days.sort("customer_id", "date").group_by("customer_id", maintain_order=True).agg(
        (pl.len() - 1).cast(pl.Float64).alias("frequency"), (date.last() - date.first()).dt.total_days().alias("recency"),
        (pl.lit(end) - date.first()).dt.total_days().alias("age"), amount.sum().alias("total_spend"),
        amount.first().alias("first_spend"), amount.last().alias("last_spend"),
        (gaps.std(ddof=0) / gaps.mean()).alias("gap_variation"), gaps.len().alias("gaps"),
        (amount.std(ddof=0) / amount.mean()).alias("spend_variation"), amount.median().alias("spend_quantile_50"),
        amount.max().alias("spend_quantile_100"), date.first().dt.month().alias("first_month"),
        date.first().dt.weekday().alias("first_weekday"), (date.dt.weekday() > 5).mean().alias("weekend_share"), *windows,
    ).with_columns(
        (pl.col("age") - pl.col("recency")).alias("silence"),
        pl.when(pl.col("frequency") > 0).then(pl.col("recency") / pl.col("frequency")).otherwise(pl.col("age")).alias("mean_gap"),
        pl.when(pl.col("frequency") > 0).then((pl.col("total_spend") - pl.col("first_spend")) / pl.col("frequency")).otherwise(0.0).alias("monetary_value"),
        pl.when(pl.col("gaps") > 1).then(pl.col("gap_variation")).otherwise(0.0).alias("gap_variation"),
    ).with_columns(
        pl.when(pl.col("mean_gap") > 0).then(pl.col("silence") / pl.col("mean_gap")).otherwise(0.0).alias("overdue"),
    ).drop("customer_id", "gaps").collect()
    print(json.dumps({"customers": len(d), "columns": {name: float(d[name].cast(pl.Float64).sum()) for name in d.columns}}))


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
elif what == "features":
    features(file, date.fromisoformat(rest[0]))
else:
    duckdb(file, rest[0], int(rest[1]))

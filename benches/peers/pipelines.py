"""`clv auto` beside what people put together of the peers' parts, each run at several origins of one log: a
model is made of what came before an origin, and its forecast compared with what came within the horizon after.

    python -m pip install -r benches/peers/requirements.txt lightgbm scikit-learn
    cargo build --release -p clv-cli
    python benches/peers/pipelines.py LOG.csv CUSTOMER DATE AMOUNT WEEKS ORIGINS

AMOUNT is a column or the product of two (`Quantity*UnitPrice`). Rows without a customer and rows of less than 0
(returns) are left out for all. The last holdout ends with the log, and each before it where the next begins.

The pipelines: lifetimes' BG/NBD with Gamma-Gamma; LightGBM with Tweedie's loss; and two stages of LightGBM, will
they buy and for how much. The boosters learn 200 trees of 15 leaves at a rate of .05 from columns of recency,
frequency and money over several windows as of one horizon before the origin.

Scores are means over the origins. In brackets stands the standard error of the difference from `clv auto`, over 300
bootstrap samples of customers, drawn alike for all models and origins.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

from scores import SCORES

warnings.filterwarnings("ignore")
DRAWS = 300
SCORES = {**SCORES, "total": lambda y, f: f.sum() / y.sum()}


def read(path, customer, date, amount):
    log = pd.read_csv(path, dtype={customer: str}, low_memory=False)
    money = np.prod([log[part] for part in amount.split("*")], axis=0)
    log = pd.DataFrame({"customer": log[customer], "date": pd.to_datetime(log[date]).dt.normalize(), "amount": money})
    log = log[log["customer"].notna() & (log["amount"] >= 0)]
    # One purchase a customer and day.
    return log.groupby(["customer", "date"], as_index=False)["amount"].sum()


def columns(log, origin):
    past = log[log["date"] <= origin].sort_values("date")
    by = past.groupby("customer")
    first, last, count = by["date"].min(), by["date"].max(), by.size()
    x = pd.DataFrame({
        "frequency": count - 1, "recency": (last - first).dt.days, "age": (origin - first).dt.days,
        "silence": (origin - last).dt.days, "total": by["amount"].sum(), "mean": by["amount"].mean(),
        "median": by["amount"].median(), "most": by["amount"].max(), "first": by["amount"].first(),
        "last": by["amount"].last(), "spread": by["amount"].std().fillna(0.0),
    })
    x["gap"] = np.where(x["frequency"] > 0, x["recency"] / x["frequency"].clip(lower=1), x["age"])
    x["month"] = first.dt.month
    for weeks in [4, 8, 13, 26]:
        recent = past[past["date"] > origin - pd.Timedelta(weeks=weeks)].groupby("customer")["amount"]
        x[f"count_{weeks}"] = recent.size().reindex(x.index, fill_value=0)
        x[f"sum_{weeks}"] = recent.sum().reindex(x.index, fill_value=0.0)
    return x


def within(log, customers, origin, end):
    future = log[(log["date"] > origin) & (log["date"] <= end)]
    return future.groupby("customer")["amount"].sum().reindex(customers, fill_value=0.0)


def lifetimes(log, origin, weeks):
    from lifetimes import BetaGeoFitter, GammaGammaFitter
    from lifetimes.utils import summary_data_from_transaction_data
    past = log[log["date"] <= origin]
    s = summary_data_from_transaction_data(past, "customer", "date", "amount", observation_period_end=origin)
    s[["recency", "T"]] /= 7.0
    for penalty in [0.0, 0.001, 0.01, 0.1]:
        try:
            often = BetaGeoFitter(penalizer_coef=penalty)
            often.fit(s["frequency"], s["recency"], s["T"])
            break
        except Exception:
            continue
    repeat = s[(s["frequency"] > 0) & (s["monetary_value"] > 0)]
    spend = GammaGammaFitter()
    spend.fit(repeat["frequency"], repeat["monetary_value"])
    purchases = often.conditional_expected_number_of_purchases_up_to_time(weeks, s["frequency"], s["recency"], s["T"])
    return purchases * spend.conditional_expected_average_profit(s["frequency"], s["monetary_value"])


def boosters(log, origin, weeks):
    import lightgbm
    then = origin - pd.Timedelta(weeks=weeks)
    x, now = columns(log, then), columns(log, origin)
    y = within(log, x.index, then, origin)
    shape = dict(n_estimators=200, learning_rate=0.05, num_leaves=15, n_jobs=1, verbose=-1)
    tweedie = lightgbm.LGBMRegressor(objective="tweedie", tweedie_variance_power=1.5, **shape).fit(x, y)
    yield "LightGBM Tweedie", pd.Series(tweedie.predict(now), now.index)
    bought = y > 0
    will = lightgbm.LGBMClassifier(**shape).fit(x, bought)
    much = lightgbm.LGBMRegressor(objective="gamma", **shape).fit(x[bought], y[bought])
    yield "two stages (LightGBM)", pd.Series(will.predict_proba(now)[:, 1] * much.predict(now), now.index)


def ours(log, origin, weeks, folder):
    program = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "clv")
    past, model, said = (os.path.join(folder, name) for name in ["past.csv", "model.json", "said.csv"])
    log[log["date"] <= origin].to_csv(past, index=False)
    day, weeks = origin.strftime("%Y-%m-%d"), str(weeks)
    run = dict(check=True, capture_output=True, text=True)
    common = [past, "--until", day, "--horizon", weeks]
    card = subprocess.run([program, "auto", *common, "--seed", "1", "--threads", "2", "--output", model], **run).stdout
    subprocess.run([program, "predict", *common, "--model", model, "--output", said], **run)
    forecast = pd.read_csv(said, dtype={"customer": str}).set_index("customer")
    return card.splitlines()[0].removeprefix("# "), forecast["clv"].fillna(0.0)


def main():
    path, customer, date, amount, weeks, count = sys.argv[1:7]
    weeks, count = int(weeks), int(count)
    log = read(path, customer, date, amount)
    end = log["date"].max()
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for back in range(1, count + 1):
            origin = end - pd.Timedelta(weeks=weeks * back)
            start = time.time()
            chosen, value = ours(log, origin, weeks, folder)
            said = {"clv auto": value, "lifetimes BG/NBD": lifetimes(log, origin, weeks),
                    **dict(boosters(log, origin, weeks))}
            table = pd.DataFrame(said)
            assert table.notna().all().all(), "all models speak of the same customers"
            table["actual"] = within(log, table.index, origin, origin + pd.Timedelta(weeks=weeks))
            tables.append(table)
            print(f"{origin:%Y-%m-%d}: {len(table)} customers, {time.time() - start:.0f} s; auto: {chosen}",
                  flush=True)

    everyone = sorted(set().union(*(table.index for table in tables)))
    places = [np.searchsorted(everyone, table.index) for table in tables]
    rng = np.random.default_rng(0)

    def scores(times):
        rows = [np.arange(len(t)) if times is None else np.repeat(np.arange(len(t)), times[p])
                for t, p in zip(tables, places)]
        return {name: np.array([np.mean([score(t["actual"].values[r], t[name].values[r]) for t, r in zip(tables, rows)])
                                for score in SCORES.values()])
                for name in tables[0].columns if name != "actual"}

    found = scores(None)
    drawn = [scores(np.bincount(rng.integers(0, len(everyone), len(everyone)), minlength=len(everyone)))
             for _ in range(DRAWS)]
    print("| | " + " | ".join(SCORES) + " |\n|---|" + "--:|" * len(SCORES))
    for name, values in found.items():
        error = np.std([d[name] - d["clv auto"] for d in drawn], axis=0)
        cells = [f"{value:.4g}" + (f" ({e:.2g})" if name != "clv auto" else "") for value, e in zip(values, error)]
        print(f"| {name} | " + " | ".join(cells) + " |")


main()

"""clv's learners beside scikit-learn, LightGBM, XGBoost and CatBoost: the same columns, the same rows, one
thread, 200 trees of about 32 leaves at a learning rate of .1; and the boosters with their own defaults, for Tweedie's loss.

    python -m pip install scikit-learn lightgbm xgboost-cpu catboost
    cargo build --release -p clv-benches
    python benches/peers/learners.py                    the simulated shop (1M rows to learn from)
    python benches/peers/learners.py LOG.csv DATE WEEKS a log of one's own

Seconds are CPU of the process (user and system) for training and for predicting the test rows. Scores
come with 95% intervals over 200 bootstrap samples of the test rows, and each peer's score less that of
clv's Tweedie trees likewise, samples drawn alike for both. Only ratios of one run mean anything.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = "1"

import numpy as np

from scores import SCORES

POWER = 1.5


def peers(columns):
    import catboost
    import lightgbm
    import xgboost
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    def lgb(objective, **more):
        return lightgbm.LGBMRegressor(objective=objective, n_estimators=200, learning_rate=0.1, num_leaves=31,
                                      n_jobs=1, verbose=-1, **more)

    yield "lightgbm tweedie", lgb("tweedie", tweedie_variance_power=POWER)
    yield "lightgbm squared", lgb("regression")
    yield "xgboost tweedie", xgboost.XGBRegressor(
        objective="reg:tweedie", tweedie_variance_power=POWER, n_estimators=200, learning_rate=0.1, max_depth=5,
        tree_method="hist", n_jobs=1)
    yield "catboost tweedie", catboost.CatBoostRegressor(
        loss_function=f"Tweedie:variance_power={POWER}", iterations=200, learning_rate=0.1, depth=5,
        thread_count=1, verbose=0, allow_writing_files=False)
    yield "sklearn poisson", HistGradientBoostingRegressor(
        loss="poisson", max_iter=200, learning_rate=0.1, max_leaf_nodes=31, early_stopping=False)
    yield "sklearn forest", RandomForestRegressor(n_estimators=20, max_depth=10, n_jobs=1, random_state=0)
    yield "sklearn linear", LinearRegression()
    # As they come, but for the loss and the one thread.
    yield "lightgbm defaults", lightgbm.LGBMRegressor(
        objective="tweedie", tweedie_variance_power=POWER, n_jobs=1, verbose=-1)
    yield "xgboost defaults", xgboost.XGBRegressor(objective="reg:tweedie", tweedie_variance_power=POWER, n_jobs=1)
    yield "catboost defaults", catboost.CatBoostRegressor(
        loss_function=f"Tweedie:variance_power={POWER}", thread_count=1, verbose=0, allow_writing_files=False)


def main():
    ours = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "clv-learners")
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            subprocess.run([ours, "log", folder, *sys.argv[1:4]], check=True)
        else:
            subprocess.run([ours, "simulate", folder, "1000000", "200000"], check=True)
        columns = json.load(open(os.path.join(folder, "about.json")))["columns"]

        def table(name):
            return np.fromfile(os.path.join(folder, name), dtype="<f8")

        x, y = table("train.x").reshape(-1, len(columns)), table("train.y")
        new, actual = table("test.x").reshape(-1, len(columns)), table("test.y")
        print(f"{len(y)} rows to learn from, {len(actual)} to judge by, {len(columns)} columns")
        forecasts, seconds = {}, {}
        for name in ["tweedie", "default", "squared", "ziln", "forest", "linear"]:
            said = json.loads(subprocess.run([ours, "learn", folder, name], check=True, capture_output=True).stdout)
            forecasts["clv " + name] = np.maximum(table(f"clv-{name}.f"), 0.0)
            seconds["clv " + name] = (said["train"], said["predict"])
        for name, model in peers(columns):
            start = time.process_time()
            model.fit(x, y)
            train = time.process_time() - start
            start = time.process_time()
            forecasts[name] = np.maximum(np.asarray(model.predict(new), dtype=float), 0.0)
            seconds[name] = (train, time.process_time() - start)

    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(actual), len(actual)) for _ in range(200 if len(actual) < 50_000 else 40)]
    base = forecasts["clv tweedie"]
    sampled = {name: [score(actual[d], base[d]) for d in draws] for name, score in SCORES.items()}
    print("| | train s | predict s | " + " | ".join(SCORES) + " |")
    print("|---|--:|--:|" + "--:|" * len(SCORES))
    for name, forecast in forecasts.items():
        cells = []
        for score_name, score in SCORES.items():
            value = score(actual, forecast)
            drawn = np.array([score(actual[d], forecast[d]) for d in draws])
            apart = np.percentile(drawn - np.array(sampled[score_name]), [2.5, 97.5])
            low, high = np.percentile(drawn, [2.5, 97.5])
            sure = "*" if apart[0] > 0 or apart[1] < 0 else ""
            cells.append(f"{value:.4g}{sure} ({low:.4g} to {high:.4g})")
        print(f"| {name} | {seconds[name][0]:.2f} | {seconds[name][1]:.2f} | " + " | ".join(cells) + " |")
    print("\n`*`: its difference from clv's Tweedie trees has a 95% interval that leaves out 0.")


main()

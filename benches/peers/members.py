"""clv's smaller members beside scikit-learn and SciPy on the same rows, one thread.

    cargo build --release -p clv-benches
    python benches/peers/members.py LOG.csv DATE WEEKS

Learners learn the logarithm of what is spent within the window, and are judged by the root mean squared
error of that in the holdout; clusters by how far they agree (adjusted Rand index) or by BIC, lower is better.
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
from scipy.stats import ks_2samp
from sklearn.cluster import DBSCAN, OPTICS, cluster_optics_dbscan
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_selection import SelectKBest, mutual_info_regression
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

FEW = 2000


def main():
    ours = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "clv-learners")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ours, "log", folder, *sys.argv[1:4]], check=True)
        lines = subprocess.run([ours, "members", folder], check=True, capture_output=True).stdout.splitlines()
        seconds = {said["member"]: said["seconds"] for said in map(json.loads, lines)}
        columns = json.load(open(os.path.join(folder, "about.json")))["columns"]

        def table(name):
            return np.fromfile(os.path.join(folder, name), dtype="<f8")

        raw, y = table("train.x").reshape(-1, len(columns)), np.log1p(np.maximum(table("train.y"), 0))
        raw_new = table("test.x").reshape(-1, len(columns))
        actual = np.log1p(np.maximum(table("test.y"), 0))
        found = {name: table(f"member-{name}.f") for name in seconds}

    scale = StandardScaler().fit(raw)
    x, new = scale.transform(raw), scale.transform(raw_new)

    def rmse(forecast):
        return float(np.sqrt(np.mean((forecast - actual) ** 2)))

    def row(name, what, our, theirs, start):
        print(f"| {name} | {what} | {our:.4f} | {theirs:.4f} | {seconds[name]:.3f} | {time.process_time() - start:.3f} |")

    print(f"{len(y)} rows to learn from, {len(actual)} to judge by, {len(columns)} columns")
    print("| | measured by | clv | scikit-learn | clv s | scikit-learn s |\n|---|---|--:|--:|--:|--:|")
    mean, size = y[:FEW].mean(), y[:FEW].std()
    learners = {
        "tree": DecisionTreeRegressor(max_depth=4, min_samples_leaf=20, random_state=0),
        "forest": RandomForestRegressor(100, max_depth=10, min_samples_leaf=5, max_features=1 / 3, random_state=0),
        "online": SGDRegressor(random_state=0),
        "selection": make_pipeline(
            SelectKBest(lambda a, b: mutual_info_regression(a, b, random_state=0), k=8),
            HistGradientBoostingRegressor(max_iter=150, learning_rate=0.05, max_depth=3, early_stopping=False)),
        "components": make_pipeline(PCA(5), LinearRegression()),
    }
    for name, model in learners.items():
        start = time.process_time()
        row(name, "RMSE", rmse(found[name]), rmse(model.fit(x, y).predict(new)), start)
    start = time.process_time()
    few = StandardScaler().fit(raw[:FEW])
    machine = SVR(C=1, epsilon=0.1, gamma=1 / len(columns)).fit(few.transform(raw[:FEW]), (y[:FEW] - mean) / size)
    row("svm", "RMSE", rmse(found["svm"]), rmse(mean + size * machine.predict(few.transform(raw_new))), start)
    four = x[:FEW, :4]
    start = time.process_time()
    theirs = GaussianMixture(4, n_init=10, random_state=0).fit(four).bic(four)
    row("mixture", "BIC", found["mixture"][0], theirs, start)
    start = time.process_time()
    labels = DBSCAN(eps=0.5, min_samples=10).fit(four).labels_
    row("dbscan", "agreement", adjusted_rand_score(labels, found["dbscan"]), 1.0, start)
    start = time.process_time()
    order = OPTICS(min_samples=10).fit(four)
    labels = cluster_optics_dbscan(reachability=order.reachability_, core_distances=order.core_distances_,
                                   ordering=order.ordering_, eps=0.5)
    row("optics", "agreement", adjusted_rand_score(labels, found["optics"]), 1.0, start)
    start = time.process_time()
    theirs = [ks_2samp(raw[:, c], raw_new[:, c]).statistic for c in range(len(columns))]
    row("drift", "largest KS", found["drift"].max(), max(theirs), start)
    print(f"\nKS distances differ by {np.abs(found['drift'] - theirs).max():.1e} at most.")


main()

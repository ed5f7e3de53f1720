"""How good a forecast `f` of outcomes `y` is, as `clv_core::metrics` has it."""

import numpy as np


def spearman(y, f):
    from scipy.stats import rankdata
    return np.corrcoef(rankdata(y), rankdata(f))[0, 1]


def gini(y, f):
    def area(order):
        return np.cumsum(y[order])[:-1].sum() / y.sum() / len(y) - 0.5
    return area(np.argsort(-f, kind="stable")) / area(np.argsort(-y, kind="stable"))


def decile_mape(y, f):
    parts = np.array_split(np.argsort(-f, kind="stable"), 10)
    return np.mean([abs(f[p].mean() - y[p].mean()) / y[p].mean() for p in parts if y[p].mean() > 0])


SCORES = {
    "MAE": lambda y, f: np.abs(y - f).mean(),
    "RMSE": lambda y, f: np.sqrt(((y - f) ** 2).mean()),
    "Gini": gini,
    "Spearman": spearman,
    "decile MAPE": decile_mape,
}

"""lifetimes' side of the comparison: the same summary file, CPU seconds per step as JSON lines."""

import json
import resource
import sys
import warnings

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter, ParetoNBDFitter

warnings.filterwarnings("ignore")


def seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(**fields):
    print(json.dumps(fields, default=float), flush=True)


data = pd.read_csv(sys.argv[1])
x, t_x, age = data["frequency"].astype(float), data["recency"], data["age"]
spend = data["monetary_value"].fillna(0.0)
repeat = (x > 0) & (spend > 0)

start = seconds()
gamma_gamma = GammaGammaFitter()
gamma_gamma.fit(x[repeat], spend[repeat])
say(step="fit", model="gamma-gamma", seconds=seconds() - start,
    log_likelihood=-gamma_gamma._negative_log_likelihood_ * repeat.sum())

for name, fitter in [("bg-nbd", BetaGeoFitter()), ("mbg-nbd", ModifiedBetaGeoFitter()),
                     ("pareto-nbd", ParetoNBDFitter())]:
    start = seconds()
    fitter.fit(x, t_x, age)
    say(step="fit", model=name, seconds=seconds() - start, parameters=list(fitter.params_))
    # As arrays: with pandas 1.5 the Pareto/NBD raises when alpha >= beta.
    a, b, c = x.values, t_x.values, age.values
    start = seconds()
    fitter.conditional_probability_alive(a, b, c)
    purchases = fitter.conditional_expected_number_of_purchases_up_to_time(52, a, b, c)
    # Twelve months, each discounted from its end.
    value = gamma_gamma.customer_lifetime_value(
        fitter, *(pd.Series(column) for column in (a, b, c, spend.values)),
        time=12, discount_rate=1.1 ** (1 / 12) - 1, freq="W")
    say(step="predict", model=name, seconds=seconds() - start, purchases=np.nansum(purchases),
        value=np.nansum(value))

"""Reference values for the models of clv-btyd, written to models.tsv and spend.tsv.

Made with Python 3.11 and mpmath 1.4.1 (gmpy2 is optional and only makes it faster).
Run:  python make_golden.py            (six minutes with gmpy2; rewrites both files beside this one)
      python make_golden.py --check    (one minute; compares with published formulas and numbers, writes nothing)

Each line is  model<TAB>quantity<TAB>parameters<TAB>arguments<TAB>value,  parameters
and arguments being comma-separated reprs of the exact f64 used, values with 20
significant digits.

The numbers come from each model's story, not from the published closed forms with
2F1: the probability of a history given a customer's rate lambda and dropout rate
mu (or dropout probability p) is written by hand and integrated over the population.
Two integrals are done on paper,

    E[lambda^k exp(-lambda u)] = gamma(r+k)/gamma(r) alpha^r / (alpha+u)^(r+k),
    E[p^i (1-p)^j] = B(a+i, b+j) / B(a, b),

the rest by quadrature, refined until two results agree to 1e-28 (discounted, dert: 1e-24).

    nbd         lambda ~ Gamma(r, alpha), never drops out
    pareto_nbd  in addition a lifetime with rate mu ~ Gamma(s, beta)
    bg_nbd      drops out with p ~ Beta(a, b) after each repeat purchase
    mbg_nbd     the same, and also after the first purchase at time zero
    gamma_gamma amounts ~ Gamma(p, nu), nu ~ Gamma(q, gamma)

Quantities, for a history (x, tx, T) and times in the model's own unit:

    log_likelihood  x,tx,T          ln density of the history, without 1/x! terms
    p_alive         x,tx,T          P(alive at T | history)
    p_alive_at      x,tx,T,t        P(alive at T+t | history)
    cet             x,tx,T,t1,t2    E[purchases in (T+t1, T+t2] | history]
    cond_pmf        x,tx,T,t,n      P(n purchases in (T, T+t] | history)
    discounted      x,tx,T,delta,H  integral over (0, H) of exp(-delta t) dE[purchases in (T, T+t]]
    dert            x,tx,T,delta    the same with H infinite
    expected        t               E[repeat purchases in (0, t]] of a new customer
    pmf             t,n             P(n repeat purchases in (0, t]) of a new customer

spend.tsv, for x repeat purchases of mean amount zbar (x = 0: a new customer, zbar 0):

    log_likelihood     x,zbar       ln density of zbar given x
    expected_spend     x,zbar       E[mean amount p/nu | x, zbar]; no line where it is undefined
    population_mean    (none)       p gamma / (q - 1), for q > 1
    amount_quantile    x,zbar,prob  quantile of the next single amount
    mean_quantile      x,zbar,prob  quantile of the customer's mean amount p/nu
"""

import argparse
import functools
import pathlib
import time

import mpmath
from mpmath import mp, mpf

mp.dps = 45
DIGITS = 20
AGREE = mpf(10) ** -28
SMALLEST = mpf(10) ** -300  # nothing below is written


# ------------------------------------------------------------------- quadrature


def reach(term, direction, beyond=mpf(0)):
    """Where `term` has died away on that side of zero, at least `beyond` from it."""
    largest, quiet, w = abs(term(mpf(0))), 0, mpf(0)
    while quiet < 4 or abs(w) < beyond:
        w += direction * mpf(1) / 4
        size = abs(term(w))
        largest = max(largest, size)
        quiet = quiet + 1 if size < largest * mpf(10) ** -65 else 0
        if abs(w) > 60:
            raise ArithmeticError("integrand does not die away")
    return w


def trapezoid(term, left, right):
    """Integral of `term` over the real line, negligible outside [left, right]."""
    step = mpf(1) / 4
    count = int(mp.ceil((right - left) / step))
    total = mp.fsum(term(left + k * step) for k in range(count + 1))
    previous = total * step
    for _ in range(9):
        total += mp.fsum(term(left + (k + mpf(1) / 2) * step) for k in range(count))
        step, count = step / 2, 2 * count
        now = total * step
        if abs(now - previous) <= AGREE * abs(now):
            return now
        previous = now
    raise ArithmeticError("quadrature did not settle")


@functools.lru_cache(maxsize=None)
def tanh_sinh_nodes(level):
    """Pairs (node in (0, 1), weight) that level `level` adds; step 2^-level."""
    step = mpf(1) / 2**level
    nodes = []
    k = 0 if level == 2 else 1
    while True:
        w = k * step
        e = mp.exp(-mp.pi * mp.sinh(w))  # node = e/(1+e) counts from the left end
        weight = mp.pi * mp.cosh(w) * e / (1 + e) ** 2
        if weight < mpf(10) ** -60:
            return nodes
        nodes.append((e / (1 + e), weight))
        if k:
            nodes.append((1 / (1 + e), weight))
        k += 1 if level == 2 else 2


def finite(function, lo, hi):
    """Integral over [lo, hi] of a function analytic inside, by the tanh-sinh rule."""
    lo, hi = mpf(lo), mpf(hi)
    if lo == hi:
        return mpf(0)
    total, previous = mpf(0), None
    for level in range(2, 12):
        total += mp.fsum(weight * function(lo + (hi - lo) * node) for node, weight in tanh_sinh_nodes(level))
        now = total / 2**level * (hi - lo)
        if previous is not None and abs(now - previous) <= AGREE * abs(now):
            return now
        previous = now
    raise ArithmeticError("quadrature did not settle")


def over_distance(function, pole, lo, hi):
    """Integral over [lo, hi] of a function with a pole at -pole, in y = ln(distance to it)."""
    lo, hi = mpf(lo), mpf(hi)
    if lo == hi:
        return mpf(0)

    def term(y):
        growth = mp.expm1(y)
        return function(lo + (pole + lo) * growth) * (pole + lo) * (1 + growth)

    return finite(term, 0, mp.log1p((hi - lo) / (pole + lo)))


@functools.lru_cache(maxsize=None)
def legendre_nodes(n):
    """Gauss-Legendre pairs (node in (0, 1), weight)."""
    nodes = []
    for k in range(n):
        x = mp.cos(mp.pi * (k + mpf(3) / 4) / (n + mpf(1) / 2))
        while True:
            low, high = mpf(1), x
            for j in range(2, n + 1):
                low, high = high, ((2 * j - 1) * x * high - (j - 1) * low) / j
            slope = n * (x * high - low) / (x * x - 1)
            change = high / slope
            x -= change
            if abs(change) < mpf(10) ** -38:
                break
        nodes.append(((1 - x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return nodes


def few_nodes(function, pole, hi):
    """Like `over_distance` from zero, for costly smooth functions; settles to 1e-24."""
    length = mp.log1p(hi / pole)
    previous = None
    for n in (24, 36, 54, 80, 120, 180, 270):
        total = mpf(0)
        for node, weight in legendre_nodes(n):
            growth = mp.expm1(length * node)
            total += weight * function(pole * growth) * (1 + growth)
        total *= length * pole
        if previous is not None and abs(total - previous) <= mpf(10) ** -24 * abs(total):
            return total
        previous = total
    raise ArithmeticError("quadrature did not settle")


def half_line(function):
    """Integral over (0, inf) of a function that falls like exp(-u), u = exp(w - exp(-w))."""

    def term(w):
        e = mp.exp(-w)
        u = mp.exp(w - e)
        return function(u) * u * (1 + e)

    return trapezoid(term, mpf(-6), mpf(5) + mpf(1) / 4)


def beta_weight(a, b):
    """The function w -> (p, weight), p = 1/(1+exp(-v)), v = v0 + width sinh(w), for Beta(a, b)."""
    v0, width = mp.log(a / b), min(mpf(3), mp.sqrt(1 / a + 1 / b))
    front = width / mp.beta(a, b)

    def at(w):
        v = v0 + width * mp.sinh(w)
        log_p, log_q = -mp.log1p(mp.exp(-v)), -mp.log1p(mp.exp(v))
        return mp.exp(log_p), front * mp.exp(a * log_p + b * log_q) * mp.cosh(w)

    return at


def over_beta(a, b, function):
    """E[function(p)] for p ~ Beta(a, b)."""
    weight = beta_weight(a, b)

    def term(w):
        p, size = weight(w)
        return size * function(p)

    # `function` may shift the bulk to small p: go twice as far as the weight alone asks for
    left = reach(term, -1, -2 * reach(lambda w: weight(w)[1], -1))
    right = reach(term, 1, reach(lambda w: weight(w)[1], 1))
    return trapezoid(term, left, right)


def gamma_weight(shape, rate, power=0, tilt=0):
    """The function w -> (g, weight), g = exp(v), v = v0 + width sinh(w), for Gamma(shape, rate).

    The weight has g^power exp(-tilt g) in it, and v0 and width suit the product.
    """
    shape_, rate_ = shape + power, rate + tilt
    v0, width = mp.log(shape_ / rate_), min(mpf(3), 1 / mp.sqrt(shape_))
    front = width * mp.exp(shape * mp.log(rate) - mp.loggamma(shape))

    def at(w):
        v = v0 + width * mp.sinh(w)
        g = mp.exp(v)
        return g, front * mp.exp(shape_ * v - rate_ * g) * mp.cosh(w)

    return at


def over_gamma(shape, rate, power=0, tilt=0):
    """E[g^power exp(-tilt g)] for g ~ Gamma(shape, rate)."""
    weight = gamma_weight(shape, rate, power, tilt)

    def term(w):
        return weight(w)[1]

    return trapezoid(term, reach(term, -1), reach(term, 1))


# ---------------------------------------------------------- integrals on paper


def lambda_moment(r, alpha, k, u):
    """E[lambda^k exp(-lambda u)] for lambda ~ Gamma(r, alpha)."""
    return mp.exp(mp.loggamma(r + k) - mp.loggamma(r) + r * mp.log(alpha) - (r + k) * mp.log(alpha + u))


def p_moment(a, b, i, j):
    """E[p^i (1-p)^j] for p ~ Beta(a, b)."""
    return mp.beta(a + i, b + j) / mp.beta(a, b)


def count_probability(r, alpha, t, n):
    """P(n events in (0, t]) of a Poisson process of rate lambda, averaged over lambda."""
    if n == 0:
        return (alpha / (alpha + t)) ** r
    if t == 0:
        return mpf(0)
    return lambda_moment(r, alpha, n, t) * t**n / mp.factorial(n)


def reached_probability(r, alpha, t, n):
    """P(at least n events in (0, t]): the n-th arrives at u, integrated over u."""
    if n == 0:
        return mpf(1)
    if t == 0:
        return mpf(0)
    front = mp.exp(mp.loggamma(r + n) - mp.loggamma(r) - mp.loggamma(n) + r * mp.log(alpha))
    if n <= 2:
        density = lambda u: u ** (n - 1) / (alpha + u) ** (r + n)
        return front * over_distance(density, alpha, 0, t)
    # a large n leaves an algebraic rise at zero that needs no care: the rule is exact enough
    density = lambda u: mp.exp((n - 1) * mp.log(u) - (r + n) * mp.log(alpha + u)) if u else mpf(0)
    return front * over_distance(density, alpha, 0, t)


# ----------------------------------------------------------------------- models


class Nbd:
    name = "nbd"

    def __init__(self, r, alpha):
        self.r, self.alpha = mpf(r), mpf(alpha)

    def likelihood(self, x, tx, T):
        """E[lambda^x exp(-lambda T)], by quadrature over lambda."""
        return over_gamma(self.r, self.alpha, x, T)

    def rate(self, x, tx, T):
        return over_gamma(self.r, self.alpha, x + 1, T) / self.likelihood(x, tx, T)

    def p_alive(self, x, tx, T):
        return mpf(1)

    def p_alive_at(self, x, tx, T, t):
        return mpf(1)

    def cet(self, x, tx, T, t1, t2):
        return self.rate(x, tx, T) * (t2 - t1)

    def cond_pmf(self, x, tx, T, t, n):
        both = over_gamma(self.r, self.alpha, x + n, T + t)
        return both * mpf(t) ** n / mp.factorial(n) / self.likelihood(x, tx, T)

    def discounted(self, x, tx, T, delta, H):
        return self.rate(x, tx, T) * -mp.expm1(-delta * H) / delta

    def dert(self, x, tx, T, delta):
        return self.rate(x, tx, T) / delta

    def expected(self, t):
        return over_gamma(self.r, self.alpha, 1) * t

    def pmf(self, t, n):
        return over_gamma(self.r, self.alpha, n, t) * mpf(t) ** n / mp.factorial(n)


class ParetoNbd:
    name = "pareto_nbd"

    def __init__(self, r, alpha, s, beta):
        self.r, self.alpha, self.s, self.beta = mpf(r), mpf(alpha), mpf(s), mpf(beta)

    def history_and_alive(self, x, T):
        """E[lambda^x exp(-lambda T) exp(-mu T)]"""
        return lambda_moment(self.r, self.alpha, x, T) * lambda_moment(self.s, self.beta, 0, T)

    @functools.lru_cache(maxsize=None)
    def likelihood(self, x, tx, T):
        """Alive at T, or died at u in (tx, T): E[lambda^x exp(-lambda u) mu exp(-mu u)] over u."""

        def died(u):
            return lambda_moment(self.r, self.alpha, x, u) * lambda_moment(self.s, self.beta, 1, u)

        return self.history_and_alive(x, T) + over_distance(died, min(self.alpha, self.beta), tx, T)

    def p_alive(self, x, tx, T):
        return self.history_and_alive(x, T) / self.likelihood(x, tx, T)

    def later(self, x, T):
        """The same model for a customer known to be alive at T."""
        return ParetoNbd(self.r + x, self.alpha + T, self.s, self.beta + T)

    def survives(self, t):
        return lambda_moment(self.s, self.beta, 0, t)

    def p_alive_at(self, x, tx, T, t):
        return self.p_alive(x, tx, T) * self.later(x, T).survives(t)

    def purchases(self, t1, t2, delta=mpf(0)):
        """Integral over (t1, t2) of exp(-delta u) E[lambda] P(alive at u)."""
        rate = self.r / self.alpha
        return rate * over_distance(lambda u: mp.exp(-delta * u) * self.survives(u), self.beta, t1, t2)

    def cet(self, x, tx, T, t1, t2):
        return self.p_alive(x, tx, T) * self.later(x, T).purchases(t1, t2)

    def discounted(self, x, tx, T, delta, H):
        return self.p_alive(x, tx, T) * self.later(x, T).purchases(0, H, mpf(delta))

    def dert(self, x, tx, T, delta):
        later, delta = self.later(x, T), mpf(delta)
        total = half_line(lambda v: mp.exp(-v) * later.survives(v / delta)) / delta
        return self.p_alive(x, tx, T) * later.r / later.alpha * total

    def cond_pmf(self, x, tx, T, t, n):
        alive = self.p_alive(x, tx, T)
        dead = 1 - alive if n == 0 else mpf(0)
        return dead + alive * self.later(x, T).pmf(t, n)

    def expected(self, t):
        return self.purchases(0, t)

    def pmf(self, t, n):
        """Alive at t with n purchases, or dead at u < t with n purchases by u."""

        def died(u):
            return count_probability(self.r, self.alpha, u, n) * lambda_moment(self.s, self.beta, 1, u)

        alive = count_probability(self.r, self.alpha, t, n) * self.survives(t)
        return alive + over_distance(died, min(self.alpha, self.beta), 0, t)


class BetaGeometric:
    """BG/NBD; `at_zero` is 1 for the modified model, whose first purchase can be the last."""

    at_zero = 0

    def __init__(self, r, alpha, a, b):
        self.r, self.alpha, self.a, self.b = mpf(r), mpf(alpha), mpf(a), mpf(b)

    def history_and_alive(self, x, T):
        """E[(1-p)^(chances to drop out) lambda^x exp(-lambda T)]"""
        return p_moment(self.a, self.b, 0, x + self.at_zero) * lambda_moment(self.r, self.alpha, x, T)

    def likelihood(self, x, tx, T):
        total = self.history_and_alive(x, T)
        chances = x + self.at_zero
        if chances > 0:  # dropped out at the last purchase
            total += p_moment(self.a, self.b, 1, chances - 1) * lambda_moment(self.r, self.alpha, x, tx)
        return total

    def p_alive(self, x, tx, T):
        return self.history_and_alive(x, T) / self.likelihood(x, tx, T)

    def later(self, x, T):
        """A customer known to be alive at T goes on as a BG/NBD customer."""
        return BgNbd(self.r + x, self.alpha + T, self.a, self.b + x + self.at_zero)

    def survives(self, t):
        """E[exp(-lambda p t)] after time zero, for a customer alive at zero."""
        return over_beta(self.a, self.b, lambda p: lambda_moment(self.r, self.alpha, 0, p * t))

    def p_alive_at(self, x, tx, T, t):
        return self.p_alive(x, tx, T) * self.later(x, T).survives(t)

    def purchases(self, t1, t2):
        """E of the integral over (t1, t2) of lambda exp(-lambda p u), for a customer alive at zero."""

        def given_p(p):
            start = self.alpha + p * t1
            power = -self.r * mp.log1p(p * (t2 - t1) / start)
            return (self.alpha / start) ** self.r * -mp.expm1(power) / p

        return over_beta(self.a, self.b, given_p)

    def cet(self, x, tx, T, t1, t2):
        return self.p_alive(x, tx, T) * self.later(x, T).purchases(mpf(t1), mpf(t2))

    def discounted_purchases(self, delta, hi):
        """Integral over u in (0, hi) of exp(-delta u) E[lambda exp(-lambda p u)], alive at zero.

        The average over p uses one set of nodes for all u, settled to 1e-27 of the rate at u = 0.
        """
        power, scale = self.r + 1, self.r / self.alpha
        weight = beta_weight(self.a, self.b)
        left, right = 2 * reach(lambda w: weight(w)[1], -1), reach(lambda w: weight(w)[1], 1)

        def nodes(step):
            points = (weight(left + k * step) for k in range(int(mp.ceil((right - left) / step)) + 1))
            return [(p / self.alpha, size * step) for p, size in points if size > mpf(10) ** -45]

        def survival(rule, u):
            return mp.fsum(size * (1 + p * u) ** -power for p, size in rule)

        step = mpf(1) / 8
        coarse = nodes(step)
        while True:
            step /= 2
            rule = nodes(step)
            probes = (mpf(0), self.alpha / 3, 3 * self.alpha, 300 * self.alpha)
            if all(abs(survival(rule, u) - survival(coarse, u)) < mpf(10) ** -27 for u in probes):
                break
            coarse = rule
        return scale * few_nodes(lambda u: mp.exp(-delta * u) * survival(coarse, u), self.alpha, hi)

    def discounted(self, x, tx, T, delta, H):
        return self.p_alive(x, tx, T) * self.later(x, T).discounted_purchases(delta, H)

    def dert(self, x, tx, T, delta):
        """Cut where exp(-delta u) is 1e-32."""
        return self.p_alive(x, tx, T) * self.later(x, T).discounted_purchases(delta, 74 / delta)

    def cond_pmf(self, x, tx, T, t, n):
        alive = self.p_alive(x, tx, T)
        dead = 1 - alive if n == 0 else mpf(0)
        return dead + alive * self.later(x, T).pmf(t, n)

    def expected(self, t):
        if not self.at_zero:
            return self.purchases(mpf(0), mpf(t))
        staying = p_moment(self.a, self.b, 0, 1)
        return staying * BgNbd(self.r, self.alpha, self.a, self.b + 1).purchases(mpf(0), mpf(t))

    def pmf(self, t, n):
        """Still alive after the n-th purchase and n by t; or dropped out after it, reached by t."""
        chances = n + self.at_zero
        total = p_moment(self.a, self.b, 0, chances) * count_probability(self.r, self.alpha, t, n)
        if chances > 0:
            gone = p_moment(self.a, self.b, 1, chances - 1)
            total += gone * reached_probability(self.r, self.alpha, t, n)
        return total


class BgNbd(BetaGeometric):
    name = "bg_nbd"


class MbgNbd(BetaGeometric):
    name = "mbg_nbd"
    at_zero = 1


class GammaGamma:
    """z1 .. zx ~ Gamma(p, nu), so that their mean is Gamma(p x, nu x); nu ~ Gamma(q, gamma)."""

    name = "gamma_gamma"

    def __init__(self, p, q, gamma):
        self.p, self.q, self.gamma = mpf(p), mpf(q), mpf(gamma)

    def density(self, x, zbar):
        shape = self.p * x

        front = shape * mp.log(x) + (shape - 1) * mp.log(zbar) - mp.loggamma(shape)
        return mp.exp(front) * over_gamma(self.q, self.gamma, shape, x * zbar)

    def expected_spend(self, x, zbar):
        """Mean of p/nu, nu reweighted by the likelihood nu^(p x) exp(-nu x zbar)."""
        shape, rate = self.q + self.p * x, self.gamma + mpf(x) * zbar
        return self.p * over_gamma(shape, rate, power=-1)

    def amount_quantile(self, x, zbar, prob):
        """The next amount z has z / (z + rate) ~ Beta(p, shape): ratio of two gamma variables."""
        shape, rate = self.q + self.p * x, self.gamma + mpf(x) * zbar
        target = mpf(prob)

        def excess(odds):  # odds = ln(z / rate)
            w = 1 / (1 + mp.exp(-odds))
            return mp.betainc(self.p, shape, 0, w, regularized=True) - target

        return rate * mp.exp(bisect_newton(excess, mp.log(self.p / shape)))

    def mean_quantile(self, x, zbar, prob):
        """p/nu <= m is nu >= p/m."""
        shape, rate = self.q + self.p * x, self.gamma + mpf(x) * zbar
        target = mpf(prob)

        def excess(log_m):
            return mp.gammainc(shape, self.p * rate / mp.exp(log_m), regularized=True) - target

        return mp.exp(bisect_newton(excess, mp.log(self.p * rate / shape)))


def bisect_newton(function, start):
    """The zero of an increasing function, by bracketing and Anderson's method."""
    width = mpf(1)
    while function(start - width) > 0 or function(start + width) < 0:
        width *= 2
    return mp.findroot(function, (start - width, start + width), solver="anderson", tol=mpf(10) ** -60, maxsteps=200)


# ------------------------------------------------------------------------ cases

PARETO = [
    (0.553, 10.578, 0.606, 11.669),  # CDNOW
    (0.5534, 10.5802, 1.0, 11.6562),  # s = 1
    (0.7, 8.0, 2.3, 8.0),  # alpha = beta
    (2.1, 300.0, 0.3, 0.5),  # alpha >> beta
    (10.465, 0.00798565181, 3.0516, 2.82),  # beta >> alpha
    (0.5143, 2.8845, 0.2856, 14.1087),  # from CLVTools' regression test
    (0.03, 0.2, 0.05, 0.4),  # small
    (30.0, 100.0, 25.0, 250.0),  # large
    (1.2, 50.0, 0.4, 5000.0),  # nearly no dropout
    (0.55, 10.58, 1.0, 10.58),  # s = 1 and alpha = beta
]

BETA_GEOMETRIC = [
    (0.243, 4.414, 0.793, 2.426),  # CDNOW, BG/NBD
    (0.525, 6.183, 0.891, 1.614),  # CDNOW, MBG/NBD
    (0.243, 4.414, 0.2, 0.3),  # a + b < 1
    (0.243, 4.414, 1.000001, 2.4),
    (0.243, 4.414, 0.999999, 2.4),
    (0.55, 10.58, 1.0, 2.5),  # a = 1
    (20.0, 80.0, 30.0, 60.0),  # large
    (0.03, 0.2, 0.02, 0.05),  # small
    (1.5, 12.0, 3.5, 0.4),  # dropout likely
    (0.9, 7.0, 0.05, 40.0),  # dropout rare
    (2.2, 0.005, 0.6, 1.9),  # alpha tiny
]

NBD = [
    (0.3847661618554218, 12.072023779515925),
    (1.0, 1.0),
    (0.02, 0.3),
    (40.0, 900.0),
    (2.2, 0.005),
]

CUSTOMERS = [
    (0, 0.0, 38.857142857142854),
    (1, 5.0, 38.857142857142854),
    (2, 30.428571428571427, 38.857142857142854),
    (7, 38.0, 38.0),  # bought on the last day
    (29, 37.714285714285715, 38.0),
    (12, 20.0, 39.0),
    (200, 30.0, 40.0),
    (3, 0.14285714285714285, 200.0),
]
BRIEF_CUSTOMERS = [(0, 0.0, 0.0), (0, 0.0, 0.5), (1, 1.0, 1.0), (400, 38.0, 40.0), (1000, 38.0, 40.0)]
DISCOUNTED_CUSTOMERS = [CUSTOMERS[i] for i in (0, 2, 4, 6)]

DELTA = 0.0018266153555928119  # ln(1.1) / (365.25 / 7): 10% a year, per week


def model_cases(model, extra=()):
    """(quantity, arguments) for one parameter set."""
    for x, tx, T in CUSTOMERS:
        who = (x, tx, T)
        yield "log_likelihood", who
        yield "p_alive", who
        for t in (4.0, 52.0):
            yield "p_alive_at", (*who, t)
        for span in ((0.0, 39.0), (0.0, 1.0), (26.0, 52.0)):
            yield "cet", (*who, *span)
        for t, n in ((39.0, 0), (39.0, 1), (39.0, 4), (10.0, 2), (104.0, 30)):
            yield "cond_pmf", (*who, t, n)
    for x, tx, T in (*BRIEF_CUSTOMERS, *extra):
        who = (x, tx, T)
        yield "log_likelihood", who
        yield "p_alive", who
        yield "p_alive_at", (*who, 13.0)
        yield "cet", (*who, 0.0, 39.0)
    for who in DISCOUNTED_CUSTOMERS:
        yield "discounted", (*who, DELTA, 39.0)
        yield "discounted", (*who, 0.01, 260.0)
        yield "dert", (*who, DELTA)
        yield "dert", (*who, 0.05)
    for t in (0.14285714285714285, 1.0, 39.0, 520.0, 5200.0):
        yield "expected", (t,)
    for t in (2.0, 39.0, 150.0):
        for n in (0, 1, 2, 5, 10, 40):
            yield "pmf", (t, n)
    yield "pmf", (0.0, 0)


STRESS = {
    ParetoNbd: {
        5: [
            (221, 103.42857, 103.57143),
            (254, 97.14286, 97.28571),
            (161, 94.71429, 98.0),
            (204, 98.57143, 99.42857),
        ],
        4: [(40, 5.0, 6.0), (50, 1.0, 37.0), (50, 4.0, 37.0)],
    }
}

SPEND = [
    (6.25, 3.74, 15.44),  # CDNOW
    (0.5, 1.2, 30.0),
    (2.0, 0.8, 5.0),  # no population mean
    (60.0, 40.0, 700.0),
    (1.0, 1.000001, 12.0),
]
SPENDERS = [(0, 0.0), (1, 11.77), (2, 22.345), (29, 26.26137931), (13, 28.62076923), (1, 227.14), (3, 0.01), (400, 35.5)]


# ----------------------------------------------------------------------- output


def fmt(value):
    return mp.nstr(mpf(value), DIGITS, min_fixed=-4, max_fixed=20)


def line(model, quantity, params, args, value):
    return "\t".join([model, quantity, ",".join(map(repr, params)), ",".join(map(repr, args)), fmt(value)])


def model_lines():
    for cls, sets in ((Nbd, NBD), (ParetoNbd, PARETO), (BgNbd, BETA_GEOMETRIC), (MbgNbd, BETA_GEOMETRIC)):
        for index, params in enumerate(sets):
            started = time.monotonic()
            model = cls(*params)
            extra = STRESS.get(cls, {}).get(index, ())
            for quantity, args in model_cases(model, extra):
                exact = [a if isinstance(a, int) else mpf(a) for a in args]
                if quantity == "log_likelihood":
                    value = mp.log(model.likelihood(*exact))
                else:
                    value = getattr(model, quantity)(*exact)
                    if value < SMALLEST:
                        continue
                yield line(cls.name, quantity, params, args, value)
            print(f"{cls.name} {params} {time.monotonic() - started:.1f} s", flush=True)


def spend_lines():
    for params in SPEND:
        model = GammaGamma(*params)
        name = model.name
        if model.q > 1:
            yield line(name, "population_mean", params, (), model.expected_spend(0, mpf(0)))
        for x, zbar in SPENDERS:
            z = mpf(zbar)
            if x > 0:
                yield line(name, "log_likelihood", params, (x, zbar), mp.log(model.density(x, z)))
            if model.q + model.p * x > 1:
                yield line(name, "expected_spend", params, (x, zbar), model.expected_spend(x, z))
            for prob in (0.05, 0.5, 0.9, 0.99):
                yield line(name, "amount_quantile", params, (x, zbar, prob), model.amount_quantile(x, z, prob))
                yield line(name, "mean_quantile", params, (x, zbar, prob), model.mean_quantile(x, z, prob))


def write(name, lines):
    header = f"# made by make_golden.py, mpmath {mpmath.__version__}; model, quantity, parameters, arguments, value"
    lines = list(lines)
    target = pathlib.Path(__file__).with_name(name)
    target.write_text("\n".join([header, *lines]) + "\n", encoding="ascii")
    print(name, len(lines), flush=True)


# ----------------------------------------------------------------------- checks


class Report:
    """Largest relative difference by kind of comparison."""

    def __init__(self):
        self.worst = {}

    def add(self, kind, ours, other, limit):
        ours, other, limit = mpf(ours), mpf(other), mpf(limit)
        error = abs(ours - other) / max(abs(other), SMALLEST)
        if error > limit:
            raise SystemExit(f"{kind}: {mp.nstr(ours, 25)} against {mp.nstr(other, 25)}")
        count, worst = self.worst.get(kind, (0, mpf(0)))
        self.worst[kind] = (count + 1, max(worst, error))

    def show(self):
        for kind, (count, worst) in self.worst.items():
            print(f"{kind:60s} {count:4d} compared, largest relative difference {mp.nstr(worst, 3)}")


def check_printed(report):
    """Numbers recomputed by others in this project's reference tables and in the literature."""
    kind, limit = "printed: 40-digit stress values", mpf(10) ** -14

    def stress_point(model, who, alive, ll):
        # Some of the printed Pareto/NBD values are good to 4e-6 only: mpmath's own quad stops at an
        # absolute error, too early for integrals near 1e-330.  The 2F1 form decides.
        ours, log_ours = model.p_alive(*who), mp.log(model.likelihood(*who))
        mp.dps = 900
        value, log_value = pareto_closed_form(model, *who)
        mp.dps = 45
        report.add("closed form: Pareto/NBD stress values", ours, value, mpf(10) ** -24)
        report.add("closed form: Pareto/NBD stress values", log_ours, log_value, mpf(10) ** -24)
        for mine, printed in ((ours, alive), (log_ours, ll)):
            error = abs(mine / mpf(printed) - 1)
            if error > limit:
                print("printed value off:", who[0], printed, "ours", mp.nstr(mine, 20), "by", mp.nstr(error, 2))
            report.add("printed: Pareto/NBD stress values", mine, printed, mpf(10) ** -5)

    stress = ParetoNbd(0.5143, 2.8845, 0.2856, 14.1087)
    for (x, tx, T), alive, ll in (
        ((221, "103.42857", "103.57143"), "0.99959605231793819", "-61.584648561729207"),
        ((254, "97.14286", "97.28571"), "0.99955822612301083", "-19.623292217511774"),
        ((161, "94.71429", "98.00000"), "0.74948775231913504", "-87.429254863389963"),
        ((204, "98.57143", "99.42857"), "0.99425507963787035", "-65.198342189260356"),
    ):
        who = (x, mpf(float(tx)), mpf(float(T)))
        stress_point(stress, who, alive, ll)
    stress = ParetoNbd(10.465, 0.00798565181, 3.0516, 2.820)
    for who, ll, alive in (
        ((40, 5, 6), "-5.7190215824868577", "0.0018851281822026593"),
        ((50, 1, 37), "116.30126461011632", "1.4171442912866074e-96"),
        ((50, 4, 37), "31.849828001764591", "6.7329746519219711e-60"),
    ):
        stress_point(stress, who, alive, ll)
    stress = ParetoNbd(0.55, 10.58, 0.61, 11.67)
    for who, ll, alive in (
        ((0, 0, 40), "-0.52066738833286029", "0.28723641508508414"),
        ((400, 38, 40), "435.80688702536974", "6.2941687974359297e-5"),
        ((1000, 38, 40), "2016.1804017991486", "4.8237436516810317e-15"),
    ):
        stress_point(stress, who, alive, ll)
    for a, b, x, value in (
        (0.2, 0.3, 0, "0.18627678308504132"),
        (0.2, 0.3, 1, "0.53766265355180954"),
        (0.4, 0.5, 3, "1.8831972065267706"),
        (1.000001, 2.4, 2, "1.0884907329853629"),
        (0.999999, 2.4, 2, "1.0884918300643068"),
        (0.793, 2.426, 500, "3.6934531730168352e-45"),
    ):
        model = BgNbd(0.243, 4.414, a, b)
        report.add(kind, model.cet(x, mpf(30 if x else 0), mpf(38.86), mpf(0), mpf(39)), value, limit)
    for s, value in (
        (0.6061, "1.4550928438442546"),
        (0.999999, "1.186032179046417"),
        (1.0, "1.186031571457904"),
        (1.000001, "1.1860309638697429"),
        (2.5, "0.57104065732598493"),
    ):
        model = ParetoNbd(0.5534, 10.5802, s, 11.6562)
        report.add(kind, model.cet(2, mpf(30.43), mpf(38.86), mpf(0), mpf(39)), value, limit)

    kind, limit = "printed: CONVENTIONS worked customers, 12 digits", mpf(10) ** -11
    pareto, bg = ParetoNbd(0.553, 10.578, 0.606, 11.669), BgNbd(0.243, 4.414, 0.793, 2.426)
    spend = GammaGamma(6.25, 3.74, 15.44)
    week = mpf(1) / 7
    delta = mp.log(mpf("1.1")) / (mpf("365.25") / 7)
    for x, tx, T, mean, p_alive, p_cet, b_alive, b_cet, amount in (
        (2, 213, 272, "22.345", ".869186154651", "1.45522613095", ".726589721835", "1.22611580615", "24.6596128609"),
        (1, 35, 272, "11.77", ".255330210661", ".260040222687", ".314803473878", ".30159048000", "18.9168520578"),
        (0, 0, 272, "0", ".295303374266", ".107092833821", "1", ".195109664993", "35.2189781022"),
        (1, 11, 271, "227.14", ".165491195079", ".168960870793", ".208075663374", ".199915594812", "168.645717464"),
        (1, 167, 268, "26.22", ".764813594573", ".786687731067", ".646941939741", ".626981551860", "28.9627363737"),
        (29, 264, 266, "26.26137931", ".996188476047", "19.5969983169", ".969218399918", "20.0547881023", "26.3947768900"),
        (13, 237, 240, "28.62076923", ".993955229222", "9.59319049111", ".940110116480", "9.60846045096", "28.8360221455"),
    ):
        who = (x, tx * week, T * week)
        report.add(kind, pareto.p_alive(*who), p_alive, limit)
        report.add(kind, pareto.cet(*who, 0, mpf(39)), p_cet, limit)
        report.add(kind, bg.p_alive(*who), b_alive, limit)
        report.add(kind, bg.cet(*who, 0, mpf(39)), b_cet, limit)
        report.add(kind, spend.expected_spend(x, mpf(mean)), amount, mpf(10) ** -9)
    for x, tx, T, value in ((2, 213, 272, "1.40747703022"), (0, 0, 272, ".103578887499"), (13, 237, 240, "9.27980505671")):
        report.add(kind, pareto.discounted(x, tx * week, T * week, delta, mpf(39)), value, limit)

    kind = "printed: Hardie notes, lifetimes, BTYD, pymc (their digits)"
    model = BgNbd(0.25, 4.0, mpf("0.80"), mpf("2.50"))
    report.add(kind, mp.log(model.likelihood(0, 0, 40)), "-0.59947381819959264", 1e-14)
    report.add(kind, mp.log(model.likelihood(200, 38, 40)), "100.79569309270645", 1e-14)
    model = MbgNbd(0.25, 4.0, mpf("0.80"), mpf("2.50"))
    report.add(kind, mp.log(model.likelihood(0, 0, 40)), "-0.41792826", 1e-7)
    report.add(kind, mp.log(model.likelihood(200, 38, 40)), "100.7869", 1e-6)
    report.add(kind, mp.log(bg.likelihood(4, mpf("30.7"), mpf("38.9"))), "-15.32935235570709", 1e-14)
    model = MbgNbd(0.243, 4.414, 0.793, 2.426)
    report.add(kind, mp.log(model.likelihood(4, mpf("30.7"), mpf("38.9"))), "-15.487436077892465", 1e-14)
    model = MbgNbd(0.55, 10.58, 0.61, 11.67)
    report.add(kind, mp.log(model.likelihood(1, mpf("1.5"), 12)), "-4.11031673", 1e-8)
    report.add(kind, ParetoNbd(0.5534, 10.5802, 0.6061, 11.6562).expected(3), ".14612427222155053", 1e-9)
    for t, value in ((1, ".05326789117165627"), (3, ".15086523089304896"), (6, ".2807558935767553")):
        report.add(kind, bg.expected(t), value, 1e-11)
    report.add(kind, bg.pmf(2, 10), "1.07869e-07", 1e-5)
    report.add(kind, bg.pmf(39, 0), ".5737864", 1e-6)
    report.add(kind, bg.pmf(30, 11), ".0019995214", 1e-7)
    report.add(kind, bg.pmf(30, 20), ".0002222260", 1e-6)
    # appendix A.1: customers 158 and 211
    model = ParetoNbd(0.5534, 10.5802, 0.6061, 11.6562)
    who = (3, mpf(24.71), mpf(37.86))
    report.add(kind, model.p_alive(*who), ".7210996262", 1e-7)
    report.add(kind, model.cet(*who, 0, 6), ".3064301525", 1e-7)
    report.add(kind, model.cond_pmf(*who, 1, 1), ".0479149184", 1e-7)
    report.add(kind, model.cond_pmf(*who, 2, 2), ".0078206085", 1e-7)
    report.add(kind, model.cond_pmf(0, mpf(0), mpf(37.57), 2, 2), ".0001991273", 1e-6)
    model = MbgNbd(0.525, 6.183, 0.891, 1.614)
    report.add(kind, model.cet(*who, 0, 6), ".2754541264", 1e-7)
    report.add(kind, model.p_alive(*who), ".5973441682", 1e-7)
    report.add(kind, model.cet(0, mpf(0), mpf(37.57), 0, 3), ".0139765494", 1e-7)
    report.add(kind, model.p_alive(0, mpf(0), mpf(37.57)), ".3933694311", 1e-7)


def pareto_closed_form(model, x, tx, T):
    """P(alive) and ln likelihood of Fader & Hardie (2005), "A note on deriving the Pareto/NBD model"."""
    r, alpha, s, beta = model.r, model.alpha, model.s, model.beta
    k = r + s + x
    tx, T = mpf(tx), mpf(T)

    def piece(t):
        if alpha >= beta:
            return mp.hyp2f1(k, s + 1, k + 1, (alpha - beta) / (alpha + t)) / (alpha + t) ** k
        return mp.hyp2f1(k, r + x, k + 1, (beta - alpha) / (beta + t)) / (beta + t) ** k

    alive = 1 / ((alpha + T) ** (r + x) * (beta + T) ** s)
    total = alive + s / k * (piece(tx) - piece(T))
    front = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) + s * mp.log(beta)
    return alive / total, front + mp.log(total)


def check_closed_forms(report):
    """The published formulas with 2F1 and Tricomi's function."""
    limit = mpf(10) ** -24
    customers = [CUSTOMERS[i] for i in (0, 1, 2, 3, 5, 6)]
    span = mpf(39)
    for params in PARETO:
        model = ParetoNbd(*params)
        r, alpha, s, beta = model.r, model.alpha, model.s, model.beta
        for x, tx, T in customers:
            tx, T = mpf(tx), mpf(T)
            mp.dps = 150  # the form takes the difference of two nearly equal terms
            p_alive, log_total = pareto_closed_form(model, x, tx, T)
            mp.dps = 45
            report.add("closed form: Pareto/NBD likelihood", model.likelihood(x, tx, T), mp.exp(log_total), limit)
            report.add("closed form: Pareto/NBD P(alive)", model.p_alive(x, tx, T), p_alive, limit)
            if s != 1:
                ratio = (beta + T) / (beta + T + span)
                cet = p_alive * (r + x) / (alpha + T) * (beta + T) / (s - 1) * (1 - ratio ** (s - 1))
                report.add("closed form: Pareto/NBD CET", model.cet(x, tx, T, 0, span), cet, limit)
            for delta in (mpf(DELTA), mpf(0.05)):  # Fader, Hardie & Lee (2005), RFM and CLV, eq. 2
                dert = alpha**r * beta**s * delta ** (s - 1) * mp.gamma(r + x + 1) / mp.gamma(r)
                dert *= mp.hyperu(s, s, delta * (beta + T)) / ((alpha + T) ** (r + x + 1) * mp.exp(log_total))
                report.add("closed form: Pareto/NBD DERT", model.dert(x, tx, T, delta), dert, limit)
    for params in BETA_GEOMETRIC:
        for cls in (BgNbd, MbgNbd):
            model = cls(*params)
            r, alpha, a, b = model.r, model.alpha, model.a, model.b
            z = cls.at_zero
            for x, tx, T in customers:
                tx, T = mpf(tx), mpf(T)
                mp.dps += 30
                if a != 1:
                    # Fader, Hardie & Lee (2005) eq. 10; Batislam et al. (2007) shift b by one
                    c = b + x + z
                    hyper = mp.hyp2f1(r + x, c, a + c - 1, span / (alpha + T + span))
                    cet = (a + c - 1) / (a - 1) * (1 - ((alpha + T) / (alpha + T + span)) ** (r + x) * hyper)
                    odds = a / (c - 1) * ((alpha + T) / (alpha + tx)) ** (r + x) if x + z > 0 else 0
                    cet /= 1 + odds
                    report.add(f"closed form: {cls.name} CET", model.cet(x, tx, T, 0, span), cet, limit)
                mp.dps -= 30
            if a != 1:
                mp.dps += 30
                hyper = mp.hyp2f1(r, b + z, a + b + z - 1, span / (alpha + span))
                value = (a + b + z - 1) / (a - 1) * (1 - (alpha / (alpha + span)) ** r * hyper)
                value *= b / (a + b) if z else 1
                mp.dps -= 30
                report.add(f"closed form: {cls.name} E[X(t)]", model.expected(span), value, limit)
            for n in (1, 5, 10):  # the finite sum of Fader, Hardie & Lee (2005) eq. 8
                mp.dps += 60
                ratio, t = span / (alpha + span), span
                terms = [mp.gamma(r + j) / mp.gamma(r) / mp.factorial(j) * ratio**j for j in range(n)]
                left = (alpha / (alpha + t)) ** r
                value = mp.beta(a, b + n + z) / mp.beta(a, b) * mp.gamma(r + n) / mp.gamma(r) / mp.factorial(n) * left * ratio**n
                value += mp.beta(a + 1, b + n + z - 1) / mp.beta(a, b) * (1 - left * mp.fsum(terms))
                mp.dps -= 60
                report.add(f"closed form: {cls.name} P(X(t)=n)", model.pmf(span, n), value, limit)


def grid(weight):
    """Nodes and weights of one latent rate, for the two-dimensional sums."""
    step = mpf(1) / 16
    term = lambda w: weight(w)[1]
    left, right = reach(term, -1), reach(term, 1)
    points = (weight(left + k * step) for k in range(int((right - left) / step) + 1))
    return [(g, size * step) for g, size in points if size > mpf(10) ** -40]


def poisson_less(n, mean):
    """P(fewer than n events)."""
    return mp.fsum(mp.exp(-mean) * mean**i / mp.factorial(i) for i in range(n))


def check_two_dimensions(report):
    """Everything again from the conditional formulas, summed over both latent rates.

    Nothing is integrated over lambda, mu, p or time on paper as above: given the
    rates, time is integrated out first, so the order is the opposite one.
    """
    limit = mpf(10) ** -14
    delta, H, t = mpf(DELTA), mpf(39), mpf(10)
    for cls, params, who in (
        (ParetoNbd, PARETO[0], CUSTOMERS[2]),
        (ParetoNbd, PARETO[2], CUSTOMERS[3]),
        (ParetoNbd, PARETO[5], CUSTOMERS[0]),
        (BgNbd, BETA_GEOMETRIC[0], CUSTOMERS[2]),
        (BgNbd, BETA_GEOMETRIC[5], CUSTOMERS[5]),
        (BgNbd, BETA_GEOMETRIC[8], CUSTOMERS[0]),
        (MbgNbd, BETA_GEOMETRIC[1], CUSTOMERS[2]),
        (MbgNbd, BETA_GEOMETRIC[5], CUSTOMERS[3]),
        (MbgNbd, BETA_GEOMETRIC[0], CUSTOMERS[0]),
    ):
        model = cls(*params)
        x, tx, T = who[0], mpf(who[1]), mpf(who[2])
        names = ["likelihood", "p_alive", "p_alive_at", "cet", "discounted", "dert", "cond_pmf 0", "cond_pmf 2"]
        sums = [mpf(0)] * len(names)
        rates = grid(gamma_weight(model.r, model.alpha, x, tx))  # lambda^x exp(-lambda tx) is in the weight
        second = grid(gamma_weight(model.s, model.beta) if cls is ParetoNbd else beta_weight(model.a, model.b))
        for g, g_weight in rates:
            for m, m_weight in second:
                if cls is ParetoNbd:
                    fall = g + m
                    alive = mp.exp(-g * (T - tx) - m * T)
                    total = m / fall * mp.exp(-m * tx) + g / fall * alive
                    hazard = m
                    none = mp.exp(-fall * t) + m / fall * (1 - mp.exp(-fall * t))
                    two = (g * t) ** 2 * mp.exp(-fall * t) / 2 + m * g**2 / fall**3 * (1 - poisson_less(3, fall * t))
                else:
                    chances = x + cls.at_zero
                    alive = (1 - m) ** chances * mp.exp(-g * (T - tx))
                    total = alive + (m * (1 - m) ** (chances - 1) if chances else 0)
                    hazard = g * m
                    none = mp.exp(-g * t)
                    two = (1 - m) ** 2 * none * (g * t) ** 2 / 2 + m * (1 - m) * (1 - poisson_less(2, g * t))
                values = [
                    total,
                    alive,
                    alive * mp.exp(-hazard * t),
                    alive * g * -mp.expm1(-hazard * H) / hazard,
                    alive * g * -mp.expm1(-(hazard + delta) * H) / (hazard + delta),
                    alive * g / (hazard + delta),
                    total - alive + alive * none,
                    alive * two,
                ]
                size = g_weight * m_weight
                sums = [old + size * value for old, value in zip(sums, values)]
        ours = [
            model.likelihood(x, tx, T),
            model.p_alive(x, tx, T),
            model.p_alive_at(x, tx, T, t),
            model.cet(x, tx, T, 0, H),
            model.discounted(x, tx, T, delta, H),
            model.dert(x, tx, T, delta),
            model.cond_pmf(x, tx, T, t, 0),
            model.cond_pmf(x, tx, T, t, 2),
        ]
        others = [sums[0], *(value / sums[0] for value in sums[1:])]
        for name, mine, other in zip(names, ours, others):
            report.add(f"two-dimensional sum: {cls.name} {name}", mine, other, limit)


def check_identities(report):
    """Sums and limits that hold for any counting process."""
    for cls, params in ((ParetoNbd, PARETO[0]), (BgNbd, BETA_GEOMETRIC[0]), (MbgNbd, BETA_GEOMETRIC[1])):
        model = cls(*params)
        who = tuple(mpf(v) if i else v for i, v in enumerate(CUSTOMERS[2]))
        mass = [model.cond_pmf(*who, mpf(5), n) for n in range(40)]
        report.add("identity: cond_pmf sums to 1", mp.fsum(mass), 1, 1e-9)
        mean = mp.fsum(n * p for n, p in enumerate(mass))
        report.add("identity: sum n cond_pmf(n) = cet", mean, model.cet(*who, 0, mpf(5)), 1e-8)
        report.add("identity: p_alive_at(0) = p_alive", model.p_alive_at(*who, mpf(0)), model.p_alive(*who), 1e-25)
        tiny = mpf(10) ** -30
        report.add("identity: discounted(0) = cet", model.discounted(*who, tiny, mpf(39)), model.cet(*who, 0, mpf(39)), 1e-23)
        new = [model.pmf(mpf(5), n) for n in range(60)]
        mean = mp.fsum(n * p for n, p in enumerate(new))
        report.add("identity: sum n pmf(n) = expected", mean, model.expected(mpf(5)), 1e-12)


def check_spend(report):
    """Fader & Hardie (2013) and the two distribution functions by quadrature over nu."""
    for params in SPEND:
        model = GammaGamma(*params)
        p, q, gamma = model.p, model.q, model.gamma
        for x, zbar in SPENDERS:
            z = mpf(zbar)
            if x > 0:
                k = p * x
                density = mp.gamma(k + q) / mp.gamma(k) / mp.gamma(q) * gamma**q
                density *= z ** (k - 1) * mpf(x) ** k / (gamma + x * z) ** (k + q)
                report.add("closed form: Gamma-Gamma density", model.density(x, z), density, 1e-24)
            if p * x + q > 1:
                mean = p * (gamma + x * z) / (p * x + q - 1)
                report.add("closed form: Gamma-Gamma mean spend", model.expected_spend(x, z), mean, 1e-24)
            if x <= 3:
                m = model.amount_quantile(x, z, 0.9)
                weight = gamma_weight(q, gamma, p * x, x * z)
                term = lambda w: weight(w)[1]
                left, right = reach(term, -1), reach(term, 1)
                both = trapezoid(lambda w: weight(w)[1] * mp.gammainc(p, 0, weight(w)[0] * m, regularized=True), left, right)
                whole = trapezoid(term, left, right)
                report.add("quadrature: Gamma-Gamma amount quantile", both / whole, mpf(0.9), 1e-24)


def check():
    report = Report()
    for part in (check_printed, check_closed_forms, check_identities, check_spend, check_two_dimensions):
        started = time.monotonic()
        part(report)
        print(f"{part.__name__} {time.monotonic() - started:.1f} s", flush=True)
    report.show()


def main():
    parser = argparse.ArgumentParser(description="Writes models.tsv and spend.tsv.")
    parser.add_argument("--check", action="store_true", help="compare with published formulas and numbers")
    options = parser.parse_args()
    if options.check:
        check()
        return
    write("spend.tsv", spend_lines())
    write("models.tsv", model_lines())


if __name__ == "__main__":
    main()

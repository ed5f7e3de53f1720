#!/usr/bin/env python3
"""Online Retail from the raw file, by hand: the same policy in plain Python, compared with `clv summarize`.

    python3 benches/peers/check_online_retail.py online_retail.csv [--clv target/release/clv]

Nothing but the standard library. The file is UCI 352 as CSV (InvoiceNo, StockCode, Description, Quantity, InvoiceDate,
UnitPrice, CustomerID, Country). Two policies: returns left out, and returns netted.
"""

import argparse
import csv
import datetime
import json
import pathlib
import subprocess
import tempfile
from decimal import ROUND_HALF_UP, Decimal

MICRO = Decimal("0.000001")


def day(text):
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M"):
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            pass
    raise ValueError(text)


def read(path):
    """Rows of known customers, and what there is to notice about all."""
    seen = {"rows": 0, "without a customer": 0, "cancellations": 0, "negative quantities": 0}
    rows = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            seen["rows"] += 1
            quantity = int(row["Quantity"])
            seen["cancellations"] += row["InvoiceNo"].startswith("C")
            seen["negative quantities"] += quantity < 0
            customer = row["CustomerID"].strip().removesuffix(".0")
            if not customer:
                seen["without a customer"] += 1
                continue
            # As a program with doubles multiplies, to the millionth.
            amount = Decimal(repr(float(quantity) * float(row["UnitPrice"]))).quantize(MICRO, ROUND_HALF_UP)
            rows.append([customer, day(row["InvoiceDate"]), amount, row["InvoiceNo"], row["StockCode"], number])
    return rows, seen


def drop(rows):
    return [r for r in rows if r[2] >= 0], {}


def net(rows):
    """Each return off the same customer's latest earlier purchases: of its invoice, then of its product."""
    purchases, fate = {}, {"matched": 0, "unmatched": 0, "returned": 0}
    left = {}
    for row in sorted(rows, key=lambda r: (r[1], r[2] < 0, r[5])):
        customer, _, amount, invoice, product, number = row
        own = purchases.setdefault(customer, [])
        if amount > 0:
            own.append(row)
            left[number] = amount
        elif amount < 0:
            owed = -amount
            for same in (lambda r: r[3] == invoice, lambda r: r[4] == product):
                for other in reversed(own):
                    if owed and left[other[5]] and same(other):
                        taken = min(owed, left[other[5]])
                        owed -= taken
                        left[other[5]] -= taken
            fate["unmatched" if owed else "matched"] += 1
    kept = []
    for row in rows:
        if row[2] < 0:
            continue
        if row[2] > 0 and left[row[5]] == 0:
            fate["returned"] += 1
            continue
        kept.append([*row[:2], left.get(row[5], row[2]), *row[3:]])
    return kept, fate


def summarise(rows):
    days = {}
    for customer, when, amount, *_ in rows:
        own = days.setdefault(customer, {})
        own[when.date()] = own.get(when.date(), Decimal(0)) + amount
    until = max(max(own) for own in days.values())
    summary = {}
    for customer, own in days.items():
        order = sorted(own)
        first, last, x = order[0], order[-1], len(order) - 1
        spend = float(sum(own[d] for d in order[1:])) / x if x else None
        summary[customer] = (x, (last - first).days / 7, (until - first).days / 7, spend)
    return summary


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--clv", default="target/release/clv")
    args = parser.parse_args()
    rows, seen = read(args.file)
    print(seen)
    for policy, by_hand in (("drop", drop), ("net", net)):
        kept, fate = by_hand(rows)
        want = summarise(kept)
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder) / "summary.csv"
            done = subprocess.run(
                [args.clv, "summarize", args.file, "--returns", policy, "--output", output, "--format", "json"],
                check=True, text=True, capture_output=True)
            ledger = json.loads(done.stdout)["ledger"]
            with open(output, newline="") as file:
                found = {r["customer"]: r for r in csv.DictReader(file)}
        assert ledger["read"] == seen["rows"] == ledger["kept"] + sum(ledger["left_out"].values()), ledger
        assert ledger["left_out"]["no customer"] == seen["without a customer"]
        for fact in ("cancellations", "negative quantities"):
            assert ledger["noticed"][fact] == seen[fact], (fact, ledger)
        assert ledger["kept"] == len(kept), (ledger, len(kept))
        if fate:
            reasons = ledger["left_out"]
            got = [reasons.get(r, 0) for r in ("return, taken off its purchase", "return without a purchase to match", "purchase wholly returned")]
            assert got == list(fate.values()), (got, fate)
        assert found.keys() == want.keys()
        for customer, (x, recency, age, spend) in want.items():
            row = found[customer]
            assert int(row["frequency"]) == x, (customer, row, x)
            assert abs(float(row["recency"]) - recency) < 1e-9 and abs(float(row["age"]) - age) < 1e-9, (customer, row)
            same = row["monetary_value"] == "" if spend is None else abs(float(row["monetary_value"]) - spend) < 1e-9 * max(1, abs(spend))
            assert same, (customer, row, spend)
        print(f"--returns {policy}: {len(kept)} rows kept, {len(want)} customers, equal in every field")


main()

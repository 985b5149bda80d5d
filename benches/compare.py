"""Divides the same pools as the engine, in decimal and in floating-point arithmetic, and compares.

Reads what `--export` of the benchmark wrote (one CSV a formula and size) and, on standard input, the
engine's times. Each way is timed in this process, without reading and parsing, from columns of numbers to
whole fen by largest remainder. Usage: compare.py DIRECTORY < times
"""

import csv
import statistics
import sys
import time
from decimal import Decimal, getcontext
from pathlib import Path

import numpy

POOL = 123_456_789_012  # fen
# Enough that no quotient's error reaches a remainder of 40,000 areas.
getcontext().prec = 60


def six_factors(c):
    return [
        (30, c["settled_new_2024"]),
        (20, c["settled_new_2024"] + c["half"] * c["settled_new_2023"]),
        (20, c["resident_migrants_2024"] * c["fiscal_coefficient_2024"]),
        (10, c["pupils_2024"]),
        (10, c["urban_population_2024"] * c["cost_coefficient_2024"]),
        (10, c["settled_new_2024"] * c["performance_2024"]),
    ]


def quotient(c):
    return [(100, c["resident_migrants_2024"] / c["population_2024"])]


def dual(c):
    def share(name):
        return c[name + "_2024"].share()

    one = c["quarter"] * share("population") + c["half"] * share("resident_migrants") + c["quarter"] * share("pupils")
    other = (
        c["fifth"] * share("settled_new")
        + c["three_tenths"] * share("resident_migrants")
        + c["half"] * share("urban_population")
    )
    return [(100, one.larger(other))]


class Exact(list):
    """A column of decimals; a lone decimal stands for all areas."""

    def zip(self, other, f):
        return Exact(f(a, b) for a, b in zip(self, other))

    def __add__(self, other):
        return self.zip(other, Decimal.__add__)

    def __mul__(self, other):
        return self.zip(other, Decimal.__mul__)

    def __rmul__(self, factor):
        return Exact(factor * a for a in self)

    def __truediv__(self, other):
        return self.zip(other, Decimal.__truediv__)

    def larger(self, other):
        return self.zip(other, max)

    def share(self):
        total = sum(self)
        return Exact(a / total for a in self)


class Float(numpy.ndarray):
    """A column of 64-bit floats."""

    def larger(self, other):
        return numpy.maximum(self, other)

    def share(self):
        return self / self.sum()


def constants(number):
    texts = {"half": "0.5", "quarter": "0.25", "fifth": "0.2", "three_tenths": "0.3"}
    return {name: number(text) for name, text in texts.items()}


def by_decimal(formula, columns):
    quotas = None
    for percent, score in formula(columns):
        per_unit = Decimal(POOL) * percent / 100 / sum(score)
        amounts = [value * per_unit for value in score]
        quotas = amounts if quotas is None else [a + b for a, b in zip(quotas, amounts)]
    floors = [int(quota) for quota in quotas]
    order = sorted(range(len(quotas)), key=lambda row: (floors[row] - quotas[row], -quotas[row], row))
    for row in order[: POOL - sum(floors)]:
        floors[row] += 1
    return floors


def by_numpy(formula, columns):
    quotas = None
    for percent, score in formula(columns):
        amounts = score * (POOL * percent / 100 / score.sum())
        quotas = amounts if quotas is None else quotas + amounts
    floors = numpy.floor(quotas)
    order = numpy.argsort(floors - quotas, kind="stable")
    units = floors.astype(numpy.int64)
    units[order[: max(POOL - int(units.sum()), 0)]] += 1
    return units


def timed(run, times):
    run()
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        result = run()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent), result


def main():
    directory = Path(sys.argv[1])
    formulas = {"six-factors": six_factors, "quotient": quotient, "dual": dual}
    print(f"{'formula':<12} {'areas':>6} {'bind+eval ms':>13} {'eval ms':>8} {'decimal ms':>11} {'numpy ms':>9}"
          f" {'decimal/eval':>13} {'numpy/eval':>11} {'decimal differs':>16} {'numpy differs':>14}")
    for line in sys.stdin.read().split():
        name, areas, whole, engine = line.split(",")
        whole, engine = float(whole), float(engine)
        with open(directory / f"{name}-{areas}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        expected = [int(row["amount_fen"]) for row in rows]
        codes = [code for code in rows[0] if code not in ("region", "amount_fen")]
        texts = {code: [row[code] for row in rows] for code in codes}
        decimals = {code: Exact(map(Decimal, values)) for code, values in texts.items()}
        floats = {code: numpy.array([float(v) for v in values]).view(Float) for code, values in texts.items()}
        decimals.update(constants(Decimal))
        floats.update(constants(float))
        repeat = 3 if int(areas) > 10_000 else 7
        decimal_time, decimal_result = timed(lambda: by_decimal(formulas[name], decimals), repeat)
        numpy_time, numpy_result = timed(lambda: by_numpy(formulas[name], floats), 3 * repeat)
        differs = [sum(a != b for a, b in zip(expected, result)) for result in (decimal_result, numpy_result)]
        print(f"{name:<12} {areas:>6} {whole:>13.2f} {engine:>8.2f} {decimal_time:>11.2f} {numpy_time:>9.2f}"
              f" {decimal_time / engine:>12.1f}x {numpy_time / engine:>10.2f}x {differs[0]:>16} {differs[1]:>14}")


main()

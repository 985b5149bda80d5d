"""Computes the weight scenarios of the engine again with numpy's 64-bit floats and with decimal, and compares.

Reads what `--export` of the benchmark wrote. Each way starts from shares that are computed beforehand and ends with
whole fen by largest remainder. numpy gets the scenarios as one matrix product, and row by row so that everything stays
in the cache; the faster counts. Usage: simulation.py DIRECTORY
"""

import csv
import statistics
import sys
import time
from decimal import Decimal, getcontext
from pathlib import Path

import numpy

POOL = 123_456_789_012  # fen
getcontext().prec = 60
# decimal is slow enough for a part of the scenarios to do.
DECIMAL_CELLS = 150_000


def scores(c, half):
    return [
        c["settled_new_2024"],
        [a + half * b for a, b in zip(c["settled_new_2024"], c["settled_new_2023"])],
        [a * b for a, b in zip(c["resident_migrants_2024"], c["fiscal_coefficient_2024"])],
        c["pupils_2024"],
        [a * b for a, b in zip(c["urban_population_2024"], c["cost_coefficient_2024"])],
        [a * b for a, b in zip(c["settled_new_2024"], c["performance_2024"])],
    ]


def shares(columns):
    return [[value / total for value in column] for column in columns for total in [sum(column)]]


def by_matrix(weights, shares):
    """All scenarios at once; the residual units by one partition a scenario, few regions by one sort of all."""
    quotas = weights @ shares
    units = numpy.floor(quotas)
    remainders = quotas - units
    left = (POOL - units.sum(axis=1)).astype(numpy.int64)
    amounts = units.astype(numpy.int64)
    if shares.shape[1] <= 64:
        order = numpy.argsort(-remainders, axis=1, kind="stable")
        extra = (numpy.arange(shares.shape[1]) < left[:, None]).astype(numpy.int64)
        given = numpy.zeros_like(amounts)
        numpy.put_along_axis(given, order, extra, axis=1)
        return amounts + given
    for row in range(len(amounts)):
        count = left[row]
        if count > 0:
            amounts[row, numpy.argpartition(remainders[row], -count)[-count:]] += 1
    return amounts


def by_row(weights, shares):
    amounts = numpy.empty((len(weights), shares.shape[1]), dtype=numpy.int64)
    for row, weight in enumerate(weights):
        quotas = weight @ shares
        units = numpy.floor(quotas)
        quotas -= units
        count = POOL - int(units.sum())
        amounts[row] = units
        if count > 0:
            amounts[row, numpy.argpartition(quotas, -count)[-count:]] += 1
    return amounts


def by_decimal(weights, shares):
    result = []
    for weight in weights:
        money = [Decimal(POOL) * part / 10_000 for part in weight]
        quotas = [sum(m * s for m, s in zip(money, row)) for row in zip(*shares)]
        floors = [int(quota) for quota in quotas]
        order = sorted(range(len(quotas)), key=lambda row: (floors[row] - quotas[row], -quotas[row], row))
        for row in order[: POOL - sum(floors)]:
            floors[row] += 1
        result.append(floors)
    return result


def timed(run, times):
    """Median seconds of the processor and of the clock, and the result."""
    run()
    used, spent = [], []
    for _ in range(times):
        clock, processor = time.perf_counter(), time.process_time()
        result = run()
        used.append(time.process_time() - processor)
        spent.append(time.perf_counter() - clock)
    return statistics.median(used), statistics.median(spent), result


def main():
    directory = Path(sys.argv[1])
    print(f"{'areas':>6} {'scenarios':>9} | {'engine':>17} | {'numpy':>17} {'way':>7} {'ratio':>6} {'differ':>7} |"
          f" {'decimal, of all':>16} {'ratio':>7} {'differ':>7}   (ms: processor, clock; differ: scenarios)")
    for line in (directory / "times.csv").read_text().split():
        areas, scenarios, used, clock = line.split(",")
        used, clock = float(used) * 1e3, float(clock) * 1e3
        with open(directory / f"inputs-{areas}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        texts = {code: [row[code] for row in rows] for code in rows[0] if code != "region"}
        with open(directory / f"weights-{areas}.csv", newline="") as file:
            weights = [[int(part) for part in row] for row in csv.reader(file)]
        expected = numpy.fromfile(directory / f"amounts-{areas}.bin", dtype="<i8").reshape(len(weights), len(rows))
        floats = {code: [float(v) for v in values] for code, values in texts.items()}
        matrix = numpy.ascontiguousarray(shares(scores(floats, 0.5)))
        money = numpy.array(weights, dtype=float) * POOL / 10_000
        ways = {"matrix": by_matrix} if int(areas) <= 64 else {"matrix": by_matrix, "by row": by_row}
        results = {name: timed(lambda way=way: way(money, matrix), 7) for name, way in ways.items()}
        best = min(results, key=lambda name: results[name][0])
        numpy_used, numpy_clock, numpy_amounts = results[best]
        numpy_differs = int((numpy_amounts != expected).any(axis=1).sum())
        decimals = {code: [Decimal(v) for v in values] for code, values in texts.items()}
        exact = shares(scores(decimals, Decimal("0.5")))
        part = min(len(weights), max(1, DECIMAL_CELLS // len(rows)))
        decimal_used, _, decimal_amounts = timed(lambda: by_decimal(weights[:part], exact), 1)
        decimal_used *= len(weights) / part
        decimal_differs = int((numpy.array(decimal_amounts) != expected[:part]).any(axis=1).sum())
        print(f"{areas:>6} {scenarios:>9} | {used:>8.2f} {clock:>8.2f} | {numpy_used * 1e3:>8.2f} {numpy_clock * 1e3:>8.2f}"
              f" {best:>7} {numpy_used * 1e3 / used:>5.2f}x {numpy_differs:>7} |"
              f" {decimal_used * 1e3:>10.0f} {part:>5} {decimal_used * 1e3 / used:>6.0f}x {decimal_differs:>7}")


main()

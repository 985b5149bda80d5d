"""Computes the shipped formulas again, from the example tables and with exact fractions, and compares.

Usage: check_exact.py FORMULA POOL RESULT, where RESULT is what `allocate --format json` printed.

Nothing here is shared with the program: the formulas are written down a second time, amounts are
fractions.Fraction throughout, and bounds are solved along their break points.
"""

import csv
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
YEAR = 2024


def observations(directory):
    """{(indicator, year): {region: value}}"""
    found = {}
    with open(EXAMPLES / directory / "observations.csv", encoding="utf-8") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            values = found.setdefault((row["indicator"], int(row["year"])), {})
            assert row["region"] not in values
            values[row["region"]] = Fraction(row["value"])
    return found


def xuchang_settled_resident(pool):
    data = observations("xuchang")
    settled, permits = data["settled_new", YEAR], data["residence_permits", YEAR]
    return {
        "unit": Fraction(1, 100),
        "distributable": pool,
        "components": {"settled": (60, settled), "resident": (40, permits)},
        "low": {},
        "high": {},
    }


def settled_taper_bounds(pool):
    data = observations("xuchang")
    regions = data["settled_new", YEAR].keys()
    fiscal, cost = data["fiscal_difficulty", YEAR], data["cost_coefficient", YEAR]
    last = data["allocation", YEAR - 1]

    def evaluation(region):
        score = data["evaluation_score", YEAR][region]
        for limit, factor in [(60, "0.9"), (80, "1"), (90, "1.05")]:
            if score < limit:
                return Fraction(factor)
        return Fraction("1.1")

    def settled(region):
        new = [data["settled_new", YEAR - ago][region] for ago in range(3)]
        return new[0] + Fraction("0.6") * new[1] + Fraction("0.3") * new[2]

    common = {region: fiscal[region] * evaluation(region) for region in regions}
    permits, pupils = data["residence_permits", YEAR], data["migrant_pupils", YEAR]
    return {
        "unit": Fraction(1),
        "distributable": pool - math.floor(pool * Fraction(3, 100)),
        "components": {
            "settled": (55, {region: settled(region) * common[region] for region in regions}),
            "resident": (30, {region: permits[region] * common[region] for region in regions}),
            "pupils": (15, {region: pupils[region] * common[region] * cost[region] for region in regions}),
        },
        "low": {region: max(Fraction(3_000_000), last[region] * Fraction(90, 100)) for region in regions},
        "high": {region: last[region] * Fraction(125, 100) for region in regions},
    }


def us_cdbg(pool):
    data = {indicator: values for (indicator, _), values in observations("us-cdbg").items()}

    def share(indicator, region):
        return data[indicator][region] / sum(data[indicator].values())

    def score(region):
        poverty = share("poverty", region)
        first = (share("population", region) + 2 * poverty + share("overcrowding", region)) / 4
        second = (share("growth_lag", region) + Fraction(3, 2) * poverty + Fraction(5, 2) * share("old_housing", region)) / 5
        return max(first, second)

    return {
        "unit": Fraction(1),
        "distributable": pool,
        "components": {"entitlement": (100, {region: score(region) for region in data["population"]})},
        "low": {},
        "high": {},
    }


FORMULAS = {
    "xuchang-settled-resident": xuchang_settled_resident,
    "settled-taper-bounds": settled_taper_bounds,
    "us-cdbg": us_cdbg,
}


def clamp(amount, low, high):
    return max(low, amount if high is None else min(amount, high))


def filled(amounts, total, low, high):
    """min(max(f * amount, low), high) for the f that makes them sum to the total.

    The sum grows with f and is linear between the points where an amount meets a bound, so the f
    lies between two such points that enclose the total.
    """

    def at(factor):
        return {region: clamp(factor * amounts[region], low[region], high[region]) for region in amounts}

    if sum(at(Fraction(1)).values()) == total:
        return at(Fraction(1))
    limits = [(region, limit) for limits in (low, high) for region, limit in limits.items() if limit is not None]
    points = sorted({limit / amounts[region] for region, limit in limits if amounts[region]} | {Fraction(0)})
    points.append(points[-1] + 1)
    for left, right in zip(points, points[1:]):
        below, above = sum(at(left).values()), sum(at(right).values())
        if below <= total <= above and below < above:
            return at(left + (right - left) * (total - below) / (above - below))
    # Beyond the last point only amounts without a cap still grow, at a steady pace.
    left, right = points[-2:]
    below, above = sum(at(left).values()), sum(at(right).values())
    assert below < above <= total, "the bounds leave no room for the total"
    return at(left + (right - left) * (total - below) / (above - below))


def largest_remainder(quotas):
    """Whole numbers for quotas with a whole sum; ties to the larger quota, then to the lower code."""
    parts = {region: math.floor(quota) for region, quota in quotas.items()}
    left = sum(quotas.values()) - sum(parts.values())
    assert left.denominator == 1
    for region in sorted(quotas, key=lambda region: (parts[region] - quotas[region], -quotas[region], region))[: int(left)]:
        parts[region] += 1
    return parts


def main():
    name, pool, path = sys.argv[1:]
    formula = FORMULAS[name](Fraction(pool))
    unit, distributable = formula["unit"], formula["distributable"]
    assert (distributable / unit).denominator == 1
    exact = {}
    for component, (percent, scores) in formula["components"].items():
        money, total = distributable * Fraction(percent, 100), sum(scores.values())
        exact[component] = {region: money * score / total for region, score in scores.items()}
    regions = sorted(next(iter(exact.values())))
    quotas = {region: sum(exact[component][region] for component in exact) / unit for region in regions}
    low = {region: Fraction(math.ceil(formula["low"].get(region, 0) / unit)) for region in regions}
    high = {region: None if region not in formula["high"] else Fraction(math.floor(formula["high"][region] / unit)) for region in regions}
    bounded = filled(quotas, distributable / unit, low, high)
    expected = {region: part * unit for region, part in largest_remainder(bounded).items()}
    assert sum(expected.values()) == distributable

    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    rows = result["rows"]
    assert [row["region"] for row in rows] == regions, "regions in the order of their codes"
    for row in rows:
        region = row["region"]
        amount = Fraction(row["amount"])
        assert amount == expected[region], f"{region}: {row['amount']}, expected {float(expected[region])}"
        percent = amount / distributable * 100
        assert abs(Fraction(row["percent"]) - percent) <= Fraction(1, 20_000), f"{region}: {row['percent']} %"
        parts = [Fraction(row[component]) for component in exact]
        assert sum(parts) + Fraction(row.get("bounds_adjustment", 0)) == amount, f"{region}: columns do not add up"
        for component, part in zip(exact, parts):
            assert abs(part - exact[component][region]) < unit, f"{region}: {component} {row[component]}"
        residual = int(amount / unit) - math.floor(bounded[region])
        assert row.get("residual_units", 0) == residual, f"{region}: residual {residual}"
    for key in [*exact, "amount"]:
        assert Fraction(result["totals"][key]) == sum(Fraction(row[key]) for row in rows), key
    for component in exact:
        money = sum(exact[component].values())
        assert abs(Fraction(result["totals"][component]) - money) < unit, component
    moved = [region for region in regions if bounded[region] != quotas[region]]
    print(f"{name} {pool}: {len(rows)} amounts, {len(moved)} moved by bounds")


main()

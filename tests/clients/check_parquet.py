"""Reads a Parquet file with Apache Arrow and compares every cell with the CSV of the same rows.

Usage: check_parquet.py FILE.parquet FILE.csv; prints the schema and the number of rows.
"""

import csv
import decimal
import sys

import pyarrow.parquet


def main() -> None:
    parquet, text = sys.argv[1:]
    table = pyarrow.parquet.read_table(parquet)
    with open(text, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    header, rows = rows[0], rows[1:]
    assert table.column_names == header, (table.column_names, header)
    assert table.num_rows == len(rows), (table.num_rows, len(rows))
    for name, at in zip(header, range(len(header))):
        for number, (found, expected) in enumerate(zip(table[name].to_pylist(), (row[at] for row in rows))):
            if isinstance(found, decimal.Decimal):
                same = expected != "" and found == decimal.Decimal(expected)
            else:
                same = ("" if found is None else str(found)) == expected
            assert same, (number, name, found, expected)
    for field in table.schema:
        print(f"{field.name}: {field.type}")
    print(table.num_rows, "rows")


main()

"""Prints where a file of an installed package is, without running the package.

Usage: schema_path.py PACKAGE FILE
"""

import importlib.util
import pathlib
import sys


def main(package, file):
    found = importlib.util.find_spec(package)
    path = pathlib.Path(found.submodule_search_locations[0], file)
    assert path.is_file(), path
    print(path)


main(*sys.argv[1:])

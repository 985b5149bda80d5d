"""Computes an allocation on a server and prints it. Nothing is imported and nothing is stored.

Usage: allocate.py [HOST:PORT], with the caller's token in INCENTIVE_FUND_TOKEN where the server asks for one.
"""

import importlib
import os
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"
SECONDS = 10  # the longest that a call may take
TOKEN = os.environ.get("INCENTIVE_FUND_TOKEN")
CALLER = [("authorization", f"Bearer {TOKEN}")] if TOKEN else []

POOL = Decimal("86000000.00")
# Invented figures (示例数据 illustrative): Xuchang publishes none by county.
# Code, name, migrants who settled in 2024, holders of residence permits.
UNITS = [
    ("4110-DC", "东城区", 1270, 9150),
    ("4110-SF", "市城乡一体化示范区", 1790, 11270),
    ("411002", "魏都区", 3640, 24780),
    ("411003", "建安区", 2950, 12360),
    ("411024", "鄢陵县", 2230, 7620),
    ("411025", "襄城县", 3310, 10940),
    ("411071", "经济技术开发区", 820, 6480),
    ("411081", "禹州市", 6120, 21450),
    ("411082", "长葛市", 5080, 26830),
]


def generated():
    """The modules that protoc makes of the protos, made anew and kept nowhere."""
    with tempfile.TemporaryDirectory() as directory:
        protos = [str(path) for path in PROTO.rglob("*.proto")]
        out = [f"--python_out={directory}", f"--grpc_python_out={directory}"]
        if protoc.main(["protoc", f"-I{PROTO}", *out, *protos]) != 0:
            sys.exit("the protos could not be compiled")
        sys.path.insert(0, directory)
        names = ["allocation", "formula", "region", "statistics"]
        messages = [importlib.import_module(f"incentivefund.v1.{name}_pb2") for name in names]
        return *messages, importlib.import_module("incentivefund.v1.allocation_pb2_grpc")


allocation, formula, region, statistics, services = generated()


def document():
    """60 % by settled and 40 % by resident migrants, rounded once to the fen."""
    return formula.FormulaDocument(
        id="from-python",
        title_zh="落户与居住因素",
        title_en="Settled and resident migrants",
        legal_basis=formula.LegalBasis(document="示例 example", illustrative="60 % and 40 % are examples"),
        rounding=formula.Rounding(unit="fen", method="largest_remainder"),
        components=[
            formula.Component(id="settled", name_zh="落户因素", percent="60", score="settled_new"),
            formula.Component(id="resident", name_zh="居住因素", percent="40", score="residence_permits"),
        ],
    )


def request(pool):
    """Formula and data are all in the request; money and numbers travel as text, never as floats."""
    kind = region.REGION_KIND_OTHER
    counts = [("settled_new", "落户人数"), ("residence_permits", "居住证持有人数")]
    return allocation.ComputeAllocationRequest(
        document=document(),
        regions=[region.Region(name=f"regions/{code}", display_name_zh=name, kind=kind) for code, name, *_ in UNITS],
        indicators=[
            statistics.Indicator(name=f"indicators/{code}", display_name_zh=name, unit="person", minimum="0")
            for code, name in counts
        ],
        observations=[
            statistics.ObservationRow(
                line=line, region=code, indicator=indicator, year="2024", value=str(value), source="illustrative"
            )
            for line, (code, _, *values) in enumerate(UNITS, start=1)
            for (indicator, _), value in zip(counts, values)
        ],
        pool=str(pool),
        year=2024,
    )


def is_serving(channel):
    """The standard health check. Its request may be empty; field 1 of the answer, a varint, is 1 for SERVING."""
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    return check(b"", timeout=SECONDS) == b"\x08\x01"


def show(result):
    for line in result.lines:
        settled, resident = (Decimal(amount) for amount in line.components)
        amount = Decimal(line.amount)
        assert settled + resident == amount
        code = line.region.removeprefix("regions/")
        print(f"{code:8} {settled:>15,} {resident:>15,} {amount:>15,}  {line.region_name.zh}")
    total = sum(Decimal(line.amount) for line in result.lines)
    assert total == Decimal(result.total) == POOL
    print(f"{'total':8} {total:>47,}")
    print(f"illustrative: {result.illustrative}")


def show_error(error):
    """What a refusal says, for programs and for people."""
    print(f"{error.code().name}: {error.details()}")
    for detail in rpc_status.from_call(error).details:
        for kind in [error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.LocalizedMessage]:
            message = kind()
            if not detail.Unpack(message):
                continue
            if kind is error_details_pb2.ErrorInfo:
                print(f"reason {message.reason} of {message.domain}")
            elif kind is error_details_pb2.BadRequest:
                for violation in message.field_violations:
                    print(f"field {violation.field}: {violation.description}")
            else:
                print(f"{message.locale}: {message.message}")


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"
    with grpc.insecure_channel(address) as channel:
        try:
            if not is_serving(channel):
                sys.exit(f"{address} is not serving")
        except grpc.RpcError as error:
            sys.exit(f"{address} does not answer: {error.details()}")
        stub = services.AllocationServiceStub(channel)
        show(stub.ComputeAllocation(request(POOL), timeout=SECONDS, metadata=CALLER).allocation)

        print("\nA pool with half a fen is refused:")
        try:
            stub.ComputeAllocation(request(POOL + Decimal("0.005")), timeout=SECONDS, metadata=CALLER)
        except grpc.RpcError as error:
            show_error(error)


main()

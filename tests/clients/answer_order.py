"""A bank that is not us: reads an order (pain.001), decides it, and writes its report (pain.002).

Usage: answer_order.py ORDER REPORT CLOSED_ACCOUNT DEBTOR_ACCOUNT:FEN...

Each debtor has so much money, and one payee's account is closed. Prints the order as the bank read it, one
line each: the count and sum of the message and of each block, and the payments. A fault of the order is an error.
"""

import datetime
import sys

from mockbank import accounts, clock, db, messages, validate


def main(order, report, closed, *debtors):
    with open(order, "rb") as file:
        data = file.read()
    now = datetime.datetime(2025, 6, 12, 9, 0, tzinfo=datetime.timezone.utc)
    payment_file, findings = validate.inspect(data, "application/xml", now.date())
    if findings:
        sys.exit("\n".join(validate.render(finding) for finding in findings))

    conn = db.connect()
    held = [(account, int(fen), "insufficient-funds") for account, fen in (each.split(":") for each in debtors)]
    for account, fen, behaviour in [*held, (closed, 0, "closed-account")]:
        conn.execute(
            "INSERT INTO account (id, name, iban, currency, balance, behaviour) VALUES (?, ?, ?, 'CNY', ?, ?)",
            (account, account, account, fen, behaviour),
        )
    decision = accounts.decide(payment_file, findings, conn, clock.Clock(), now)
    with open(report, "wb") as file:
        file.write(messages.write_pain002(decision, "BANK-1", "2025-06-12T17:00:00+08:00"))

    for batch in payment_file.batches:
        total = sum(payment.amount for payment in batch.payments)
        print("block", batch.pmt_inf_id, batch.debtor_account, len(batch.payments), total)
        for payment in batch.payments:
            print("payment", payment.end_to_end_id, payment.amount, payment.creditor_account)


main(*sys.argv[1:])

"""An agent bank that is not us: fills in a payment table (XLSX) and sends it back.

Usage: answer_table.py TABLE ANSWER

Every third payment fails, every fifth is still under way. Account numbers and bank codes must be text.
"""

import datetime
import sys

import openpyxl


def main(table, answer):
    workbook = openpyxl.load_workbook(table)
    sheet = workbook.active
    width = sheet.max_column
    headings = {sheet.cell(1, column).value: column for column in range(1, width + 1)}
    for at, heading in enumerate(["处理结果", "失败原因", "交易流水号", "交易日期"]):
        sheet.cell(1, width + 1 + at, heading)
    for row in range(2, sheet.max_row + 1):
        serial = sheet.cell(row, headings["序号"]).value
        if serial == "合计":
            break
        for heading in ["收款人账号", "收款行联行号"]:
            cell = sheet.cell(row, headings[heading])
            assert cell.data_type == "s", f"row {row}: {heading} is no text"
        if int(serial) % 3 == 0:
            said = ["失败", "户名与账号不符", None, None]
        elif int(serial) % 5 == 0:
            said = ["处理中", None, None, None]
        else:
            said = ["成功", None, f"T{serial}", datetime.date(2025, 6, 13)]
        for at, value in enumerate(said):
            sheet.cell(row, width + 1 + at, value)
    workbook.save(answer)


main(*sys.argv[1:])

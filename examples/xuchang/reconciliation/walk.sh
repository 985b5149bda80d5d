#!/bin/sh
# From six invented claims to a bank statement of the day, and from what does not match to balances that tie.
# All persons, accounts and figures are illustrative (虚构示例).
#
#   examples/xuchang/reconciliation/walk.sh [DIRECTORY]
#
# Needs the program as `incentive-fund` in PATH, or in INCENTIVE_FUND. Everything is made in DIRECTORY (default: a new
# one), which must be empty.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=${1:-$(mktemp -d)}
cd "$work"
program=${INCENTIVE_FUND:-incentive-fund}
day=$(TZ=CST-8 date +%F)
fund=citizenization-2025

run() {
    echo "\$ incentive-fund $*"
    "$program" "$@"
}
quiet() {
    "$program" "$@" > /dev/null
}

quiet keys generate --out keys.toml --id 2026
cat > incentive-fund.toml <<TOML
[privacy]
key_file = "keys.toml"
[[payment.debtor]]
payer = "city"
name = "示例财政局"
account = "411000000000054321"
bank_code = "102100099996"
[[payment.debtor]]
payer = "county"
name = "示例财政局"
account = "411002000000054321"
bank_code = "102100099996"
TOML

# Money, quota, claims, a batch: as in the README.
quiet fund receive $fund 86000000 --document 豫财预〔2024〕101号 --as 张三
quiet allocate --import "$root/examples/xuchang" --formula "$root/config/formulas/xuchang-settled-resident.toml" \
    --pool 86000000 --year 2024 --fund $fund --as 张三
draft=$("$program" runs list --format csv | sed 1d | cut -d, -f1 | tr -d '\357\273\277')
quiet runs approve "$draft" --as 李四
quiet runs issue "$draft" --as 王五
quiet policy defaults --examples
quiet fund contribute $fund 100000 --region 411002 --document 县级配套
quiet fund assign $fund --region 411002 --programme training --amount 200000
quiet fund assign $fund --region 411002 --programme training --payer county --amount 100000
quiet claim import "$here/claims.csv" --fund $fund --programme training --as 经办人
quiet claim approve --all $fund --state submitted --as 审批人
quiet batch create $fund --programme training --date "$day" --as 经办人
quiet batch freeze $fund/1 --as 经办人
quiet batch release $fund/1 --as 复核人

# What the bank says of the day.
sed "s/@DAY@/$day/g" "$here/statement.csv" > statement.csv
run statement import statement.csv --mapping corporate-ebank --as 出纳
status=0
run reconcile run --account city --date "$day" --as 出纳 || status=$?
test "$status" = 3 # breaks are left
run reconcile breaks city
run reconcile report city --format html -o report.html

# The sixth line says nothing that leads to a payment; the bank's slip does. One proposes, another approves.
# Which break is which line follows from the statement.
break_of() {
    "$program" reconcile breaks city --format csv | grep ",$1," | head -n 1 | cut -d, -f1 | tr -d '\357\273\277'
}
run reconcile break match "city/$(break_of 1/6)" --line 1/6 --payment RF671000000005C1 --reason 银行回单 --as 出纳
run reconcile break approve "city/$(break_of 1/6)" --as 会计
run reconcile break explain "city/$(break_of 1/7)" --category fee --reason 对账单附言 --as 出纳
run reconcile break explain "city/$(break_of 1/8)" --category interest --reason 对账单附言 --as 出纳
run reconcile break bank-error "city/$(break_of 1/5)" --reason 重复支付,已要求银行追回 --as 出纳
run reconcile balance city --date "$day"
run fund verify $fund
echo "$work"

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| incentive_fund_fuzz::camt(bytes));

//! What readers of statements share with those of payments.

#[allow(dead_code)]
#[path = "../../src/payment/dates.rs"]
pub(crate) mod dates;
#[allow(dead_code)]
#[path = "../../src/payment/xml.rs"]
pub(crate) mod xml;

//! Text types and messages with the same fields, both ways.

/// How one field is read from a message.
macro_rules! read_field {
    (same, $value:expr) => {
        $value
    };
    (text, $value:expr) => {
        $crate::domain::subsidy::document::Text($value)
    };
    (texts, $value:expr) => {
        $value
            .into_iter()
            .map($crate::domain::subsidy::document::Text)
            .collect()
    };
    (list, $value:expr) => {
        $value.into_iter().map(Into::into).collect()
    };
    (one, $value:expr) => {
        $value.unwrap_or_default().into()
    };
    (maybe, $value:expr) => {
        $value.map(Into::into)
    };
}

/// How one field is written to a message.
macro_rules! write_field {
    (same, $value:expr) => {
        $value
    };
    (text, $value:expr) => {
        $value.0
    };
    (texts, $value:expr) => {
        $value.into_iter().map(|text| text.0).collect()
    };
    (list, $value:expr) => {
        $value.into_iter().map(Into::into).collect()
    };
    (one, $value:expr) => {
        Some($value.into())
    };
    (maybe, $value:expr) => {
        $value.map(Into::into)
    };
}

/// Both directions between a text type and a message with the same fields. `same`: a string or truth
/// value; `text`, `texts`: exact values; `list`, `one`, `maybe`: other such types.
macro_rules! mirror {
    ($($text:ident = $message:ident { $($how:ident: $($field:ident),+;)+ })+) => {$(
        impl From<$crate::grpc::pb::$message> for $text {
            fn from(message: $crate::grpc::pb::$message) -> Self {
                Self { $($($field: $crate::grpc::convert::mirror::read_field!($how, message.$field),)+)+ }
            }
        }
        impl From<$text> for $crate::grpc::pb::$message {
            fn from(text: $text) -> Self {
                Self { $($($field: $crate::grpc::convert::mirror::write_field!($how, text.$field),)+)+ }
            }
        }
    )+};
}

pub(super) use {mirror, read_field, write_field};

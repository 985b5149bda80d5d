//! Accounts of a fund.

use crate::domain::error::{Bilingual, Error};
use crate::domain::payer::Payer;
use crate::domain::region::RegionCode;
use crate::domain::subsidy::ProgrammeCode;
use std::fmt;

/// What the money of an account is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Outside: where the money comes from. The only balance below zero: minus what was received.
    Source,
    /// Outside: what was given back to where it came from (上缴).
    Surrendered,
    /// Received and not yet issued.
    Unallocated,
    /// Issued: may be spent (预算指标).
    Quota,
    /// Bound by an approved claim (冻结).
    Reserved,
    /// Sent to the bank, which has not confirmed it.
    InPayment,
    /// Paid out.
    Paid,
}

impl Bucket {
    /// All buckets, in the order money passes through them.
    pub const ALL: [Self; 7] = [
        Self::Source,
        Self::Surrendered,
        Self::Unallocated,
        Self::Quota,
        Self::Reserved,
        Self::InPayment,
        Self::Paid,
    ];

    /// The code used in the API, in the store and in tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Surrendered => "surrendered",
            Self::Unallocated => "unallocated",
            Self::Quota => "quota",
            Self::Reserved => "reserved",
            Self::InPayment => "in_payment",
            Self::Paid => "paid",
        }
    }

    /// The names that people read.
    pub fn name(self) -> Bilingual {
        let (en, zh) = match self {
            Self::Source => ("source", "资金来源"),
            Self::Surrendered => ("surrendered", "上缴"),
            Self::Unallocated => ("unallocated", "待分配"),
            Self::Quota => ("available quota", "可用指标"),
            Self::Reserved => ("reserved", "冻结"),
            Self::InPayment => ("in payment", "支付中"),
            Self::Paid => ("paid", "已支付"),
        };
        Bilingual::new(en, zh)
    }

    /// Whether the balance may be below zero.
    pub const fn may_be_negative(self) -> bool {
        matches!(self, Self::Source)
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.code() == code)
    }
}

/// An account of a fund.
///
/// Written `payer/region/programme/bucket` with `-` for what it lacks: `city/411081/housing-purchase/quota`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// Whose money.
    pub payer: Payer,
    /// The region; none for the fund as a whole.
    pub region: Option<RegionCode>,
    /// The programme; none for what is not yet assigned to one.
    pub programme: Option<ProgrammeCode>,
    /// What it is bound to.
    pub bucket: Bucket,
}

impl Account {
    /// An account of the fund as a whole: the city's source, surrendered and unallocated money.
    pub const fn of_fund(bucket: Bucket) -> Self {
        Self {
            payer: Payer::City,
            region: None,
            programme: None,
            bucket,
        }
    }

    /// An account of a region, or of a programme in it.
    pub const fn new(
        payer: Payer,
        region: RegionCode,
        programme: Option<ProgrammeCode>,
        bucket: Bucket,
    ) -> Self {
        Self {
            payer,
            region: Some(region),
            programme,
            bucket,
        }
    }

    /// Takes back an account that was stored as text.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where the text is none that [`Account`]'s `Display` writes.
    pub fn from_stored(text: &str) -> Result<Self, Error> {
        let broken = || Error::internal(format!("stored data: {text} is not an account"));
        let parts: Vec<&str> = text.split('/').collect();
        let [payer, region, programme, bucket] = parts.as_slice() else {
            return Err(broken());
        };
        let given = |part: &str| (part != "-").then(|| part.to_owned());
        Ok(Self {
            payer: Payer::parse("payer", payer).map_err(|_| broken())?,
            region: given(region)
                .map(|region| RegionCode::parse("region", &region))
                .transpose()
                .map_err(|_| broken())?,
            programme: given(programme)
                .map(|programme| ProgrammeCode::parse("programme", &programme))
                .transpose()
                .map_err(|_| broken())?,
            bucket: Bucket::from_code(bucket).ok_or_else(broken)?,
        })
    }

    /// The account as people read it.
    pub fn name(&self) -> Bilingual {
        let bucket = self.bucket.name();
        let region = self.region.as_ref().map_or("", RegionCode::as_str);
        let programme = self.programme.as_ref().map_or("", ProgrammeCode::as_str);
        let place = [region, programme]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        if place.is_empty() {
            return bucket;
        }
        Bilingual::new(
            format!("{} of {place} ({})", bucket.en, self.payer),
            format!("{place} {}({})", bucket.zh, self.payer.zh()),
        )
    }
}

/// As text, the same as stored.
impl serde::Serialize for Account {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Account {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_stored(&text).map_err(|_| serde::de::Error::custom(format!("{text} is not an account")))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.payer,
            self.region.as_ref().map_or("-", RegionCode::as_str),
            self.programme.as_ref().map_or("-", ProgrammeCode::as_str),
            self.bucket.code()
        )
    }
}

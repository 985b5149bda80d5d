//! Who a claim is for: personal data, which is sealed at rest and masked wherever it is shown.

use crate::domain::error::{Faults, Violation};
use crate::domain::identity::{ResidentId, mask_account, mask_name};
use crate::domain::payment::Creditor;
use crate::domain::statistics::half_width;
use crate::domain::subsidy::programme::{Once, OnceBy, Payee as PayeeKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A person as handed in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The resident identity number (GB 11643).
    pub id_number: String,
}

/// The account that is to be paid, as handed in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payee {
    /// Under which name it is held.
    pub name: String,
    /// Its number.
    pub account: String,
    /// The bank's name.
    pub bank_name: String,
    /// The bank's CNAPS code.
    pub bank_code: String,
}

/// The personal data of a claim. Read by [`Personal::check`] it is in its canonical form.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// Who claims.
    pub applicant: Person,
    /// The other members of the household.
    pub household: Vec<Person>,
    /// A telephone number; may be empty.
    pub phone: String,
    /// Who is paid.
    pub payee: Payee,
    /// The home's number in the register (不动产单元号) or of its contract (网签备案号); empty where the
    /// programme is not about a home.
    pub home: String,
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(***)")
    }
}

/// Most members of a household beside the applicant.
const MAX_HOUSEHOLD: usize = 20;
/// Longest name of a person, in characters; the longest registered in China have some 25.
const MAX_NAME: usize = 50;

impl Personal {
    /// Checks everything against a programme's needs and gives the canonical form. No error repeats a name
    /// or a number.
    pub fn check(self, once: &[Once], payee: PayeeKind) -> Result<Self, Vec<Violation>> {
        let mut faults = Faults::default();
        let applicant = person("applicant", &self.applicant, &mut faults);
        if self.household.len() > MAX_HOUSEHOLD {
            faults.add(|| {
                Violation::new(
                    "household",
                    self.household.len().to_string(),
                    format!("at most {MAX_HOUSEHOLD} persons"),
                    format!("至多 {MAX_HOUSEHOLD} 人"),
                )
            });
        }
        let household: Vec<Person> = (self.household.iter().take(MAX_HOUSEHOLD).enumerate())
            .map(|(at, member)| person(&format!("household[{at}]"), member, &mut faults))
            .collect();
        let mut numbers: Vec<&str> = household.iter().map(|member| member.id_number.as_str()).collect();
        numbers.push(&applicant.id_number);
        numbers.sort_unstable();
        if numbers
            .windows(2)
            .any(|pair| pair[0] == pair[1] && !pair[0].is_empty())
        {
            faults.add(|| {
                Violation::new(
                    "household",
                    "a person twice / 同一人重复",
                    "each person once",
                    "每人只填一次",
                )
            });
        }
        let phone = half_width(self.phone.trim());
        let dialled = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | ' ');
        let plausible = (5..=20).contains(&phone.len()) && phone.chars().all(dialled);
        if !(phone.is_empty() || plausible) {
            faults.add(|| {
                Violation::new(
                    "phone",
                    "(not shown)",
                    "5 to 20 digits, + and -",
                    "5 至 20 位数字、+ 和 -",
                )
            });
        }
        let Payee {
            name,
            account,
            bank_name,
            bank_code,
        } = &self.payee;
        let name = name.trim();
        let creditor = match Creditor::parse("payee", name, account, bank_name.trim(), bank_code) {
            Ok(creditor) => Some(creditor),
            Err(violations) => {
                faults.extend(violations);
                None
            }
        };
        let known = std::iter::once(&applicant)
            .chain(&household)
            .any(|person| person.name == name);
        if payee == PayeeKind::Claimant && !known {
            faults.add(|| {
                Violation::new(
                    "payee.name",
                    "(not shown)",
                    "the name of the applicant or of a member of the household",
                    "申请人或家庭成员的姓名",
                )
            });
        }
        let home = self.home(once, &mut faults);
        faults.finish()?;
        let Some(creditor) = creditor else {
            return Err(Vec::new());
        };
        Ok(Self {
            applicant,
            household,
            phone,
            payee: Payee {
                name: creditor.name().to_owned(),
                account: creditor.account().as_str().to_owned(),
                bank_name: creditor.bank_name().to_owned(),
                bank_code: creditor.bank_code().as_str().to_owned(),
            },
            home,
        })
    }

    /// The applicant's name as it may be shown.
    pub fn masked_name(&self) -> String {
        mask_name(&self.applicant.name)
    }

    /// The applicant's ID number as it may be shown; empty where it is none.
    pub fn masked_id(&self) -> String {
        ResidentId::parse("", &self.applicant.id_number).map_or_else(|_| String::new(), |id| id.masked())
    }

    /// The account as it may be shown.
    pub fn masked_account(&self) -> String {
        mask_account(&self.payee.account)
    }

    /// The values by which a subsidy is given once, each once.
    pub fn values(&self, by: OnceBy) -> Vec<&str> {
        let people = std::iter::once(&self.applicant).chain(&self.household);
        match by {
            OnceBy::Household => people.map(|person| person.id_number.as_str()).collect(),
            OnceBy::Person => vec![&self.applicant.id_number],
            OnceBy::Home => vec![&self.home],
            OnceBy::Payee => vec![&self.payee.account],
        }
    }

    fn home(&self, once: &[Once], faults: &mut Faults) -> String {
        let home: String = half_width(&self.home)
            .to_uppercase()
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        let needed = once.iter().any(|once| once.by == OnceBy::Home);
        let length = home.chars().count();
        let plain = home
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '(' | ')' | '/'));
        if (needed || length > 0) && !((4..=64).contains(&length) && plain) {
            faults.add(|| {
                Violation::new(
                    "home",
                    if length == 0 { "(empty)" } else { "(not shown)" },
                    "the home's number in the register or of its contract, 4 to 64 letters, digits, - / and brackets",
                    "不动产单元号或合同备案号,4 至 64 个字母、数字、- / 和括号",
                )
            });
        }
        home
    }
}

/// A person in canonical form; what is wrong with it is noted.
fn person(field: &str, given: &Person, faults: &mut Faults) -> Person {
    let name = given.name.trim().to_owned();
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
        faults.add(|| {
            Violation::new(
                format!("{field}.name"),
                if length == 0 { "(empty)" } else { "(not shown)" },
                format!("1 to {MAX_NAME} characters, no control characters"),
                format!("1 至 {MAX_NAME} 个字符,不含控制字符"),
            )
        });
    }
    let id_number = faults.keep(ResidentId::parse(&format!("{field}.id_number"), &given.id_number));
    Person {
        name,
        id_number: id_number.map(|id| id.expose().to_owned()).unwrap_or_default(),
    }
}

//! `claim assess`: an entitlement with its derivation, as a clerk reads it.

use super::client::Client;
use super::explain::Language;
use super::files;
use super::output::{self, Failure};
use crate::domain::error::Error;
use crate::domain::subsidy::document::{MAX_BYTES, Text};
use crate::grpc::pb;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct AssessArguments {
    /// Code of the region that the claim is made in
    #[arg(long, value_name = "CODE")]
    region: String,
    /// Code of the programme
    #[arg(long, value_name = "CODE")]
    programme: String,
    /// TOML file of facts: CODE = "value" on each line
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// A fact, such as area=88.5; goes before the same one in the file
    #[arg(long = "fact", value_name = "CODE=VALUE")]
    single: Vec<String>,
    /// Kind of a document that came with the claim
    #[arg(long = "document", value_name = "CODE")]
    documents: Vec<String>,
    /// Language of the sentences
    #[arg(long, value_enum, default_value = "both")]
    language: Language,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: AssessArguments, mut client: Client) -> Result<(), Failure> {
    let request = pb::AssessClaimRequest {
        region: format!("regions/{}", arguments.region),
        programme: format!("programmes/{}", arguments.programme),
        facts: facts(&arguments)?,
        documents: arguments.documents,
    };
    let response = client.subsidies.assess_claim(request).await?.into_inner();
    let assessment = response.assessment.unwrap_or_default();
    print(&assessment, arguments.language, arguments.json)
}

/// Prints an assessment for people, or as JSON.
pub(super) fn print(assessment: &pb::Assessment, language: Language, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string_pretty(&as_json(assessment)).map_err(Error::internal)?;
        return output::text(&format!("{text}\n"));
    }
    output::text(&as_text(assessment, language))
}

fn facts(arguments: &AssessArguments) -> Result<BTreeMap<String, String>, Failure> {
    let mut facts = BTreeMap::new();
    if let Some(file) = &arguments.facts {
        let bytes = files::read(file, MAX_BYTES)?;
        let wrong = |message: &str| Failure::usage(format!("{}: {message}", file.display()));
        let text = String::from_utf8(bytes).map_err(|_| wrong("not UTF-8 / 须为 UTF-8 编码的 TOML 文件"))?;
        let read: BTreeMap<String, Text> = toml::from_str(&text).map_err(|error| wrong(error.message()))?;
        facts.extend(read.into_iter().map(|(code, value)| (code, value.0)));
    }
    for pair in &arguments.single {
        let (code, value) = pair.split_once('=').ok_or_else(|| {
            Failure::usage(format!(
                "--fact {pair}: CODE=VALUE, such as area=88.5 / 格式为 代码=值"
            ))
        })?;
        facts.insert(code.to_owned(), value.to_owned());
    }
    Ok(facts)
}

/// Writes sentences in the languages asked for.
struct Page {
    text: String,
    language: Language,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A sentence in each language, on lines of their own; the second stands under the first.
    fn sentence(&mut self, mark: &str, sentence: Option<&pb::LocalizedText>) {
        let Some(sentence) = sentence else { return };
        let under = " ".repeat(unicode_width::UnicodeWidthStr::width(mark));
        let lines: &[&str] = match self.language {
            Language::Both => &[&sentence.zh, &sentence.en],
            Language::Zh => &[&sentence.zh],
            Language::En => &[&sentence.en],
        };
        for (at, line) in lines.iter().enumerate() {
            let mark = if at == 0 { mark } else { &under };
            let _ = writeln!(self.text, "{mark}{line}");
        }
    }
}

fn title(text: Option<&pb::LocalizedText>) -> String {
    text.map(|text| format!("{} / {}", text.zh, text.en))
        .unwrap_or_default()
}

fn as_text(assessment: &pb::Assessment, language: Language) -> String {
    let mut page = Page {
        text: String::new(),
        language,
    };
    let verdict = if assessment.eligible {
        "符合条件 / eligible"
    } else {
        "不符合条件 / not eligible"
    };
    page.line(&format!("核定结果 Assessment: {verdict}"));
    page.line(&format!(
        "金额 Amount: {} 元 yuan(市级 city {},县级 county {})",
        assessment.amount, assessment.city_amount, assessment.county_amount
    ));
    page.line(&format!(
        "政策 Policy: {}\n  {} {}",
        title(assessment.policy_title.as_ref()),
        assessment.policy,
        assessment.policy_digest
    ));
    page.line(&format!(
        "适用地区 Region of the policy: {}   决定日期 Decisive date: {}",
        assessment.policy_region, assessment.decisive_date
    ));
    page.line(&format!("依据 Legal basis: {}", assessment.legal_basis));
    if !assessment.illustrative.is_empty() {
        page.line(&format!("示例说明 Illustrative: {}", assessment.illustrative));
    }
    page.line("\n条件 Clauses");
    for clause in &assessment.clauses {
        let mark = if clause.passed {
            "  [符合 passed]   "
        } else {
            "  [不符 failed]   "
        };
        let under = " ".repeat(unicode_width::UnicodeWidthStr::width(mark));
        page.sentence(mark, clause.text.as_ref());
        page.sentence(&format!("{under}- "), clause.reason.as_ref());
    }
    if !assessment.benefits.is_empty() {
        page.line("\n补贴 Benefits");
    }
    for benefit in &assessment.benefits {
        page.line(&format!(
            "  {}: {} 元 yuan",
            title(benefit.name.as_ref()),
            benefit.exact
        ));
        for step in &benefit.steps {
            page.sentence("    - ", Some(step));
        }
        caps(&mut page, "    ", &benefit.caps);
    }
    if !assessment.caps.is_empty() {
        page.line("\n上限 Caps");
        caps(&mut page, "  ", &assessment.caps);
    }
    if !assessment.settlement.is_empty() {
        page.line("\n取整与分担 Rounding and split");
    }
    for step in &assessment.settlement {
        page.sentence("  - ", Some(step));
    }
    page.line("");
    if assessment.notice_days > 0 {
        page.line(&format!("公示 Public notice: {} 天 days", assessment.notice_days));
    }
    if !assessment.documents_missing.is_empty() {
        page.line("缺少材料 Documents missing:");
    }
    for kind in &assessment.documents_missing {
        page.line(&format!(
            "  - {} / {} ({})",
            kind.name_zh, kind.name_en, kind.code
        ));
    }
    page.text
}

fn caps(page: &mut Page, indent: &str, caps: &[pb::CapOutcome]) {
    for cap in caps {
        let mark = if cap.applied {
            format!("{indent}[封顶 capped] ")
        } else {
            format!("{indent}[未超 within] ")
        };
        page.sentence(&mark, cap.derivation.as_ref());
    }
}

fn localized(text: Option<&pb::LocalizedText>) -> Value {
    text.map_or(Value::Null, |text| json!({ "zh": text.zh, "en": text.en }))
}

fn caps_json(caps: &[pb::CapOutcome]) -> Vec<Value> {
    caps.iter()
        .map(|cap| {
            json!({
                "id": cap.id, "name": localized(cap.name.as_ref()), "clause": cap.clause,
                "limit": cap.limit, "applied": cap.applied, "derivation": localized(cap.derivation.as_ref()),
            })
        })
        .collect()
}

fn as_json(assessment: &pb::Assessment) -> Value {
    let clauses: Vec<Value> = assessment
        .clauses
        .iter()
        .map(|clause| {
            json!({
                "id": clause.id, "clause": clause.clause, "text": localized(clause.text.as_ref()),
                "passed": clause.passed, "reason": localized(clause.reason.as_ref()),
            })
        })
        .collect();
    let benefits: Vec<Value> = assessment
        .benefits
        .iter()
        .map(|benefit| {
            let steps: Vec<Value> = benefit.steps.iter().map(|step| localized(Some(step))).collect();
            json!({
                "id": benefit.id, "name": localized(benefit.name.as_ref()), "clause": benefit.clause,
                "applies": benefit.applies, "steps": steps, "caps": caps_json(&benefit.caps),
                "exact": benefit.exact,
            })
        })
        .collect();
    let deed_tax = assessment.deed_tax.as_ref().map(|tax| {
        json!({
            "law": tax.law, "percent": tax.percent, "due": tax.due, "receipt": tax.receipt,
            "difference": tax.difference, "on_difference": tax.on_difference, "recognised": tax.recognised,
            "derivation": localized(tax.derivation.as_ref()),
        })
    });
    let rounding = assessment.rounding.clone().unwrap_or_default();
    let settlement: Vec<Value> = assessment
        .settlement
        .iter()
        .map(|step| localized(Some(step)))
        .collect();
    let missing: Vec<Value> = assessment
        .documents_missing
        .iter()
        .map(|kind| json!({ "code": kind.code, "name_zh": kind.name_zh, "name_en": kind.name_en }))
        .collect();
    json!({
        "eligible": assessment.eligible,
        "amount": assessment.amount,
        "city_amount": assessment.city_amount,
        "county_amount": assessment.county_amount,
        "policy": assessment.policy,
        "policy_digest": assessment.policy_digest,
        "policy_title": localized(assessment.policy_title.as_ref()),
        "policy_region": assessment.policy_region,
        "legal_basis": assessment.legal_basis,
        "illustrative": assessment.illustrative,
        "programme": assessment.programme,
        "programme_digest": assessment.programme_digest,
        "decisive_date": assessment.decisive_date,
        "clauses": clauses,
        "deed_tax": deed_tax,
        "benefits": benefits,
        "caps": caps_json(&assessment.caps),
        "exact": assessment.exact,
        "rounding": { "unit": rounding.unit, "direction": rounding.direction },
        "settlement": settlement,
        "notice_days": assessment.notice_days,
        "documents_missing": missing,
    })
}

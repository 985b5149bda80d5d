//! `explain`: why amounts are what they are.

use super::client::Client;
use super::output::{self, Failure, OutputArguments};
use super::{runs, tables};
use crate::grpc::pb;
use std::fmt::Write as _;

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// The allocation: allocations/ID or ID
    name: String,
    /// Only the region with this code
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// Language of the sentences
    #[arg(long, value_enum, default_value = "both")]
    language: Language,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which language sentences are printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    /// Chinese, then English.
    Both,
    /// Chinese.
    Zh,
    /// English.
    En,
}

pub(super) async fn run(arguments: ExplainArguments, mut client: Client) -> Result<(), Failure> {
    let name = runs::resource_name(&arguments.name);
    let explanations = stored(&mut client, &name, arguments.region.as_deref()).await?;
    if !arguments.output.is_for_reading() {
        return arguments
            .output
            .write(&tables::explanations(&name, &explanations));
    }
    let mut text = String::new();
    for explanation in &explanations {
        derivation(&mut text, explanation);
    }
    output::text(&text)?;
    output::text(&sentences(&explanations, arguments.language))
}

/// Explanations of a stored run.
pub(super) async fn stored(
    client: &mut Client,
    name: &str,
    region: Option<&str>,
) -> Result<Vec<pb::Explanation>, Failure> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ExplainAllocationRequest {
            name: name.to_owned(),
            region: region.map(|code| format!("regions/{code}")).unwrap_or_default(),
            page_size: 1_000,
            page_token,
        };
        let response = client.allocations.explain_allocation(request).await?.into_inner();
        found.extend(response.explanations);
        if response.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = response.next_page_token;
    }
}

/// One sentence a region and language.
pub(super) fn sentences(explanations: &[pb::Explanation], language: Language) -> String {
    let mut text = String::from("\n");
    for sentence in explanations
        .iter()
        .filter_map(|explanation| explanation.sentence.as_ref())
    {
        if language != Language::En {
            text.push_str(&sentence.zh);
            text.push('\n');
        }
        if language != Language::Zh {
            text.push_str(&sentence.en);
            text.push('\n');
        }
    }
    text
}

/// The derivation step by step. Writing to a String cannot fail.
fn derivation(text: &mut String, explanation: &pb::Explanation) {
    let code = explanation.region.trim_start_matches("regions/");
    let _ = writeln!(
        text,
        "\n{code} {}: {} yuan / 元",
        explanation.region_name, explanation.amount
    );
    let _ = writeln!(text, "  inputs / 数据:");
    for input in &explanation.inputs {
        let name = input
            .indicator_name
            .as_ref()
            .map(|name| name.zh.as_str())
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "    {} {name} {}: {} {} (revision {}, {})",
            input.indicator.trim_start_matches("indicators/"),
            input.year,
            input.value,
            input.unit,
            input.revision,
            input.source
        );
    }
    for component in &explanation.components {
        let name = component
            .name
            .as_ref()
            .map(|name| format!("{} / {}", name.zh, name.en))
            .unwrap_or_default();
        let _ = writeln!(text, "  component / 因素 {}: {name}", component.id);
        let _ = writeln!(
            text,
            "    score / 得分: {} = {} = {}",
            component.expression, component.substituted, component.score
        );
        for factor in &component.factors {
            let name = factor
                .name
                .as_ref()
                .map(|name| format!("{} / {}", name.zh, name.en))
                .unwrap_or_default();
            let _ = writeln!(
                text,
                "    times / 乘以 {name}: {} = {}",
                factor.substituted, factor.value
            );
        }
        if !component.rate.is_empty() {
            let _ = writeln!(
                text,
                "    rate / 标准: {} yuan; claimed by all / 应补合计: {} yuan",
                component.rate, component.claimed
            );
        }
        let _ = writeln!(
            text,
            "    share / 份额: {} of {} = {} ({} %)",
            component.adjusted_score, component.score_sum, component.share, component.share_percent
        );
        let _ = writeln!(
            text,
            "    amount / 金额: of {} yuan: {} = {}",
            component.pool, component.amount, component.amount_decimal
        );
    }
    let _ = writeln!(text, "  before bounds / 上下限前: {} yuan", explanation.unbounded);
    let cap = if explanation.cap.is_empty() {
        "none / 无"
    } else {
        explanation.cap.as_str()
    };
    let _ = writeln!(text, "  floor / 下限: {}; cap / 上限: {cap}", explanation.floor);
    if !explanation.refill_factor.is_empty() {
        let _ = writeln!(
            text,
            "  free amounts times / 未触限地区系数: {}",
            explanation.refill_factor
        );
    }
    let _ = writeln!(
        text,
        "  quota / 精确值: {} = {} yuan; rounding / 取整: {} by {}, residual units / 尾差: {}",
        explanation.quota,
        explanation.quota_decimal,
        explanation.rounding_unit,
        explanation.rounding_method,
        explanation.residual_units
    );
}

//! What is asked of a simulation as it is written, exchanged and stored: text in every field, nothing
//! decided yet. The same shapes serve TOML files, the API and the database.

use crate::domain::digest::{Digest, DigestBuilder};
use crate::domain::error::Violation;
use crate::domain::formula::document::BoundText;
use crate::domain::subsidy::document::Text;
use serde::{Deserialize, Serialize};

fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Gives each text type its attributes: unknown fields are refused, absent ones are the default and are left out.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "absent")] pub $field: $type,)+
        }
    )+};
}

texts! {
    /// What scenarios are changes of.
    BaseText {
        /// `formulas/ID` or `formulas/ID/revisions/N`; in a file also the id alone or the name of a TOML file.
        formula: String,
        /// `dataSets/ID` or `dataSets/ID/revisions/N`; in a file also the id alone.
        data_set: String,
        /// Yuan.
        pool: Text,
        /// Base year.
        year: i32,
        /// `regions/CODE` of the region whose parts take part; in a file also the code alone. Empty: all with data.
        scope: String,
        /// Percentage of an advance; empty means the whole pool.
        advance_percent: Text,
    }
    /// One change; `what` says of what, and which other fields are used.
    ChangeText {
        /// `pool`, `advance`, `percent`, `fixed_sum`, `parameter`, `set_aside`, `bound`, `add_bound`,
        /// `remove_bound`, `indicator` or `rounding`.
        what: String,
        /// Id of the component or set-aside, name of the parameter, or code of the indicator.
        id: String,
        /// The new value,
        to: Text,
        /// or what is added,
        by: Text,
        /// or a change in percent.
        percent: Text,
        /// `pro_rata` (default) or `given`.
        others: String,
        /// Year of the indicator; 0 means every year that the formula uses.
        year: i32,
        /// Code of the region; empty means all.
        region: String,
        /// Position of the bound, counted from 0.
        position: u32,
        /// The bound to add.
        bound: Option<BoundText>,
        /// The new rounding unit.
        unit: String,
        /// The new rounding method.
        method: String,
    }
    /// A change without its value.
    KnobText {
        /// As in [`ChangeText`].
        what: String,
        /// As in [`ChangeText`].
        id: String,
        /// `to` (default), `by` or `percent`.
        how: String,
        /// As in [`ChangeText`].
        others: String,
        /// As in [`ChangeText`].
        year: i32,
        /// As in [`ChangeText`].
        region: String,
        /// As in [`ChangeText`].
        position: u32,
    }
    /// Changes with a name.
    ScenarioText {
        /// The name.
        name: String,
        /// The changes.
        changes: Vec<ChangeText>,
    }
    /// Scenarios side by side.
    ComparisonText {
        /// The scenarios.
        scenarios: Vec<ScenarioText>,
        /// Code of the indicator that counts heads; empty means none.
        heads: String,
        /// Name of the scenario that the others are compared with; empty means the base.
        against: String,
    }
    /// A knob and its values.
    AxisText {
        /// What is varied.
        knob: KnobText,
        /// Its values,
        values: Vec<Text>,
        /// or the first,
        from: Text,
        /// the one not passed,
        to: Text,
        /// and the step.
        step: Text,
    }
    /// A grid.
    SweepText {
        /// Changes that hold in every point.
        changes: Vec<ChangeText>,
        /// The axes; the last varies fastest.
        axes: Vec<AxisText>,
    }
    /// Values of an indicator that are uncertain.
    UncertainText {
        /// A name.
        name: String,
        /// Code of the indicator.
        indicator: String,
        /// Year; 0 means every year that the formula uses.
        year: i32,
        /// Codes of the regions; none means all.
        regions: Vec<String>,
        /// `normal`, `uniform`, `triangular` or `empirical`.
        distribution: String,
        /// `percent` (default) or `absolute`.
        measure: String,
        /// Standard deviation.
        deviation: Text,
        /// Least error.
        low: Text,
        /// Likeliest error.
        mode: Text,
        /// Largest error.
        high: Text,
        /// Errors that are equally likely.
        errors: Vec<Text>,
        /// Cuts a normal off where the indicator's limits are.
        truncate: bool,
        /// Correlation between any two of these values.
        together: Text,
    }
    /// Two that move together.
    CorrelationText {
        /// Name of one.
        a: String,
        /// Name of the other.
        b: String,
        /// From -1 to 1.
        value: Text,
    }
    /// Samples over uncertain statistics.
    MonteCarloText {
        /// Changes that hold in every sample.
        changes: Vec<ChangeText>,
        /// What is uncertain.
        uncertain: Vec<UncertainText>,
        /// What moves together.
        correlations: Vec<CorrelationText>,
        /// How many samples.
        samples: u64,
        /// The seed.
        seed: u64,
        /// Code of the indicator that holds last year's amounts.
        last_year: String,
        /// Samples for the Sobol indices; 0 means none.
        driver_samples: u64,
    }
    /// What is to be reached.
    TargetText {
        /// `amount`, `ratio`, `ratio_per_head` or `loser`.
        what: String,
        /// Code of the region.
        region: String,
        /// Code of the region that it is compared with.
        other: String,
        /// Code of the indicator that counts heads.
        heads: String,
        /// At least this,
        at_least: Text,
        /// or at most this.
        at_most: Text,
    }
    /// A search for the smallest change.
    GoalText {
        /// Changes that hold in every point.
        changes: Vec<ChangeText>,
        /// What is changed, and within which values.
        axis: AxisText,
        /// What is to be reached.
        target: TargetText,
    }
    /// A search for where ranks change.
    StabilityText {
        /// Changes that hold in every point.
        changes: Vec<ChangeText>,
        /// What is moved, and within which values.
        axis: AxisText,
    }
    /// Measures of inequality and direction.
    FairnessText {
        /// The scenarios to measure beside the base.
        scenarios: Vec<ScenarioText>,
        /// Code of the indicator that counts heads.
        heads: String,
        /// Code of the indicator that counts migrants.
        migrants: String,
    }
    /// A file: a base, and what to ask of it, one section for each kind.
    FileText {
        /// A title for people.
        title: String,
        /// The base.
        base: BaseText,
        /// `simulate compare`
        comparison: Option<ComparisonText>,
        /// `simulate sweep`
        sweep: Option<SweepText>,
        /// `simulate monte-carlo`
        monte_carlo: Option<MonteCarloText>,
        /// `simulate goal`
        goal: Option<GoalText>,
        /// `simulate stability`
        stability: Option<StabilityText>,
        /// `simulate fairness`
        fairness: Option<FairnessText>,
    }
}

/// What is asked of a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Scenarios side by side.
    Comparison(ComparisonText),
    /// A grid.
    Sweep(SweepText),
    /// Samples.
    MonteCarlo(MonteCarloText),
    /// A goal.
    Goal(GoalText),
    /// How stable ranks are.
    Stability(StabilityText),
    /// Measures of fairness.
    Fairness(FairnessText),
}

impl Question {
    /// Its kind as API, store and tables write it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Comparison(_) => "comparison",
            Self::Sweep(_) => "sweep",
            Self::MonteCarlo(_) => "monte_carlo",
            Self::Goal(_) => "goal",
            Self::Stability(_) => "stability",
            Self::Fairness(_) => "fairness",
        }
    }

    /// All kinds.
    pub const KINDS: [&'static str; 6] = [
        "comparison",
        "sweep",
        "monte_carlo",
        "goal",
        "stability",
        "fairness",
    ];

    /// The digest of what is asked.
    pub fn digest(&self) -> Digest {
        // Plain structs of strings and lists always serialize; field order is declaration order.
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut digest = DigestBuilder::new("incentivefund.v1.Question");
        digest.field(&json);
        digest.finish()
    }
}

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

impl FileText {
    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// A [`Violation`] that names the line.
    pub fn from_toml(text: &str) -> Result<Self, Violation> {
        if text.len() > MAX_BYTES {
            return Err(Violation::new(
                "file",
                format!("more than {MAX_BYTES} bytes"),
                format!("a file of at most {MAX_BYTES} bytes"),
                format!("不超过 {MAX_BYTES} 字节的文件"),
            ));
        }
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let field = line.map_or_else(|| "file".to_owned(), |line| format!("line {line}"));
            Violation::new(
                field,
                error.message(),
                "a simulation in TOML as docs/SIMULATION.md describes it",
                "符合 docs/SIMULATION.md 说明的 TOML 测算文件",
            )
        })
    }
}

//! A reconciliation as a job: its states, and the steps that it goes through.

use super::codes;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Asked for; no worker has taken it.
    Waiting,
    /// A worker is at it, or was when it broke off.
    Running,
    /// Done.
    Finished,
    /// Given up because somebody asked.
    Cancelled,
    /// Given up because it could not go on.
    Failed,
}

codes!(JobState {
    Waiting => "waiting", "等待",
    Running => "running", "进行中",
    Finished => "finished", "已完成",
    Cancelled => "cancelled", "已取消",
    Failed => "failed", "失败",
});

/// What can be done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    /// Take it, for the first time or from a worker that is gone.
    Take,
    /// Do a piece of it.
    Advance,
    /// Ask for it to be given up.
    Cancel,
    /// Give it up as asked.
    GiveUp,
    /// End it.
    Finish,
    /// Give it up for a reason of its own.
    Fail,
}

impl JobState {
    /// The one transition function: the state after an action, or `None` where it is not allowed.
    pub const fn after(self, action: JobAction) -> Option<Self> {
        match (self, action) {
            (Self::Waiting | Self::Running, JobAction::Take) | (Self::Running, JobAction::Advance) => {
                Some(Self::Running)
            }
            // One that nobody has begun is over at once; a worker sees it at its next step.
            (Self::Waiting, JobAction::Cancel) | (Self::Running, JobAction::GiveUp) => Some(Self::Cancelled),
            (Self::Running, JobAction::Cancel) => Some(Self::Running),
            (Self::Running, JobAction::Finish) => Some(Self::Finished),
            (Self::Waiting | Self::Running, JobAction::Fail) => Some(Self::Failed),
            _ => None,
        }
    }

    /// Whether nothing can happen to it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Failed)
    }
}

/// The steps of a job, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Payments of an older release get what matching needs.
    Prepare,
    /// Lines that pay the payment whose reference they carry, a range of lines at a time.
    References,
    /// Lines that pay the rest of a batch.
    BatchTotals,
    /// Lines without a reference that fit one payment by account, amount and day.
    AccountDates,
    /// Payments of whose lines something is irregular, decided one by one.
    Groups,
    /// What is left is put into classes.
    Classify,
    /// What is to be posted is counted.
    Plan,
    /// Money that the bank paid out or gave back is posted.
    Post,
    /// Findings become breaks.
    Compare,
    /// What came of it is counted.
    Report,
    /// Nothing is left to do.
    Done,
}

codes!(Step {
    Prepare => "prepare", "准备",
    References => "references", "按参考号匹配",
    BatchTotals => "batch_totals", "按批次合计匹配",
    AccountDates => "account_dates", "按账号日期匹配",
    Groups => "groups", "逐笔判定",
    Classify => "classify", "归类",
    Plan => "plan", "拟入账",
    Post => "post", "入账",
    Compare => "compare", "登记差异",
    Report => "report", "汇总",
    Done => "done", "完成",
});

impl Step {
    /// The step behind this one.
    pub fn next(self) -> Self {
        let mut steps = Self::ALL.iter().copied().skip_while(|step| *step != self);
        steps.nth(1).unwrap_or(Self::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over() {
        let actions = [
            JobAction::Take,
            JobAction::Advance,
            JobAction::Cancel,
            JobAction::GiveUp,
            JobAction::Finish,
            JobAction::Fail,
        ];
        for state in JobState::ALL.iter().filter(|state| state.is_over()) {
            for action in actions {
                assert_eq!(state.after(action), None, "{state} {action:?}");
            }
        }
        assert_eq!(JobState::Waiting.after(JobAction::Take), Some(JobState::Running));
        assert_eq!(JobState::Running.after(JobAction::Take), Some(JobState::Running));
        assert_eq!(JobState::Waiting.after(JobAction::Finish), None);
        assert_eq!(
            JobState::Waiting.after(JobAction::Cancel),
            Some(JobState::Cancelled)
        );
        assert_eq!(
            JobState::Running.after(JobAction::Cancel),
            Some(JobState::Running)
        );
    }

    #[test]
    fn steps_follow_each_other() {
        assert_eq!(Step::Prepare.next(), Step::References);
        assert_eq!(Step::Report.next(), Step::Done);
        assert_eq!(Step::Done.next(), Step::Done);
    }
}

//! What claims are assessed by, read for many callers at once.
//!
//! Callers queue here with their regions. Whatever has come in while one reading was under way shares the
//! next, which so began after each of its callers came: each sees all that was committed before it called.

use super::claims::ClaimInput;
use super::desk::Submission;
use super::rules::{Rules, RulesCache};
use super::submission;
use super::vault::Vault;
use crate::domain::error::Error;
use crate::domain::region::RegionCode;
use crate::store::Store;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};

/// Callers that wait at most; those beyond wait for a place.
const QUEUE: usize = 4_096;

/// The rules and some regions, all at one moment.
pub(super) struct Reading {
    rules: Arc<Rules>,
    paths: HashMap<RegionCode, Vec<RegionCode>>,
}

impl Reading {
    /// Checks and assesses a claim in one of the regions.
    pub(super) fn prepare(&self, vault: &Vault, input: ClaimInput) -> Result<Submission, Error> {
        let path = self.paths.get(&input.assess.region).map(Vec::as_slice);
        submission::prepare(&self.rules, vault, path.unwrap_or_default(), input)
    }
}

type Answer = Result<Arc<Reading>, Error>;
type Question = (BTreeSet<RegionCode>, oneshot::Sender<Answer>);

/// The queue.
#[derive(Default)]
pub(super) struct Readings {
    queue: OnceLock<mpsc::Sender<Question>>,
}

impl Readings {
    /// A reading that holds these regions, those that there are.
    pub(super) async fn of(
        &self,
        store: &Store,
        rules: &RulesCache,
        regions: BTreeSet<RegionCode>,
    ) -> Answer {
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            tokio::spawn(serve(store.clone(), rules.clone(), receiver));
            sender
        });
        let (reply, answer) = oneshot::channel();
        let broken = || Error::internal("a reading broke off");
        queue.send((regions, reply)).await.map_err(|_| broken())?;
        answer.await.map_err(|_| broken())?
    }
}

async fn serve(store: Store, rules: RulesCache, mut queue: mpsc::Receiver<Question>) {
    while let Some(first) = queue.recv().await {
        let mut questions = vec![first];
        while let Ok(question) = queue.try_recv() {
            questions.push(question);
        }
        let regions: BTreeSet<RegionCode> = (questions.iter())
            .flat_map(|(regions, _)| regions.iter().cloned())
            .collect();
        // A task of its own: a defect ends its callers, not the queue.
        let (store, rules) = (store.clone(), rules.clone());
        let reading = tokio::spawn(async move { read(&store, &rules, regions).await.map(Arc::new) });
        let answer = reading
            .await
            .unwrap_or_else(|defect| Err(Error::internal(defect)));
        for (_, reply) in questions {
            // A caller that has gone away does not want its answer.
            let _ = reply.send(answer.clone());
        }
    }
}

async fn read(store: &Store, rules: &RulesCache, regions: BTreeSet<RegionCode>) -> Result<Reading, Error> {
    let tx = store.begin_read().await?;
    let mut paths = HashMap::new();
    let mut counted = None;
    for region in regions {
        let (path, count) = tx.region_path_and_rule_count(&region).await?;
        // A region that is not there counts nothing.
        if !path.is_empty() {
            counted = Some(count);
        }
        paths.insert(region, path);
    }
    let count = match counted {
        Some(count) => count,
        None => tx.rule_count().await?,
    };
    let rules = rules.at(&tx, count).await?;
    Ok(Reading { rules, paths })
}

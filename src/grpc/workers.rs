//! The worker of this process that does reconciliations.

use super::gate::Gate;
use crate::app::App;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Works on jobs from the first call of [`Worker::start`] on until the server stops. A job that it leaves is taken
/// by another when its lease is over.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    started: Arc<AtomicBool>,
}

impl Worker {
    /// Begins to work, once.
    pub(super) fn start(&self, app: &App, gate: &Gate) {
        if self.started.swap(true, Ordering::Relaxed) {
            return;
        }
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7());
        tokio::spawn(app.clone().work_on_reconciliations(name, stopped));
        let gate = gate.clone();
        tokio::spawn(async move {
            gate.stopped().await;
            // A worker that has ended does not listen.
            let _ = stop.send(true);
        });
    }
}

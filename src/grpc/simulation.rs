//! SimulationService.

use super::convert::allocation::from_run;
use super::convert::names;
use super::convert::simulation::{
    from_comparison, from_event, from_fairness, from_goal, from_kept, from_samples_event, from_stability,
    from_sweep_event, kept_request, request,
};
use super::gate::{Answers, Gate};
use super::page::Page;
use super::pb;
use super::pb::simulation_service_server::SimulationService;
use super::status::to_status;
use crate::app::App;
use crate::app::simulation::document::Question;
use crate::app::simulation::event::Event;
use crate::app::simulation::{Draft, Emit, SimulationId, SimulationRequest};
use crate::domain::error::{Error, Violation};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::Sender;
use tonic::{Request, Response, Status};

pub(super) struct Simulations {
    pub(super) app: App,
    pub(super) gate: Gate,
}

type Answer<T> = Result<Response<T>, Status>;

/// Hands what is told to a stream; waits where its reader is slow, and says so where it has gone.
fn to_stream<T: Send + 'static>(
    sender: Sender<Result<T, Status>>,
    write: impl Fn(Event) -> Option<T> + Send + 'static,
) -> Emit {
    Box::new(move |event| match write(event) {
        Some(message) => sender.blocking_send(Ok(message)).is_ok(),
        None => !sender.is_closed(),
    })
}

impl Simulations {
    /// Computes what answers with one message.
    async fn at_once<T: Send + 'static>(
        &self,
        request: Result<SimulationRequest, Error>,
        write: impl Fn(Event) -> Option<T> + Send + 'static,
    ) -> Answer<T> {
        let _permit = self.gate.enter()?;
        let told = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&told);
        let emit: Emit = Box::new(move |event| {
            if let Some(message) = write(event) {
                *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
            }
            true
        });
        let answer = async {
            self.app.simulate(request?, emit).await?;
            let message = told.lock().unwrap_or_else(PoisonError::into_inner).take();
            let message = message.ok_or_else(|| Error::internal("a simulation told nothing"))?;
            Ok(Response::new(message))
        };
        answer.await.map_err(to_status)
    }

    /// Computes what answers with a stream.
    fn streamed<T: Send + 'static>(
        &self,
        asked: Result<SimulationRequest, Error>,
        write: impl Fn(Event) -> Option<T> + Send + 'static,
    ) -> Answer<Answers<T>> {
        let permit = self.gate.enter()?;
        let asked = asked.map_err(to_status)?;
        let app = self.app.clone();
        Ok(self.gate.stream(permit, move |sender| async move {
            app.simulate(asked, to_stream(sender, write)).await?;
            Ok(())
        }))
    }
}

#[tonic::async_trait]
impl SimulationService for Simulations {
    type RunSweepStream = Answers<pb::RunSweepResponse>;
    type RunMonteCarloStream = Answers<pb::RunMonteCarloResponse>;
    type StreamSimulationResultsStream = Answers<pb::StreamSimulationResultsResponse>;

    #[tracing::instrument(skip_all, name = "CompareScenarios")]
    async fn compare_scenarios(
        &self,
        message: Request<pb::CompareScenariosRequest>,
    ) -> Answer<pb::CompareScenariosResponse> {
        let message = message.into_inner();
        let asked = Question::Comparison(message.comparison.unwrap_or_default().into());
        let write = |event| match event {
            Event::Comparison(answer) => Some(from_comparison(&answer)),
            _ => None,
        };
        self.at_once(request(message.base, asked), write).await
    }

    #[tracing::instrument(skip_all, name = "RunSweep")]
    async fn run_sweep(&self, message: Request<pb::RunSweepRequest>) -> Answer<Self::RunSweepStream> {
        let message = message.into_inner();
        let asked = Question::Sweep(message.sweep.unwrap_or_default().into());
        self.streamed(request(message.base, asked), from_sweep_event)
    }

    #[tracing::instrument(skip_all, name = "RunMonteCarlo")]
    async fn run_monte_carlo(
        &self,
        message: Request<pb::RunMonteCarloRequest>,
    ) -> Answer<Self::RunMonteCarloStream> {
        let message = message.into_inner();
        let asked = Question::MonteCarlo(message.monte_carlo.unwrap_or_default().into());
        let send_samples = message.send_samples;
        self.streamed(request(message.base, asked), move |event| {
            from_samples_event(event, send_samples)
        })
    }

    #[tracing::instrument(skip_all, name = "SeekGoal")]
    async fn seek_goal(&self, message: Request<pb::SeekGoalRequest>) -> Answer<pb::SeekGoalResponse> {
        let message = message.into_inner();
        let asked = Question::Goal(message.goal.unwrap_or_default().into());
        let write = |event| match event {
            Event::Goal(answer) => Some(from_goal(&answer)),
            _ => None,
        };
        self.at_once(request(message.base, asked), write).await
    }

    #[tracing::instrument(skip_all, name = "MeasureStability")]
    async fn measure_stability(
        &self,
        message: Request<pb::MeasureStabilityRequest>,
    ) -> Answer<pb::MeasureStabilityResponse> {
        let message = message.into_inner();
        let asked = Question::Stability(message.stability.unwrap_or_default().into());
        let write = |event| match event {
            Event::Stability(answer) => Some(from_stability(&answer)),
            _ => None,
        };
        self.at_once(request(message.base, asked), write).await
    }

    #[tracing::instrument(skip_all, name = "MeasureFairness")]
    async fn measure_fairness(
        &self,
        message: Request<pb::MeasureFairnessRequest>,
    ) -> Answer<pb::MeasureFairnessResponse> {
        let message = message.into_inner();
        let asked = Question::Fairness(message.fairness.unwrap_or_default().into());
        let write = |event| match event {
            Event::Fairness(answer) => Some(from_fairness(&answer)),
            _ => None,
        };
        self.at_once(request(message.base, asked), write).await
    }

    #[tracing::instrument(skip_all, name = "CreateSimulation")]
    async fn create_simulation(
        &self,
        request: Request<pb::CreateSimulationRequest>,
    ) -> Answer<pb::CreateSimulationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let asked = kept_request(message.request.unwrap_or_default())?;
            let kept = app.create_simulation(&mutation, message.title, asked).await?;
            from_kept(kept, true)
        };
        let simulation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::CreateSimulationResponse { simulation }))
    }

    #[tracing::instrument(skip_all, name = "GetSimulation")]
    async fn get_simulation(
        &self,
        request: Request<pb::GetSimulationRequest>,
    ) -> Answer<pb::GetSimulationResponse> {
        let _permit = self.gate.enter()?;
        let answer = async {
            let id = names::simulation("name", &request.into_inner().name)?;
            let simulation = Some(from_kept(self.app.simulation(&id).await?, true)?);
            Ok(pb::GetSimulationResponse { simulation })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "ListSimulations")]
    async fn list_simulations(
        &self,
        request: Request<pb::ListSimulationsRequest>,
    ) -> Answer<pb::ListSimulationsResponse> {
        let _permit = self.gate.enter()?;
        let message = request.into_inner();
        let answer = async {
            let page = Page::new(message.page_size, &message.page_token, &message.kind)?;
            let kind = match message.kind.as_str() {
                "" => None,
                kind if Question::KINDS.contains(&kind) => Some(kind),
                kind => {
                    let kinds = Question::KINDS.join(", ");
                    return Err(Violation::new(
                        "kind",
                        kind,
                        format!("one of {kinds}"),
                        format!("下列之一:{kinds}"),
                    )
                    .into());
                }
            };
            let before = page.after.as_deref().map(key).transpose()?;
            let before = before.as_ref().map(|(at, id)| (*at, id));
            let mut found = self.app.simulations(kind, before, page.limit()).await?;
            let next_page_token = page.cut(&mut found, |kept| format!("{} {}", kept.created.at, kept.id));
            let simulations = found
                .into_iter()
                .map(|kept| from_kept(kept, false))
                .collect::<Result<_, Error>>()?;
            Ok(pb::ListSimulationsResponse {
                simulations,
                next_page_token,
            })
        };
        answer.await.map(Response::new).map_err(to_status)
    }

    #[tracing::instrument(skip_all, name = "StreamSimulationResults")]
    async fn stream_simulation_results(
        &self,
        message: Request<pb::StreamSimulationResultsRequest>,
    ) -> Answer<Self::StreamSimulationResultsStream> {
        let permit = self.gate.enter()?;
        let message = message.into_inner();
        let looked_up = async {
            let id = names::simulation("name", &message.name)?;
            self.app.simulation(&id).await
        };
        let kept = looked_up.await.map_err(to_status)?;
        let send_samples = message.send_samples;
        let app = self.app.clone();
        Ok(self.gate.stream(permit, move |sender| async move {
            let write = move |event| from_event(event, send_samples);
            app.repeat_simulation(&kept, to_stream(sender, write)).await?;
            Ok(())
        }))
    }

    #[tracing::instrument(skip_all, name = "DraftAllocation")]
    async fn draft_allocation(
        &self,
        request: Request<pb::DraftAllocationRequest>,
    ) -> Answer<pb::DraftAllocationResponse> {
        let permit = self.gate.enter()?;
        let (mutation, message) = self.gate.mutation(request)?;
        let app = self.app.clone();
        let work = async move {
            let draft = Draft {
                simulation: names::simulation("simulation", &message.simulation)?,
                scenario: message.scenario,
                point: message.point,
                fund: names::fund("fund", &message.fund)?,
                title: message.title,
            };
            from_run(&app.draft_from_simulation(&mutation, draft).await?, true)
        };
        let allocation = Some(self.gate.finish(permit, work).await?);
        Ok(Response::new(pb::DraftAllocationResponse { allocation }))
    }
}

fn key(text: &str) -> Result<(i64, SimulationId), Violation> {
    let refused = || {
        Violation::new(
            "page_token",
            text,
            "the next_page_token of the previous page",
            "上一页返回的 next_page_token",
        )
    };
    let (at, id) = text.split_once(' ').ok_or_else(refused)?;
    Ok((
        at.parse().map_err(|_| refused())?,
        SimulationId::parse("page_token", id)?,
    ))
}

//! Simulations over a real socket: what they say, how they end, and what they refuse.

mod comparing;
mod keeping;
mod refusing;
mod streaming;

use crate::harness::{Client, World, import_xuchang, inner};
use incentive_fund::app::simulation::document::FileText;
use incentive_fund::grpc::convert::simulation::from_base_text;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::run_sweep_response::Content;
use tonic::Status;

/// The base of all stories: Xuchang's formula over its illustrative data.
pub fn base() -> pb::SimulationBase {
    pb::SimulationBase {
        formula: "formulas/xuchang-settled-resident".to_owned(),
        data_set: "dataSets/xuchang".to_owned(),
        pool: "86000000".to_owned(),
        year: 2024,
        ..Default::default()
    }
}

/// The base with the formula that has a taper, coefficients and bounds.
pub fn bounded() -> pb::SimulationBase {
    pb::SimulationBase {
        formula: "formulas/settled-taper-bounds".to_owned(),
        ..base()
    }
}

/// A file of examples/xuchang/simulation on the stored formula.
pub fn example(name: &str) -> (pb::SimulationBase, FileText) {
    let path = format!(
        "{}/examples/xuchang/simulation/{name}.toml",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = FileText::from_toml(&std::fs::read_to_string(path).unwrap()).unwrap();
    let given = from_base_text(text.base.clone());
    let base = pb::SimulationBase {
        pool: given.pool,
        ..base()
    };
    (base, text)
}

pub fn change(what: &str, id: &str) -> pb::ScenarioChange {
    pb::ScenarioChange {
        what: what.to_owned(),
        id: id.to_owned(),
        ..Default::default()
    }
}

pub fn axis(what: &str, id: &str, how: &str, from: &str, to: &str, step: &str) -> pb::SweepAxis {
    pb::SweepAxis {
        knob: Some(pb::ScenarioKnob {
            what: what.to_owned(),
            id: id.to_owned(),
            how: how.to_owned(),
            ..Default::default()
        }),
        from: from.to_owned(),
        to: to.to_owned(),
        step: step.to_owned(),
        ..Default::default()
    }
}

/// A grid over the weight of settled migrants and the pool.
pub fn grid(weight_step: &str, pool_step: &str) -> pb::Sweep {
    pb::Sweep {
        changes: Vec::new(),
        axes: vec![
            axis("percent", "settled", "to", "40", "80", weight_step),
            axis("pool", "", "percent", "-10", "10", pool_step),
        ],
    }
}

/// A whole sweep.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Swept {
    pub header: pb::SweepHeader,
    pub coordinates: Vec<Vec<String>>,
    pub amounts: Vec<Vec<i64>>,
    pub refused: Vec<pb::RefusedPoint>,
    pub summary: pb::SweepSummary,
}

pub async fn sweep(client: &mut Client, base: pb::SimulationBase, sweep: pb::Sweep) -> Result<Swept, Status> {
    let request = pb::RunSweepRequest {
        base: Some(base),
        sweep: Some(sweep),
    };
    let mut stream = client.simulations.run_sweep(request).await?.into_inner();
    let mut swept = Swept::default();
    while let Some(message) = stream.message().await? {
        match message.content.unwrap() {
            Content::Header(header) => swept.header = header,
            Content::Summary(summary) => swept.summary = summary,
            Content::Points(points) => {
                assert_eq!(points.first, swept.amounts.len() as u64, "points come in order");
                let axes = swept.header.axes.len();
                let regions = swept.header.regions.len();
                swept
                    .coordinates
                    .extend(points.coordinates.chunks(axes).map(<[String]>::to_vec));
                swept
                    .amounts
                    .extend(points.amounts_fen.chunks(regions).map(<[i64]>::to_vec));
                swept.refused.extend(points.refused);
            }
        }
    }
    assert_eq!(swept.summary.points, swept.amounts.len() as u64);
    Ok(swept)
}

/// What `ComputeAllocation` says of the same inputs, in fen.
pub async fn computed(
    client: &mut Client,
    document: pb::FormulaDocument,
    data_set: &str,
    pool: &str,
) -> Vec<i64> {
    let request = pb::ComputeAllocationRequest {
        document: Some(document),
        data_set: data_set.to_owned(),
        pool: pool.to_owned(),
        year: 2024,
        ..Default::default()
    };
    let answer = inner(client.allocations.compute_allocation(request).await);
    let lines = answer.allocation.unwrap().lines;
    lines.iter().map(|line| fen(&line.amount)).collect()
}

pub fn fen(yuan: &str) -> i64 {
    crate::harness::fen(yuan).try_into().unwrap()
}

/// A server with the example imported, and somebody who uses it.
pub async fn office(world: &World) -> (crate::harness::Running, Client) {
    let server = world.serve().await;
    let mut client = server.client("测算员").await;
    import_xuchang(&mut client).await;
    (server, client)
}

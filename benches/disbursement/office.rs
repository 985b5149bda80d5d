//! The built program on a fresh database, with one region's quota for one programme.

use crate::cpu::Used;
use incentive_fund::app::vault::Vault;
use incentive_fund::domain::subsidy::{PolicyDocument, ProgrammeDocument};
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::allocation_service_client::AllocationServiceClient;
use incentive_fund::grpc::pb::formula_service_client::FormulaServiceClient;
use incentive_fund::grpc::pb::ledger_service_client::LedgerServiceClient;
use incentive_fund::grpc::pb::policy_service_client::PolicyServiceClient;
use incentive_fund::grpc::pb::statistics_service_client::StatisticsServiceClient;
use incentive_fund::grpc::pb::subsidy_service_client::SubsidyServiceClient;
use incentive_fund::grpc::{PRINCIPAL_KEY, encode_principal};
use incentive_fund::shipped;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub const FUND: &str = "f";
pub const REGION: &str = "411081";
pub const PROGRAMME: &str = "training";

/// Says who acts.
#[derive(Debug, Clone)]
pub struct Identify(&'static str, AsciiMetadataValue);

impl Interceptor for Identify {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(self.0, self.1.clone());
        Ok(request)
    }
}

impl Identify {
    /// By name.
    pub fn named(principal: &str) -> Self {
        Self(PRINCIPAL_KEY, encode_principal(principal).parse().unwrap())
    }

    /// By a bearer token.
    pub fn token(token: &str) -> Self {
        Self("authorization", format!("Bearer {token}").parse().unwrap())
    }
}

pub type Identified = InterceptedService<Channel, Identify>;

/// A new id for a mutation.
pub fn id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The program, ended with this.
pub struct Office {
    child: Child,
    url: String,
    database: String,
    directory: tempfile::TempDir,
}

/// A second server over the same database, ended with this.
pub struct Another {
    child: Child,
    /// Where it serves.
    pub url: String,
}

impl Drop for Another {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that was built.
fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_incentive-fund"))
}

/// Starts the program as a server, and waits until it serves.
fn start(
    mut command: Command,
    directory: &std::path::Path,
    database: &str,
    settings: &[&str],
    flags: &[&str],
) -> (Child, String) {
    command
        .current_dir(directory)
        .args(["--set", &format!("database.url={database}")])
        .args(["--set", "server.address=127.0.0.1:0"])
        .args(["--set", "privacy.key_file=keys.toml"])
        .args(["--set", "log.format=json"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let mut child = command
        .arg("serve")
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| {
            let log: serde_json::Value = serde_json::from_str(&line).ok()?;
            (log["message"] == "serving").then(|| log["address"].as_str().unwrap().to_owned())
        })
        .expect("the server says where it serves");
    std::thread::spawn(move || lines.for_each(drop));
    (child, format!("http://{address}"))
}

impl Drop for Office {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Office {
    /// Serves a database, and fills in what claims need.
    pub async fn open(database: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys.toml");
        std::fs::write(&keys, Vault::generate("bench", None).unwrap().as_bytes()).unwrap();
        let (child, url) = start(program(), directory.path(), database, &[], &["--insecure"]);
        let office = Self {
            child,
            url,
            database: database.to_owned(),
            directory,
        };
        office.fill().await;
        office
    }

    /// Another server over the same database, which authenticates its callers unless told otherwise.
    pub fn another(&self, settings: &[&str], flags: &[&str]) -> Another {
        self.another_by(program(), settings, flags)
    }

    /// The same with another program in the place of the built one.
    pub fn another_by(&self, program: Command, settings: &[&str], flags: &[&str]) -> Another {
        let (child, url) = start(program, self.directory.path(), &self.database, settings, flags);
        Another { child, url }
    }

    /// A token that the program issues.
    pub fn token(&self, subject: &str, role: &str) -> String {
        let issued = program()
            .current_dir(self.directory.path())
            .args(["--database", &self.database, "token", "issue", "--for", subject])
            .args(["--role", role, "--region", REGION, "--expires", "2d"])
            .output()
            .unwrap();
        assert!(
            issued.status.success(),
            "{}",
            String::from_utf8_lossy(&issued.stderr)
        );
        String::from_utf8(issued.stdout).unwrap().trim().to_owned()
    }

    /// Where files for servers stand.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    async fn service(&self, principal: &str) -> Identified {
        let channel = Endpoint::from_shared(self.url.clone())
            .unwrap()
            .connect()
            .await
            .unwrap();
        let name = AsciiMetadataValue::try_from(encode_principal(principal)).unwrap();
        InterceptedService::new(channel, Identify(PRINCIPAL_KEY, name))
    }

    /// Somebody who works on claims.
    pub async fn subsidies(&self, principal: &str) -> SubsidyServiceClient<Identified> {
        SubsidyServiceClient::new(self.service(principal).await).max_decoding_message_size(usize::MAX)
    }

    /// So many connections of somebody who works on claims.
    pub async fn connections(&self, principal: &str, count: usize) -> Vec<SubsidyServiceClient<Identified>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(self.subsidies(principal).await);
        }
        clients
    }

    /// The processor time that was used until now.
    pub fn cpu(&self) -> Used {
        Used::now(self.child.id())
    }

    /// Somebody who works on the ledger.
    pub async fn ledger(&self, principal: &str) -> LedgerServiceClient<Identified> {
        LedgerServiceClient::new(self.service(principal).await).max_decoding_message_size(usize::MAX)
    }

    /// How many entries the fund has.
    pub async fn entries(&self) -> usize {
        let request = pb::ListFundsRequest::default();
        let funds = self.ledger("监管").await.list_funds(request).await.unwrap();
        usize::try_from(funds.into_inner().funds[0].entries).unwrap()
    }

    /// Assigns lines, or takes them back where `back` is 1; gives the number of the last entry.
    pub async fn assign(
        &self,
        ledger: &mut LedgerServiceClient<Identified>,
        lines: Vec<pb::QuotaLine>,
        back: usize,
    ) -> usize {
        let fund = format!("funds/{FUND}");
        let entries = if back == 0 {
            let request = pb::AssignQuotaRequest {
                fund,
                lines,
                request_id: id(),
                ..Default::default()
            };
            ledger.assign_quota(request).await.unwrap().into_inner().entries
        } else {
            let request = pb::UnassignQuotaRequest {
                fund,
                lines,
                request_id: id(),
                ..Default::default()
            };
            ledger.unassign_quota(request).await.unwrap().into_inner().entries
        };
        usize::try_from(entries.last().unwrap().number).unwrap()
    }

    /// That the ledger is as it was posted.
    pub async fn verify(&self) {
        let request = pb::VerifyLedgerRequest {
            fund: format!("funds/{FUND}"),
            max_findings: 0,
        };
        let mut answers = self
            .ledger("监管")
            .await
            .verify_ledger(request)
            .await
            .unwrap()
            .into_inner();
        let mut found = None;
        while let Some(answer) = answers.message().await.unwrap() {
            found = answer.verification.or(found);
        }
        assert_eq!(found.unwrap().finding_count, 0);
    }

    async fn fill(&self) {
        let (maker, checker) = (self.service("编制人").await, self.service("审核人").await);
        let mut statistics = StatisticsServiceClient::new(maker.clone());
        let region = |code: &str, parent: &str| pb::Region {
            name: format!("regions/{code}"),
            display_name_zh: "许昌".to_owned(),
            display_name_en: "Xuchang".to_owned(),
            kind: pb::RegionKind::Other.into(),
            parent: parent.to_owned(),
            note: String::new(),
        };
        let regions = vec![region("411000", ""), region(REGION, "regions/411000")];
        statistics
            .import_regions(pb::ImportRegionsRequest {
                regions,
                ..Default::default()
            })
            .await
            .unwrap();
        let indicators = vec![pb::Indicator {
            name: "indicators/settled".to_owned(),
            display_name_zh: "落户人口".to_owned(),
            display_name_en: "settled".to_owned(),
            unit: "person".to_owned(),
            ..Default::default()
        }];
        statistics
            .import_indicators(pb::ImportIndicatorsRequest {
                indicators,
                ..Default::default()
            })
            .await
            .unwrap();
        statistics
            .create_data_set(pb::CreateDataSetRequest {
                data_set_id: "d".to_owned(),
                title: "d".to_owned(),
                ..Default::default()
            })
            .await
            .unwrap();
        use pb::import_observations_request::Content;
        let header = pb::ImportObservationsHeader {
            data_set: "dataSets/d".to_owned(),
            ..Default::default()
        };
        let rows = pb::ObservationRows {
            rows: vec![pb::ObservationRow {
                line: 1,
                region: REGION.to_owned(),
                indicator: "settled".to_owned(),
                year: "2024".to_owned(),
                value: "1".to_owned(),
                unit: String::new(),
                source: "bench".to_owned(),
            }],
        };
        let messages =
            [Content::Header(header), Content::Rows(rows)].map(|content| pb::ImportObservationsRequest {
                content: Some(content),
            });
        statistics
            .import_observations(tokio_stream::iter(messages))
            .await
            .unwrap();
        let document = pb::FormulaDocument {
            id: "one".to_owned(),
            title_zh: "一".to_owned(),
            title_en: "One".to_owned(),
            legal_basis: Some(pb::LegalBasis {
                document: "bench".to_owned(),
                ..Default::default()
            }),
            rounding: Some(pb::Rounding::default()),
            components: vec![pb::Component {
                id: "only".to_owned(),
                percent: "100".to_owned(),
                score: "settled".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        FormulaServiceClient::new(maker.clone())
            .create_formula(pb::CreateFormulaRequest {
                document: Some(document),
                ..Default::default()
            })
            .await
            .unwrap();
        let mut ledger = LedgerServiceClient::new(maker.clone());
        let fund = format!("funds/{FUND}");
        ledger
            .receive_funds(pb::ReceiveFundsRequest {
                fund: fund.clone(),
                amount: "10000000000.00".to_owned(),
                document: "bench".to_owned(),
                ..Default::default()
            })
            .await
            .unwrap();
        let mut allocations = AllocationServiceClient::new(maker.clone());
        let created = allocations
            .create_allocation(pb::CreateAllocationRequest {
                fund: fund.clone(),
                title: "bench".to_owned(),
                formula: "formulas/one".to_owned(),
                data_set: "dataSets/d".to_owned(),
                pool: "10000000000.00".to_owned(),
                year: 2024,
                request_id: id(),
                ..Default::default()
            })
            .await
            .unwrap();
        let name = created.into_inner().allocation.unwrap().name;
        AllocationServiceClient::new(checker)
            .approve_allocation(pb::ApproveAllocationRequest {
                name: name.clone(),
                ..Default::default()
            })
            .await
            .unwrap();
        allocations
            .issue_allocation(pb::IssueAllocationRequest {
                name,
                ..Default::default()
            })
            .await
            .unwrap();
        ledger
            .contribute_funds(pb::ContributeFundsRequest {
                fund: fund.clone(),
                region: format!("regions/{REGION}"),
                amount: "4000000000.00".to_owned(),
                document: "bench".to_owned(),
                ..Default::default()
            })
            .await
            .unwrap();
        let line = |payer: pb::Payer, amount: &str| pb::QuotaLine {
            region: format!("regions/{REGION}"),
            programme: format!("programmes/{PROGRAMME}"),
            payer: payer.into(),
            amount: amount.to_owned(),
        };
        ledger
            .assign_quota(pb::AssignQuotaRequest {
                fund,
                lines: vec![
                    line(pb::Payer::City, "9000000000.00"),
                    line(pb::Payer::County, "4000000000.00"),
                ],
                ..Default::default()
            })
            .await
            .unwrap();
        let mut policies = PolicyServiceClient::new(maker);
        let text = |files: &[(&'static str, &'static str)], wanted: &str| {
            files.iter().find(|(file, _)| *file == wanted).unwrap().1
        };
        let programme = ProgrammeDocument::from_toml(text(&shipped::PROGRAMMES, "training.toml")).unwrap();
        policies
            .import_programmes(pb::ImportProgrammesRequest {
                programmes: vec![programme.into()],
                ..Default::default()
            })
            .await
            .unwrap();
        let policy =
            PolicyDocument::from_toml(text(&shipped::POLICIES, "xuchang-training-2024.toml")).unwrap();
        policies
            .create_policy(pb::CreatePolicyRequest {
                document: Some(policy.into()),
                ..Default::default()
            })
            .await
            .unwrap();
    }
}

/// The claim of person `n`: 1,000 yuan, of which the city owes 700 and the county 300.
pub fn claim(n: u64) -> pb::ClaimInput {
    let facts = [
        ("registration", "rural"),
        ("residence_permit", "false"),
        ("level", "junior"),
        ("in_demand", "false"),
        ("certificate_date", "2024-05-31"),
        ("application_date", "2024-06-10"),
        ("training_fee", "3000"),
    ];
    pb::ClaimInput {
        fund: format!("funds/{FUND}"),
        region: format!("regions/{REGION}"),
        programme: format!("programmes/{PROGRAMME}"),
        facts: facts
            .map(|(code, text)| (code.to_owned(), text.to_owned()))
            .into_iter()
            .collect(),
        documents: vec!["certificate".to_owned()],
        applicant: Some(pb::Person {
            name: "王小明".to_owned(),
            id_number: id_number(n),
        }),
        payee: Some(pb::PayeeAccount {
            name: "王小明".to_owned(),
            account: format!("6222021{n:012}"),
            bank_name: "中原银行许昌分行".to_owned(),
            bank_code: "313491099996".to_owned(),
        }),
        ..Default::default()
    }
}

/// A number that nobody has, with the right check character (GB 11643-1999).
fn id_number(n: u64) -> String {
    let (day, month, year) = (1 + n / 1_000 % 28, 1 + n / 28_000 % 12, 1950 + n / 336_000 % 50);
    let digits = format!("411081{year}{month:02}{day:02}{:03}", n % 1_000);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = (digits.chars().zip(weights))
        .map(|(digit, weight)| digit.to_digit(10).unwrap() * weight)
        .sum();
    let check = b"10X98765432"[usize::try_from(sum % 11).unwrap()];
    format!("{digits}{}", char::from(check))
}

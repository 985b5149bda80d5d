//! Names and numbers are planted, whole stories are run with refusals of every kind, on a server that logs at TRACE and
//! from the command line; then every output is searched.

use crate::claims::privacy::{Seen, secrets, stored_in_clear};
use crate::claims::setup::{
    account, claim, home, id_number, message, name, phone, ready, with_facts, without_notice,
};
use crate::harness::{Client, World, connect, id, inner, stories};
use incentive_fund::app::audit::generate_signing_key;
use incentive_fund::app::vault::Vault;
use incentive_fund::grpc::pb;
use incentive_fund::grpc::pb::export_batch_response::Content as Exported;
use incentive_fund::grpc::pb::import_results_request::Content;
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

stories!(nothing_personal_is_logged_told_or_named,);

const PATIENCE: Duration = Duration::from_secs(60);

/// The program on a database, in a directory of its own, with all that it says in files there.
struct Program<'a> {
    world: &'a World,
    directory: &'a Path,
}

impl Program<'_> {
    fn command(&self, format: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_incentive-fund"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INCENTIVE_FUND") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.directory)
            .args(["--set", &format!("database.url={}", self.world.url)])
            .args(["--set", "privacy.key_file=keys.toml"])
            .args(["--set", "audit.key_file=audit.toml"])
            .args(["--set", "audit.checkpoint_directory=."])
            .args(["--set", &format!("log.format={format}")])
            .args(["--set", "log.filter=warn,incentive_fund=trace"])
            .args(["--set", "cli.log_filter=warn,incentive_fund=trace"])
            .stdin(Stdio::null());
        command
    }

    /// A server that logs in a form to a file of that name.
    async fn serve(&self, format: &str) -> (Child, SocketAddr) {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = File::create(self.directory.join(format!("server.{format}.log"))).unwrap();
        let mut child = self
            .command(format)
            .args(["--set", &format!("server.address={address}")])
            .args(["serve", "--insecure"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the server ended");
            assert!(begun.elapsed() < PATIENCE, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (child, address)
    }

    /// Runs a command; what it says, on both ways.
    fn run(&self, format: &str, who: &str, words: &[&str]) -> String {
        let output = self
            .command(format)
            .args(["--as", who])
            .args(words)
            .output()
            .unwrap();
        format!(
            "{words:?} {} {}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }
}

async fn end(mut server: Child) {
    let pid = server.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let begun = Instant::now();
    while server.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "the server does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A claim in which everything stands in the wrong place.
fn shifted(n: usize) -> pb::ClaimInput {
    let mut shifted = claim(n);
    let payee = shifted.payee.as_mut().unwrap();
    payee.bank_code = account(n);
    payee.account = name(2 * n);
    payee.bank_name = format!("{}\u{200b}", name(2 * n));
    payee.name = id_number(2 * n);
    shifted.phone = name(2 * n);
    shifted.home = format!("{}\n", name(2 * n));
    shifted.applicant = Some(pb::Person {
        name: format!("{}\u{7}", name(2 * n)),
        id_number: phone(n),
    });
    shifted.household[0].id_number = format!("{}1", id_number(2 * n + 1));
    shifted.facts.insert("area".to_owned(), id_number(2 * n));
    shifted.facts.insert("location".to_owned(), name(2 * n));
    shifted.documents.push(home(n));
    shifted
}

/// From handing in to the bank's answers, with what goes wrong on the way. Families `n` to `n + 3`, batch `batch`.
async fn story(clerk: &mut Client, chief: &mut Client, seen: &mut Seen, n: usize, batch: u64) {
    let first = clerk.submit(claim(n)).await.unwrap();
    seen.answer(&first);
    seen.error(clerk.submit(claim(n)).await);
    seen.error(clerk.submit(shifted(n + 1)).await);
    seen.error(
        clerk
            .submit(with_facts(claim(n + 1), &[("first_home", "false")]))
            .await,
    );
    let bulk = vec![claim(n + 1), claim(n), shifted(n + 2), claim(n + 2)];
    seen.answer(clerk.submit_all(vec![message(bulk)]).await.unwrap());
    seen.error(clerk.approve_claim(&first.name).await);
    let number: u64 = first.name.rsplit('/').next().unwrap().parse().unwrap();
    let names: Vec<String> = (number..number + 3)
        .map(|n| format!("funds/f/claims/{n}"))
        .collect();
    for each in &names {
        seen.answer(chief.approve_claim(each).await.unwrap());
    }
    let said = format!(
        "{}({},电话{})已有住房{}",
        name(2 * n),
        id_number(2 * n),
        phone(n),
        home(n)
    );
    seen.answer(clerk.object_to(&names[0], &said).await.unwrap());
    seen.error(clerk.object_to(&names[0], &said.repeat(100)).await);
    let objection = format!("{}/objections/1", names[0]);
    // The text itself is for whoever may read it.
    let read = pb::GetObjectionRequest {
        name: objection.clone(),
    };
    inner(chief.subsidies.get_objection(read).await);
    seen.error(clerk.resolve(&objection, false).await);
    seen.answer(chief.resolve(&objection, false).await.unwrap());

    let create = pb::CreateBatchRequest {
        fund: "funds/f".to_owned(),
        programme: "programmes/housing-purchase".to_owned(),
        execution_date: incentive_fund::app::clock::today().unwrap().to_string(),
        request_id: id(),
        ..Default::default()
    };
    seen.answer(inner(clerk.disbursements.create_batch(create).await));
    let batch = format!("funds/f/batches/{batch}");
    let freeze = pb::FreezeBatchRequest {
        name: batch.clone(),
        request_id: id(),
        ..Default::default()
    };
    seen.answer(inner(clerk.disbursements.freeze_batch(freeze).await));
    let release = pb::ReleaseBatchRequest {
        name: batch.clone(),
        request_id: id(),
        ..Default::default()
    };
    seen.error(clerk.disbursements.release_batch(release.clone()).await);
    seen.answer(inner(chief.disbursements.release_batch(release).await));
    for format in [
        pb::BankFileFormat::Pain001,
        pb::BankFileFormat::Csv,
        pb::BankFileFormat::Xlsx,
    ] {
        let export = pb::ExportBatchRequest {
            name: batch.clone(),
            format: format.into(),
            ..Default::default()
        };
        let mut parts = inner(chief.disbursements.export_batch(export).await);
        while let Some(part) = parts.message().await.unwrap() {
            // What is in the files is for the bank; their names are not.
            if let Some(Exported::Header(header)) = part.content {
                seen.answer(header);
            }
        }
    }
    let list = pb::ListPaymentsRequest {
        batch: batch.clone(),
        page_size: 100,
        ..Default::default()
    };
    let payments = inner(chief.disbursements.list_payments(list.clone()).await).payments;
    seen.answer(&payments);
    // The bank's answers: one by hand, the rest in a file, with people in them.
    let mut rows = String::from("业务参考号,金额,处理结果,失败原因,交易日期\n");
    for (at, payment) in payments.iter().enumerate() {
        let payee = payment.claim.rsplit('/').next().unwrap().parse::<u64>().unwrap() - number;
        let family = n + usize::try_from(payee).unwrap();
        let reason = format!("户名{}账号{}不符", name(2 * family), account(family));
        if at == 0 {
            let record = pb::RecordPaymentResultRequest {
                reference: payment.reference.clone(),
                state: pb::PaymentState::Failed.into(),
                reason,
                request_id: id(),
                ..Default::default()
            };
            seen.answer(inner(chief.disbursements.record_payment_result(record).await));
        } else if at == 1 {
            rows.push_str(&format!(
                "{},{},失败,{reason},\n",
                payment.reference, payment.amount
            ));
        } else {
            rows.push_str(&format!(
                "{},{},成功,,20260302\n",
                payment.reference, payment.amount
            ));
        }
    }
    let results = |text: String| {
        let header = pb::ImportResultsHeader {
            parent: batch.clone(),
            file_name: "results.csv".to_owned(),
            request_id: id(),
            ..Default::default()
        };
        let content = |content| pb::ImportResultsRequest {
            content: Some(content),
        };
        vec![
            content(Content::Header(header)),
            content(Content::Piece(text.into_bytes())),
        ]
    };
    let taken = results(rows);
    seen.answer(inner(
        chief
            .disbursements
            .import_results(tokio_stream::iter(taken))
            .await,
    ));
    let nonsense = results(format!(
        "业务参考号,处理结果\n{},{}\n{},成功\n",
        account(n),
        name(2 * n),
        id_number(2 * n)
    ));
    match chief
        .disbursements
        .import_results(tokio_stream::iter(nonsense))
        .await
    {
        Ok(answer) => seen.answer(answer),
        Err(refused) => seen.error::<()>(Err(refused)),
    }
    seen.answer(inner(chief.disbursements.list_payments(list).await));
    for each in &names {
        seen.answer(clerk.claim(each).await);
        seen.answer(clerk.history(each).await);
        let explain = pb::ExplainClaimRequest { name: each.clone() };
        seen.answer(inner(clerk.subsidies.explain_claim(explain).await));
    }
    // To a corrected account, and to one that is none.
    let retry = |payee: pb::PayeeAccount| pb::RetryClaimRequest {
        name: payments[0].claim.clone(),
        payee: Some(payee),
        reason: "更正账号".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    let wrong = pb::PayeeAccount {
        name: name(2 * n),
        account: name(2 * n),
        bank_code: account(n),
        bank_name: name(2 * n),
    };
    seen.error(clerk.subsidies.retry_claim(retry(wrong)).await);
    seen.answer(clerk.claims(pb::ListClaimsRequest::default()).await);
    seen.answer(clerk.journal("f").await);
    seen.answer(chief.audit_records(pb::ListAuditRecordsRequest::default()).await);
    seen.answer(chief.export_log(pb::AuditFormat::JsonLines).await);
    seen.answer(chief.export_log(pb::AuditFormat::Csv).await);
    seen.answer(chief.checkpoint().await);
    seen.answer(chief.log_verifies(&[]).await);
}

async fn nothing_personal_is_logged_told_or_named(mut world: World) {
    let keys = Vault::generate("test", None).unwrap();
    world.vault = Vault::parse(&keys).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    std::fs::write(here.join("keys.toml"), keys.as_bytes()).unwrap();
    std::fs::write(
        here.join("audit.toml"),
        generate_signing_key("test", None).unwrap().as_bytes(),
    )
    .unwrap();
    let debtors = "[[payment.debtor]]\npayer = \"city\"\nname = \"许昌市财政局\"\naccount = \"411000000000012345\"\n\
         bank_code = \"313491099996\"\n[[payment.debtor]]\npayer = \"county\"\nname = \"县级财政专户\"\n\
         account = \"411000000000099999\"\nbank_code = \"313491099996\"\n";
    std::fs::write(here.join("incentive-fund.toml"), debtors).unwrap();
    let (server, mut clerk, _) = ready(&world, "10000000", "10000000").await;
    without_notice(&mut clerk).await;
    server.stop().await;

    let program = Program {
        world: &world,
        directory: here,
    };
    let mut seen = Seen::default();
    for (at, format) in [(0, "json"), (1, "human")] {
        let (server, address) = program.serve(format).await;
        let mut clerk = connect(address, "经办人").await;
        let mut chief = connect(address, "审批人").await;
        story(&mut clerk, &mut chief, &mut seen, 1 + 3 * at, 1 + at as u64).await;
        end(server).await;
    }

    // The command line, on the database, logging as well.
    let file = |n: usize| {
        let claim = claim(n);
        let payee = claim.payee.clone().unwrap();
        let people =
            |person: &pb::Person| serde_json::json!({"name": person.name, "id_number": person.id_number});
        serde_json::json!({
            "fund": "f", "region": "411002", "programme": "housing-purchase",
            "facts": claim.facts, "documents": claim.documents,
            "applicant": people(claim.applicant.as_ref().unwrap()),
            "household": claim.household.iter().map(people).collect::<Vec<_>>(),
            "phone": claim.phone, "home": claim.home,
            "payee": {"name": payee.name, "account": payee.account, "bank_name": payee.bank_name, "bank_code": payee.bank_code},
        })
    };
    std::fs::write(here.join("in.json"), file(8).to_string()).unwrap();
    let mut broken = file(9);
    broken["applicant"]["id_number"] = account(9).into();
    broken["payee"]["account"] = name(18).into();
    broken["facts"]["area"] = id_number(18).into();
    broken[name(18)] = phone(9).into();
    std::fs::write(here.join("broken.json"), broken.to_string()).unwrap();
    broken.as_object_mut().unwrap().remove(&name(18));
    std::fs::write(here.join("wrong.json"), broken.to_string()).unwrap();
    // A table, with a row in which the columns have slipped.
    let header = "序号,地区代码,姓名,身份证号,联系电话,成员1姓名,成员1身份证号,户名,账号,开户行,联行号,合同备案号,材料,户籍,\
         进城落户日期,家庭首套商品住房,新建商品住房,房屋所在区域,合同签订日期,网签备案日期,建筑面积,合同总价,曾享受同类补贴,备注";
    let facts = "农村户籍,,是,是,县城,2024-08-02,2024-08-20,90,620000,否,";
    let good = format!(
        "1,411002,{},{},{},{},{},{},{},中国工商银行许昌分行,102100099996,{},household_register;contract;filing,{facts}",
        name(14),
        id_number(14),
        phone(7),
        name(15),
        id_number(15),
        name(14),
        account(7),
        home(7)
    );
    let slipped = format!(
        "2,411002,{},{},{},{},{},{},{},{},{},{},{},{facts}",
        id_number(16),
        phone(8),
        name(16),
        id_number(17),
        name(17),
        account(8),
        name(16),
        home(8),
        account(8),
        name(16),
        name(17)
    );
    std::fs::write(here.join("in.csv"), format!("{header}\n{good}\n{slipped}\n")).unwrap();
    for format in ["json", "human"] {
        let mut run = |who: &str, words: &str| {
            let said = program.run(format, who, &words.split(' ').collect::<Vec<_>>());
            seen.answer(&said);
            said
        };
        run("经办人", "claim submit in.json");
        run("经办人", "claim submit in.json");
        run("经办人", "claim submit broken.json");
        run("经办人", "claim submit wrong.json");
        run(
            "经办人",
            "claim import in.csv --fund f --programme housing-purchase --rows 2",
        );
        run("经办人", "claim list f");
        run("经办人", "claim show f/1");
        run("经办人", "claim history f/1");
        run("经办人", "batch payments f/1");
        run(
            "审批人",
            &format!("batch export f/1 --format csv --dir out-{format}"),
        );
        run("审批人", "audit list");
        run("审批人", "audit verify");
        run("审批人", &format!("audit checkpoint --out kept-{format}.json"));
        run("审批人", &format!("audit export --output audit-{format}.jsonl"));
        run(
            "审批人",
            &format!("audit export --format csv --output audit-{format}.csv"),
        );
        run("审批人", "config check");
        run("审批人", "keys rotate");
        let said = run("经办人", "claim list f --format json");
        assert!(said.contains("令"), "{said}");
    }
    seen.holds_none_of(&secrets());

    // Every file that is left, by its name and, but for what is handed in and what goes to the bank, by its content.
    let mut logs = 0;
    let mut waiting = vec![here.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.display().to_string();
            for secret in secrets() {
                assert!(!shown.contains(&secret), "{secret} in the name {shown}");
            }
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let handed_in = [
                "in.csv",
                "in.json",
                "broken.json",
                "wrong.json",
                "keys.toml",
                "audit.toml",
            ];
            if handed_in.contains(&path.file_name().unwrap().to_str().unwrap()) || shown.contains("/out-") {
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for secret in secrets() {
                assert!(!text.contains(&secret), "{secret} in {shown}");
            }
            if shown.ends_with(".log") {
                assert!(
                    text.contains("committed") || text.contains("serving"),
                    "{shown} logs at all"
                );
                logs += 1;
            }
        }
    }
    assert_eq!(logs, 2);
    stored_in_clear(&world, &secrets()).await;
}

//! The table against DynamoDB Local: a second opinion, by DynamoDB's makers.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

mod common;

use std::process::Command;
use std::sync::Arc;

use common::{Emulator, fresh, long_entries_are_found, root, timeouts};
use ports::{SystemClock, Table, contract};
use ports_aws::table::schema;

const NEEDED: &str = ".tools/dynamodb-local/Launcher.class";

fn command(port: u16) -> Command {
    let home = root().join(".tools/dynamodb-local");
    let mut command = Command::new("java");
    command
        .arg(format!("-Djava.library.path={}", home.join("DynamoDBLocal_lib").display()))
        .arg("-cp")
        .arg(format!("{0}:{0}/DynamoDBLocal.jar:{0}/DynamoDBLocal_lib/*", home.display()))
        .args(["Launcher", "-inMemory", "-port", &port.to_string()]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_keeps_its_contract() {
    let Some(emulator) = Emulator::start(NEEDED, "/", command) else { return };
    let sdk = emulator.sdk();
    let make = async || {
        let name = fresh("table");
        schema::create(&sdk, &name, timeouts(), &SystemClock).await.unwrap();
        Arc::new(ports_aws::Table::new(&sdk, name, timeouts())) as Arc<dyn Table>
    };
    contract::table(make).await;
    long_entries_are_found(&*make().await).await;
}

//! Many Registries beside many objects that do not concern them.

use anyhow::{Result, ensure};
use berth_tests::{cluster::wait, operator::connection};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};

use crate::fixture::{self, PATIENCE, ensure_nothing_was_forbidden, kubectl, run};

const REGISTRIES: usize = 500;
const SECRETS: usize = 10_000;

/// What each of the other Secrets holds.
const SECRET_SIZE: usize = 2048;

/// What the operator may use, in bytes.
const MEMORY: u64 = 150 * 1024 * 1024;

const NAMESPACE: &str = "crowd";

#[test]
fn five_hundred_registries_beside_ten_thousand_secrets_cost_little_memory_and_no_writes_when_idle()
-> Result<()> {
    kubectl().run(&["create", "namespace", NAMESPACE])?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(create_secrets())?;
    let operator = fixture::operator(&[NAMESPACE])?;
    create_registries()?;
    wait::until("every Registry to have its last object", PATIENCE, || {
        let jobs = run(NAMESPACE, &["get", "cronjobs", "--output=name"])?.lines().count();
        ensure!(jobs == REGISTRIES, "{jobs} have it");
        Ok(())
    })?;
    let writes = || operator.gateway.writes().len();
    // Each is looked at again after its objects have come to rest.
    wait::until("rest", PATIENCE, || {
        let before = writes();
        std::thread::sleep(IDLE);
        ensure!(writes() == before, "{} writes just now", writes() - before);
        Ok(())
    })?;
    ensure_nothing_was_forbidden(&operator)?;
    let memory = operator.peak_memory()?;
    println!(
        "{REGISTRIES} Registries, {SECRETS} Secrets: {} MiB at most, {} requests, {} of them writes, none in {} idle seconds",
        memory / 1024 / 1024,
        operator.gateway.passed().len(),
        writes(),
        IDLE.as_secs(),
    );
    ensure!(memory < MEMORY, "{memory} bytes");
    Ok(())
}

/// For how long nothing is written before it counts as idle.
const IDLE: std::time::Duration = std::time::Duration::from_secs(15);

async fn create_secrets() -> Result<()> {
    let client = Client::try_from(connection(kubectl().kubeconfig()).await?)?;
    let secrets = Api::<Secret>::namespaced(client, NAMESPACE);
    stream::iter(0..SECRETS)
        .map(|number| {
            let secrets = secrets.clone();
            async move { secrets.create(&PostParams::default(), &secret(number)).await }
        })
        .buffer_unordered(16)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(())
}

fn secret(number: usize) -> Secret {
    let data = [("data".to_owned(), ByteString(vec![b'x'; SECRET_SIZE]))];
    let metadata = ObjectMeta { name: Some(format!("other-{number}")), ..ObjectMeta::default() };
    Secret { metadata, data: Some(data.into()), ..Secret::default() }
}

fn create_registries() -> Result<()> {
    let registry = |number| {
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: r{number}, namespace: {NAMESPACE}}}\nspec: {{}}\n---\n"
        )
    };
    kubectl().apply(&(0..REGISTRIES).map(registry).collect::<String>())?;
    Ok(())
}

//! What a page of a list costs: as many requests to S3 as it has entries, and a few more, however long the list is.

use crate::contract::settings;
use crate::site::Site;
use crate::{SERVER, key};
use anyhow::Result;
use berth_storage::{ObjectStore, PutCondition, S3};
use berth_tests::fault_proxy::FaultProxy;
use berth_tests::registry_process::program;
use berth_tests::s3_server::S3Server;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

const PAGE: usize = 100;

/// Those that are asked for ahead, sixteen at a time, the lists themselves, and what the server asks now and then.
const MORE: u64 = 60;

/// Makes so many repositories with a tag each, and as many tags in another one. Returns the folder of the bucket.
async fn fill(count: usize) -> Result<String> {
    let settings = settings(&SERVER.url());
    let root = settings.root.clone();
    let store = S3::new(settings, |_| None)?;
    let tag = |repository: &str, tag: &str| {
        key(&format!("docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}/current/link"))
    };
    let links = (0..count).flat_map(|number| {
        [tag(&format!("team/app-{number:05}"), "1"), tag("the/tagged", &format!("v{number:05}"))]
    });
    let puts = links.map(async |link| store.put(&link, Bytes::from_static(b"x"), PutCondition::Always).await);
    stream::iter(puts).buffer_unordered(16).try_collect::<()>().await?;
    Ok(root)
}

/// The entries that follow the one of this number, as the list of `prefix` and a number tells them.
fn page(prefix: &str, last: Option<usize>) -> Vec<String> {
    let first = last.map_or(0, |last| last + 1);
    (first..first + PAGE).map(|number| format!("{prefix}{number:05}")).collect()
}

#[test]
fn a_page_takes_no_more_requests_from_a_long_list_than_from_a_short_one() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for count in [400, 6_400] {
        let root = runtime.block_on(fill(count))?;
        let proxy = FaultProxy::start(SERVER.url().trim_start_matches("http://"), 0)?;
        // Nothing else walks through the repositories meanwhile.
        let quiet = "maintenance: {uploadpurging: {enabled: false}}";
        let storage = format!("s3: {}\n  {quiet}", S3Server::section(&proxy.url(), &root));
        let site = Site::configured(&storage, "")?;
        let server = site.serve(program()?)?;
        for last in [None, Some(count / 2)] {
            for (path, list, prefix) in
                [("_catalog", "repositories", "team/app-"), ("the/tagged/tags/list", "tags", "v")]
            {
                let after = last.map(|last| format!("&last={prefix}{last:05}")).unwrap_or_default();
                let before = proxy.requests();
                let told = site.ask(&[], &format!("/v2/{path}?n={PAGE}{after}"))?.expect(200)?.json()?;
                let asked = proxy.requests() - before;
                let told: Vec<String> = serde_json::from_value(told[list].clone())?;
                assert_eq!(told, page(prefix, last));
                assert!(
                    asked <= PAGE as u64 + MORE,
                    "S3 was asked {asked} times for {path} of {count} after {last:?}"
                );
            }
        }
        server.stop()?;
    }
    Ok(())
}

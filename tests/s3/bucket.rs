//! A bucket that does not exist yet.

use crate::SERVER;
use crate::contract::settings;
use crate::site::{Site, layer};
use anyhow::Result;
use berth_storage::{S3, S3Settings};
use berth_tests::registry_process::program;
use berth_tests::s3_server::{REGION, S3Server};

fn store(bucket: &str) -> Result<S3> {
    let settings = S3Settings { bucket: bucket.to_owned(), ..settings(&SERVER.url()) };
    Ok(S3::new(settings, |_| None)?)
}

#[tokio::test]
async fn a_bucket_is_made_once_however_many_ask_for_it() -> Result<()> {
    let (first, second) = (store("made-by-many")?, store("made-by-many")?);
    let made = futures::future::join_all((0..8).map(|_| first.create_bucket())).await;
    let made = made.into_iter().collect::<Result<Vec<bool>, _>>()?;
    assert!(made.contains(&true), "{made:?}");
    assert!(!second.create_bucket().await?, "it is there already");
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_cannot_be_made_is_told() -> Result<()> {
    let refused = store("Not_A_Name")?.create_bucket().await.unwrap_err();
    assert!(format!("{:#}", anyhow::Error::from(refused)).contains("InvalidBucketName"));
    Ok(())
}

#[test]
fn a_registry_makes_its_bucket_when_it_is_told_to_and_only_then() -> Result<()> {
    let section =
        S3Server::section(&SERVER.url(), "").replace("bucket: ", "createbucket: true, bucket: new-");
    let site = Site::configured(&format!("s3: {section}"), "")?;
    let server = site.serve(program()?)?;
    let content = layer(b'n', 5_000);
    site.push("team/app", "1", &content)?;
    site.assert_has("team/app", "1", &content)?;
    server.stop()?;

    let site = Site::configured(
        &format!("s3: {}", section.replace("createbucket: true, bucket: new-", "bucket: other-")),
        "",
    )?;
    let server = site.serve(program()?)?;
    let answer = site.ask(&["--request", "POST"], "/v2/team/app/blobs/uploads/")?;
    assert_eq!(answer.status, 500, "there is no bucket in {REGION}");
    server.stop()
}

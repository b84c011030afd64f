//! `storage.s3`, also written `storage.s3aws`: the bucket, and how it is used.

use std::path::PathBuf;

use berth_storage::{
    Copying, Encryption, Endpoint, Requests, S3Settings, SMALLEST_PART, StaticCredentials, Trust, Writing,
};

use crate::config::{error::Error, settings::Settings};

/// How often a request is sent again.
const RETRIES: usize = 6;

pub(super) fn settings(settings: &Settings) -> Result<S3Settings, Error> {
    let text = |text: &str| Some(text.to_owned());
    let root = settings.text("rootdirectory")?.unwrap_or_default();
    Ok(S3Settings {
        bucket: settings.require("bucket", "the name of the bucket", text)?,
        region: region(settings)?,
        endpoint: endpoint(settings)?,
        public_endpoint: server(settings, "redirectendpoint")?,
        create_bucket: settings.flag("createbucket")?,
        root: root.trim_matches('/').to_owned(),
        credentials: credentials(settings)?,
        trust: trust(settings)?,
        writing: writing(settings)?,
        copying: copying(settings)?,
        requests: Requests {
            concurrency: settings.positive_number("maxrequests")?,
            time_limit: settings.positive_duration("timeout")?,
            retries: RETRIES,
            user_agent: settings.text("useragent")?,
        },
    })
}

/// Amazon has to know the region; other servers mostly have but one, whatever it is called.
fn region(settings: &Settings) -> Result<String, Error> {
    match settings.text("region")? {
        Some(region) => Ok(region),
        None if settings.text("regionendpoint")?.is_some() => Ok("us-east-1".to_owned()),
        None => Err(settings.missing("region", "the region of the bucket, such as eu-west-1")),
    }
}

fn endpoint(settings: &Settings) -> Result<Endpoint, Error> {
    match server(settings, "regionendpoint")? {
        Some(server) => Ok(server),
        None => Ok(Endpoint::Amazon {
            dual_stack: settings.flag("usedualstack")?,
            accelerate: settings.flag("accelerate")?,
            fips: settings.flag("usefipsendpoint")?,
        }),
    }
}

/// The server whose address stands in a key.
fn server(settings: &Settings, key: &str) -> Result<Option<Endpoint>, Error> {
    let Some(url) = settings.text(key)? else { return Ok(None) };
    let url = if url.contains("://") {
        url
    } else {
        let scheme = if settings.flag("secure")? { "https" } else { "http" };
        format!("{scheme}://{url}")
    };
    let is_server = |uri: hyper::Uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.host().is_some() && uri.query().is_none()
    };
    if !url.parse().is_ok_and(is_server) {
        return Err(
            settings.unexpected(key, "the address of a server, such as https://minio.example.com:9000")
        );
    }
    let path_style = settings.flag("forcepathstyle")? && !settings.flag("virtualhostedstyle")?;
    Ok(Some(Endpoint::Url { url: url.trim_end_matches('/').to_owned(), path_style }))
}

/// Without a key, the environment gives one.
fn credentials(settings: &Settings) -> Result<Option<StaticCredentials>, Error> {
    match (settings.text("accesskey")?, settings.text("secretkey")?) {
        (None, None) => Ok(None),
        (Some(access_key), Some(secret_key)) => {
            let session_token = settings.text("sessiontoken")?;
            Ok(Some(StaticCredentials { access_key, secret_key, session_token }))
        }
        (Some(_), None) => Err(settings.missing("secretkey", "the secret of the access key")),
        (None, Some(_)) => Err(settings.missing("accesskey", "the access key of the secret")),
    }
}

fn trust(settings: &Settings) -> Result<Trust, Error> {
    Ok(match settings.text("trustedca")?.map(PathBuf::from) {
        _ if settings.flag("skipverify")? => Trust::Anything,
        Some(file) => Trust::File(file),
        None => Trust::System,
    })
}

fn writing(settings: &Settings) -> Result<Writing, Error> {
    settings.read("objectacl", "private: grant access to others by a policy of the bucket", |acl| {
        (acl == "private").then_some(())
    })?;
    let class = settings.text("storageclass")?.filter(|class| class != "STANDARD" && class != "NONE");
    Ok(Writing {
        part_size: part_size(settings)?,
        storage_class: class,
        encryption: encryption(settings)?,
        conditional: settings.flag("conditionalwrites")?,
    })
}

fn part_size(settings: &Settings) -> Result<u64, Error> {
    let size = settings.positive_number("chunksize")?;
    if size < SMALLEST_PART {
        return Err(settings.unexpected("chunksize", "at least 5242880 (5 MiB), which S3 asks for"));
    }
    Ok(size)
}

fn encryption(settings: &Settings) -> Result<Encryption, Error> {
    Ok(match (settings.flag("encrypt")?, settings.text("keyid")?) {
        (false, _) => Encryption::Bucket,
        (true, None) => Encryption::S3,
        (true, key) => Encryption::Kms(key),
    })
}

fn copying(settings: &Settings) -> Result<Copying, Error> {
    let part_size: u64 = settings.positive_number("multipartcopychunksize")?;
    Ok(Copying {
        part_size: part_size.max(SMALLEST_PART),
        concurrency: settings.positive_number("multipartcopymaxconcurrency")?,
        threshold: settings.positive_number("multipartcopythresholdsize")?,
    })
}

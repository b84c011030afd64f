//! Multipart uploads that nobody will finish: of processes that ended before they could note them.

use std::time::{Duration, SystemTime};

use hyper::Method;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use serde::Deserialize;

use super::bucket::Bucket;
use super::error;
use super::request::Plain;
use crate::{Key, Result};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    upload: Vec<Upload>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    /// RFC 3339, in UTC.
    initiated: String,
}

impl Bucket {
    /// Drops the multipart uploads of `prefix` and below it that were begun before a point in time; returns how many.
    pub(super) async fn drop_leftovers(&self, prefix: &Key, before: SystemTime) -> Result<u64> {
        let (mut dropped, mut markers) = (0, Vec::new());
        loop {
            let page = self.multipart_uploads(prefix, &markers).await?;
            let place = self.path(prefix)?;
            let found = page.upload.iter().filter(|upload| upload.is_at_or_below(place.as_ref()));
            for upload in found.filter(|upload| upload.is_older_than(before)) {
                dropped += u64::from(self.drop_leftover(prefix, upload).await?);
            }
            if !page.is_truncated {
                return Ok(dropped);
            }
            markers = vec![
                ("key-marker".to_owned(), page.next_key_marker),
                ("upload-id-marker".to_owned(), page.next_upload_id_marker),
            ];
        }
    }

    async fn multipart_uploads(&self, prefix: &Key, markers: &[(String, String)]) -> Result<Page> {
        // Without a slash at the end: MinIO lists the uploads of a whole key, and no others.
        let prefix_of_keys = self.path(prefix)?.to_string();
        let mut query = vec![("uploads".to_owned(), String::new()), ("prefix".to_owned(), prefix_of_keys)];
        query.extend_from_slice(markers);
        let path = Path::default();
        let request = Plain { query, ..Plain::new(Method::GET, &path) };
        let body = self.send(prefix, request).await?;
        quick_xml::de::from_reader(body.as_ref()).map_err(|damage| error::invalid(prefix, damage))
    }

    /// `false` when it is gone already.
    async fn drop_leftover(&self, prefix: &Key, upload: &Upload) -> Result<bool> {
        let path = Path::parse(&upload.key).map_err(|damage| error::invalid(prefix, damage))?;
        match self.client.abort_multipart(&path, &upload.id).await {
            Ok(()) => Ok(true),
            Err(failure) if error::is_unknown_upload(&failure) => Ok(false),
            Err(failure) => Err(error::explain(prefix, failure)),
        }
    }
}

impl Upload {
    fn is_at_or_below(&self, place: &str) -> bool {
        let rest = self.key.strip_prefix(place);
        rest.is_some_and(|rest| place.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }

    /// An upload whose date cannot be read is left alone.
    fn is_older_than(&self, before: SystemTime) -> bool {
        before
            .duration_since(SystemTime::UNIX_EPOCH)
            .is_ok_and(|before| timestamp(&self.initiated).is_some_and(|begun| begun < before))
    }
}

/// The time since 1970 of a date such as `2026-01-31T12:00:00.000Z`.
fn timestamp(date: &str) -> Option<Duration> {
    let number = |range: std::ops::Range<usize>| date.get(range)?.parse::<u64>().ok();
    let (year, month, day): (u64, u64, u64) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second): (u64, u64, u64) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // Counted from March, the leap day is the last of the year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let days = days.checked_sub(DAYS_BEFORE_1970)?;
    Some(Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

/// From the first of March of the year 0, counted as [`timestamp`] does.
const DAYS_BEFORE_1970: u64 = 719_469;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let seconds = |date| timestamp(date).map(|since| since.as_secs());
        assert_eq!(seconds("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(seconds("2000-02-29T23:59:59Z"), Some(951_868_799));
        assert_eq!(seconds("2026-11-22T08:30:00.123Z"), Some(1_795_336_200));
        assert_eq!(seconds("yesterday"), None);
    }

    #[test]
    fn a_neighbour_whose_name_begins_alike_is_not_below() {
        let upload = Upload { key: "hub/blobs/1".to_owned(), id: String::new(), initiated: String::new() };
        for place in ["", "hub", "hub/blobs", "hub/blobs/1"] {
            assert!(upload.is_at_or_below(place), "{place}");
        }
        for place in ["hub/blob", "hub/blobs/1/2", "blobs"] {
            assert!(!upload.is_at_or_below(place), "{place}");
        }
    }

    #[test]
    fn a_page_is_read() {
        let page: Page = quick_xml::de::from_str(
            "<ListMultipartUploadsResult><Bucket>hub</Bucket><IsTruncated>true</IsTruncated>\
             <NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>\
             <Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>\
             <Upload><Key>a</Key><UploadId>2</UploadId><Initiated>2026-01-02T00:00:00Z</Initiated></Upload>\
             </ListMultipartUploadsResult>",
        )
        .unwrap();
        assert_eq!(
            (page.upload.len(), page.is_truncated, page.next_upload_id_marker.as_str()),
            (2, true, "2")
        );
        assert!(page.upload[0].is_older_than(SystemTime::now()));
    }
}

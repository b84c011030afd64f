//! What the operator reports about the garbage collections of a registry.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The garbage collections so far, and the next one.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GarbageCollectionStatus {
    /// When a garbage collection was last started by the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,

    /// When a garbage collection last succeeded. Dry runs do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_time: Option<Time>,

    /// When the schedule starts the next one. Without `spec.gc.timeZone`, it is computed in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,

    /// The last value of the annotation `berth.dev/gc` that a run was started for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_request: Option<String>,

    /// The last run that has ended, whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<CollectionRun>,

    /// The last dry run that has ended. Its numbers tell what would have been deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_dry_run: Option<CollectionRun>,
}

/// A garbage collection that has ended. Numbers that the run has not told are left out.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CollectionRun {
    /// The Job that did it. It is deleted some time later.
    pub job: String,

    /// How it ended.
    pub result: CollectionResult,

    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,

    /// When it ended.
    pub completion_time: Time,

    /// How long it took, such as `1m5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,

    /// The bytes of the blobs that were deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_bytes: Option<i64>,

    /// How many blobs were deleted; the bytes of manifests are blobs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_blobs: Option<i64>,

    /// How many manifests were deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_manifests: Option<i64>,

    /// How many tags were deleted, which no rule of `spec.gc.retention` keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_tags: Option<i64>,

    /// The bytes of the garbage that was found by this run, and that a later one deletes when it has rested for three quarters
    /// of `spec.gc.minAge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_bytes: Option<i64>,
}

/// How a garbage collection ended.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "a doc comment on a variant would end up in the schema; the names say it")]
pub enum CollectionResult {
    Succeeded,
    Failed,
}

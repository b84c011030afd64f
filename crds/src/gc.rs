//! When and how a registry deletes what nothing refers to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::retention::RetentionRule;

/// When and how blobs that nothing refers to are deleted. The registry serves pushes and pulls meanwhile.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GarbageCollection {
    /// When it runs, as five cron fields (minute, hour, day of month, month, day of week) or a word such as `@daily`.
    #[serde(default = "nightly")]
    #[schemars(length(min = 1, max = 128))]
    pub schedule: String,

    /// The time zone of the schedule, such as `Europe/Berlin`. Without it, the time zone of the cluster's control
    /// plane counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// Do not run it by schedule for now.
    #[serde(default)]
    pub suspend: bool,

    /// Also delete manifests that no tag, no index and no referrer reaches.
    #[serde(default = "yes")]
    pub untagged: bool,

    /// Whole hours, such as `24h`. Nothing younger is deleted.
    #[serde(default = "one_day")]
    #[schemars(length(max = 16), regex(pattern = r"^[0-9]+h$"))]
    pub min_age: String,

    /// Which tags are kept; without a rule, all. Each garbage collection first deletes the tags that no rule keeps: they go to
    /// the trash, from where `registry restore` brings them back for a day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub retention: Vec<RetentionRule>,
}

impl Default for GarbageCollection {
    fn default() -> Self {
        Self {
            schedule: nightly(),
            time_zone: None,
            suspend: false,
            untagged: yes(),
            min_age: one_day(),
            retention: Vec::new(),
        }
    }
}

fn nightly() -> String {
    "0 3 * * *".to_owned()
}

fn yes() -> bool {
    true
}

fn one_day() -> String {
    "24h".to_owned()
}

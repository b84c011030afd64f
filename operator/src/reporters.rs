//! Which parts of a Registry's status are whose: three controllers report, each under a field manager of its own.

use berth_crds::RegistryStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::{distribution, nodes};

/// Takes out of a status what other controllers than that of Registries report.
pub(crate) fn without_others(status: RegistryStatus) -> RegistryStatus {
    nodes::report::without(distribution::report::without(status))
}

/// Whether another controller reports a condition.
pub(crate) fn is_anothers(condition: &Condition) -> bool {
    nodes::report::is_ours(condition) || distribution::report::is_ours(condition)
}

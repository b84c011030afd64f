//! The volume or bucket of `spec.storage`.

use berth_crds::{
    Reason,
    storage::{self, VolumeClaim},
};

use super::{Files, Finding, claim, s3};
use crate::{metadata::Identity, registry::observe::Observed};

/// The volume or bucket.
#[derive(Debug)]
pub struct Storage {
    /// The claim to make.
    pub claim: Claim,
    /// The claim that pods mount, if they mount one.
    pub claim_name: Option<String>,
    /// How many pods may work with it at the same time.
    pub sharing: Sharing,
    /// What opens the bucket, if it takes files to open it. `None` if that is not known, and never was.
    pub files: Option<Files>,
    /// The size of the volume behind a claim that existed already.
    pub existing_capacity: Option<String>,
    /// For the condition `StorageReady`.
    pub finding: Finding,
}

/// How many pods may work with the storage at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One: the volume must be let go of before the next pod can start.
    Exclusive,
    /// As many as there are replicas, each of which mounts the volume.
    Mounted,
    /// Any: nothing is mounted.
    Remote,
}

/// What to do about the Registry's own claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// Make it, or let it grow to `size`.
    Present {
        /// What is asked for.
        claim: VolumeClaim,
        /// The size to request: never less than what was requested before.
        size: String,
    },
    /// Leave it alone: there is none to make, or it differs in what cannot be changed.
    AsIs,
}

pub(super) fn validate(identity: &Identity, storage: &storage::Storage, observed: &Observed) -> Storage {
    match (&storage.pvc, &storage.claim_name, &storage.s3) {
        (Some(claim), _, _) => claim::own(identity, claim, observed),
        (None, Some(name), _) => claim::existing(name, observed),
        (None, None, Some(s3)) => {
            let (files, finding) = s3::validate(identity, s3, observed);
            Storage { sharing: Sharing::Remote, files, ..Storage::unclaimed(finding) }
        }
        (None, None, None) => {
            let message = "images are kept on the pod's own disk and are lost with the pod";
            Storage::unclaimed(Finding::good(Reason::Ephemeral, message))
        }
    }
}

impl Storage {
    /// Without a claim, for one pod, and nothing to open it with.
    pub(super) fn unclaimed(finding: Finding) -> Self {
        Self {
            claim: Claim::AsIs,
            claim_name: None,
            sharing: Sharing::Exclusive,
            files: Some(Files::new()),
            existing_capacity: None,
            finding,
        }
    }
}

impl Sharing {
    pub(super) fn of(claim_is_shared: bool) -> Self {
        if claim_is_shared { Self::Mounted } else { Self::Exclusive }
    }
}

#[cfg(test)]
mod tests {
    use super::super::claim::tests::{claim, storage};
    use super::*;

    #[test]
    fn as_many_pods_share_the_storage_as_can() {
        let sharing = |spec: &str, observed: &Observed| storage(spec, observed).sharing;
        let nothing = Observed::default();
        assert_eq!(sharing("{}", &nothing), Sharing::Exclusive);
        assert_eq!(sharing("{storage: {pvc: {accessMode: ReadWriteMany}}}", &nothing), Sharing::Mounted);
        assert_eq!(sharing("{storage: {s3: {bucket: images, region: r}}}", &nothing), Sharing::Remote);

        let named = |mode: &str| {
            let claim = serde_json::from_value(claim(mode, "20Gi", "Bound")).unwrap();
            Observed { existing_claim: Some(claim), ..Observed::default() }
        };
        let spec = "{storage: {claimName: images}}";
        assert_eq!(sharing(spec, &named("ReadWriteOnce")), Sharing::Exclusive);
        assert_eq!(sharing(spec, &named("ReadWriteMany")), Sharing::Mounted);
    }

    #[test]
    fn an_empty_dir_is_good_and_says_that_images_get_lost() {
        let storage = storage("{storage: {emptyDir: {}}}", &Observed::default());
        assert_eq!(storage.finding.reason, Reason::Ephemeral);
        assert_eq!(storage.claim_name, None);
    }
}

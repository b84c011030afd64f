//! Random edits by people, controllers and accidents, in any order.

use std::{thread, time::Duration};

use anyhow::Result;
use fastrand::Rng;

use crate::{
    choices::{OBJECTS, REQUESTS, RIGHTS, SPECS, SPOILING, USERS},
    fixture::{kubectl, run},
};

/// What can happen to a Registry from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    /// Somebody changes the spec, or makes the Registry anew.
    Spec(&'static str),
    /// Somebody deletes the Registry.
    Removal,
    /// Somebody deletes an object of it.
    Deletion(&'static str),
    /// Somebody spoils an object of it.
    Spoiling(&'static str, &'static str),
    /// The Secret of users changes.
    Users(&'static str),
    /// The Secret of users goes.
    NoUsers,
    /// Somebody asks for something by an annotation.
    Request(&'static str, u32),
    /// A team asks for rights, or for others.
    Rights(&'static str),
    /// A team gives its rights up.
    NoRights,
    /// The operator's machine fails, and it starts again.
    Restart,
    /// Nothing, for a while, so that the operator may get anywhere between nothing and all of its work done.
    Pause(Duration),
}

impl Edit {
    /// Any of them.
    pub(crate) fn any(choices: &mut Rng) -> Self {
        let spoiling = SPOILING[choices.usize(..SPOILING.len())];
        match choices.u32(..100) {
            0..25 => Self::Spec(SPECS[choices.usize(..SPECS.len())]),
            25..29 => Self::Removal,
            29..41 => Self::Deletion(OBJECTS[choices.usize(..OBJECTS.len())]),
            41..53 => Self::Spoiling(spoiling.0, spoiling.1),
            53..60 => Self::Users(USERS[choices.usize(..USERS.len())]),
            60..62 => Self::NoUsers,
            62..65 => Self::Restart,
            65..70 => Self::Request(REQUESTS[choices.usize(..REQUESTS.len())], choices.u32(..3)),
            70..75 => Self::Rights(RIGHTS[choices.usize(..RIGHTS.len())]),
            75..77 => Self::NoRights,
            _ => Self::Pause(Duration::from_millis(choices.u64(50..1_500))),
        }
    }

    /// Lets it happen in a namespace. What is not there cannot be edited.
    pub(crate) fn make(self, namespace: &str) -> Result<()> {
        match self {
            Self::Spec(spec) => apply_registry(namespace, spec)?,
            Self::Removal => drop(run(namespace, &["delete", "registry", "hub", "--ignore-not-found"])?),
            Self::Deletion(object) => {
                run(namespace, &["delete", object, "--ignore-not-found", "--wait=false"])?;
            }
            Self::Spoiling(object, patch) => {
                let _not_there = run(namespace, &["patch", object, "--type=merge", "--patch", patch]);
            }
            Self::Users(line) => users(namespace, line)?,
            Self::Request(annotation, value) => {
                let value = format!("{annotation}={value}");
                let _not_there = run(namespace, &["annotate", "--overwrite", "registry/hub", &value]);
            }
            Self::Rights(rights) => ask_for_rights(namespace, rights)?,
            Self::NoRights => {
                run(namespace, &["delete", "registryaccess/ci", "--ignore-not-found"])?;
            }
            Self::NoUsers => drop(run(namespace, &["delete", "secret", "team", "--ignore-not-found"])?),
            Self::Pause(time) => thread::sleep(time),
            // That is for those who have the operator.
            Self::Restart => {}
        }
        Ok(())
    }
}

/// Applies the Registry `hub`.
pub(crate) fn apply_registry(namespace: &str, spec: &str) -> Result<()> {
    apply(&format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: hub, namespace: {namespace}}}\nspec: {spec}\n"
    ))
}

fn ask_for_rights(namespace: &str, rights: &str) -> Result<()> {
    let allow = rights.replace("NAMESPACE", namespace);
    apply(&format!(
        "apiVersion: berth.dev/v1alpha1\nkind: RegistryAccess\nmetadata: {{name: ci, namespace: {namespace}}}\n\
         spec: {{registryRef: {{name: hub}}, allow: {allow}}}\n"
    ))
}

fn users(namespace: &str, line: &str) -> Result<()> {
    apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: team, namespace: {namespace}}}\nstringData: {{htpasswd: '{line}'}}\n"
    ))
}

fn apply(manifest: &str) -> Result<()> {
    let arguments = ["apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "-f", "-"];
    kubectl().run_with_input(&arguments, manifest).map(drop)
}

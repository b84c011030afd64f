//! `auth`: who may come in.

use crate::config::{Htpasswd, error::Error, settings::Settings};

pub(super) fn htpasswd(settings: &Settings) -> Result<Option<Htpasswd>, Error> {
    let chosen = settings.chosen("auth", &["htpasswd", "token", "none"]);
    match chosen.as_slice() {
        [] | ["none" | "token"] => return Ok(None),
        ["htpasswd"] => {}
        _ => return Err(settings.ambiguous("auth", &chosen)),
    }
    let settings = settings.below("auth.htpasswd");
    let needed = |key, why| settings.text(key)?.ok_or_else(|| settings.missing(key, why));
    let realm =
        needed("realm", "clients show it when they ask for a password; write any name, such as Registry")?;
    let path = needed("path", "name the file that `registry htpasswd -Bbn USER PASSWORD` has written")?;
    let overlap = settings.flag("overlap")?;
    Ok(Some(Htpasswd { realm, path: path.into(), overlap }))
}

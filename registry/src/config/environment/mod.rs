//! Overrides from `REGISTRY_*` environment variables.
//!
//! A variable is named after the path of its key; `names` finds it. A secret may stand in a file that
//! `REGISTRY_…_FILE` names. Values of the kind string are taken literally, all others are YAML.

mod names;
mod value;

use std::path::Path;

use self::names::{Named, Target};
use super::{error::Error, origin::Origin, tree::Node};

const PREFIX: &str = "REGISTRY_";

/// Variables with our prefix that are no settings: they configure the process or its client commands.
const OTHER_VARIABLES: &[&str] = &["CONFIGURATION_PATH", "GC_USERNAME", "GC_PASSWORD"];

/// A variable that sets something.
#[derive(Debug)]
struct Variable {
    name: String,
    value: String,
    target: Target,
}

/// Lays the variables over the settings and returns the names of those that look like settings and are none.
pub(super) fn override_settings(
    settings: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut ignored = Vec::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if value.is_empty() || OTHER_VARIABLES.contains(&rest) {
            continue;
        }
        match names::find(rest) {
            Named::Target(target) => found.push(Variable { name, value, target }),
            _ if is_service_link(rest) => {}
            Named::Nothing => ignored.push(name),
            Named::NotAnIndex { list, found } => {
                let origin = Origin::Variable(name);
                return Err(Error::NotAnIndex { origin, list: list.to_string(), found });
            }
        }
    }
    ignored.sort();
    // A path comes before all that lies below it, and the items of a list in their order.
    found.sort_by(|a, b| (&a.target.path, &a.name).cmp(&(&b.target.path, &b.name)));
    refuse_secrets_given_twice(&found)?;
    found.into_iter().try_for_each(|variable| lay(settings, variable))?;
    Ok(ignored)
}

/// Whether Kubernetes injected the variable, because a Service is called `registry` or `registry-…`.
fn is_service_link(rest: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let port_at = words.iter().position(|word| *word == "PORT");
    rest.ends_with("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || port_at.is_some_and(|at| words.get(at + 1).is_none_or(|next| next.parse::<u16>().is_ok()))
}

/// The variables of one key stand side by side.
fn refuse_secrets_given_twice(sorted: &[Variable]) -> Result<(), Error> {
    for pair in sorted.windows(2) {
        let [one, other] = pair else { continue };
        if one.target.path == other.target.path && one.target.in_file != other.target.in_file {
            let (file, plain) = if one.target.in_file { (one, other) } else { (other, one) };
            return Err(Error::SecretTwice { plain: plain.name.clone(), file: file.name.clone() });
        }
    }
    Ok(())
}

fn lay(settings: &mut Node, variable: Variable) -> Result<(), Error> {
    let Variable { name, value, target } = variable;
    let origin = Origin::Variable(name);
    let value = if target.in_file { read_secret(&origin, Path::new(&value))? } else { value };
    let node = value::read(&target, &value, &origin)?;
    Ok(settings.put(&target.path, node)?)
}

/// Reads the file of a secret; editors end it with a line break that does not belong to the secret.
fn read_secret(origin: &Origin, path: &Path) -> Result<String, Error> {
    let unreadable =
        |source| Error::UnreadableSecret { origin: origin.clone(), path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests;

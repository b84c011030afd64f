//! Names of entries: relative paths that stay inside the archive.

use super::{Error, Result};

/// The name without needless parts; an error when it is absolute or climbs.
pub(super) fn normal(name: &str) -> Result<String> {
    if name.starts_with('/') {
        return Err(Error::ClimbingPath(name.to_owned()));
    }
    resolve(Vec::new(), name, name)
}

/// What a symbolic link beside `entry` points at.
pub(super) fn beside(entry: &str, target: &str) -> Result<String> {
    if target.starts_with('/') {
        return Err(Error::ClimbingPath(target.to_owned()));
    }
    let mut folder: Vec<_> = entry.split('/').collect();
    folder.pop();
    resolve(folder, target, target)
}

fn resolve<'a>(mut at: Vec<&'a str>, path: &'a str, shown: &str) -> Result<String> {
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                at.pop().ok_or_else(|| Error::ClimbingPath(shown.to_owned()))?;
            }
            part => at.push(part),
        }
    }
    Ok(at.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_however_they_are_written() {
        for name in ["blobs/sha256/a", "./blobs/sha256/a", "blobs//sha256/./a", "blobs/x/../sha256/a"] {
            assert_eq!(normal(name).unwrap(), "blobs/sha256/a");
        }
        assert_eq!(beside("one/layer.tar", "../two/layer.tar").unwrap(), "two/layer.tar");
    }

    #[test]
    fn no_name_leads_out() {
        for name in ["/etc/passwd", "../x", "a/../../x", ".."] {
            assert!(matches!(normal(name), Err(Error::ClimbingPath(_))), "{name}");
        }
        assert!(beside("one/layer.tar", "../../x").is_err());
        assert!(beside("layer.tar", "/x").is_err());
    }
}

//! The htpasswd format: one `NAME:HASH` a line. Only bcrypt hashes, which are all that the registry verifies.

use bcrypt::BcryptError;

use super::credentials::{ADMIN, PULL, Password};

/// The name that ServiceAccounts log in by. The registry would take no password for it.
const SERVICE_ACCOUNT: &str = "serviceaccount";

/// The cost of new hashes, htpasswd's own default. The passwords are random and long, so that guessing is hopeless at
/// any cost, and both are verified at each reconciliation.
const COST: u32 = 5;

/// A line that the registry could not use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub(super) struct LineError {
    line: usize,
    problem: &'static str,
}

/// The lines of a user's htpasswd file, without blank lines and comments.
pub(super) fn parse(file: &str) -> Result<Vec<String>, LineError> {
    let mut names = Vec::new();
    let mut entries = Vec::new();
    for (index, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |problem| LineError { line: index + 1, problem };
        let name = name_of(line).map_err(at)?;
        if names.contains(&name) {
            return Err(at("the user is listed twice: remove one of the lines"));
        }
        names.push(name);
        entries.push(line.to_owned());
    }
    Ok(entries)
}

/// The name in a line, if all of the line is good.
fn name_of(line: &str) -> Result<&str, &'static str> {
    let (name, hash) =
        line.split_once(':').ok_or("there is no colon: write NAME:HASH, as `htpasswd -nB NAME` prints it")?;
    if name.is_empty() {
        return Err("there is no name before the colon: write NAME:HASH, as `htpasswd -nB NAME` prints it");
    }
    if [ADMIN, PULL].contains(&name) {
        return Err("the names admin and pull are the operator's: choose another");
    }
    if name == SERVICE_ACCOUNT {
        return Err("the name serviceaccount is for tokens of ServiceAccounts: choose another");
    }
    if !is_bcrypt(hash) {
        return Err("the hash is not bcrypt: write it anew with `htpasswd -nB NAME`");
    }
    Ok(name)
}

/// `$2y$`, a cost of two digits, `$`, and 53 characters of salt and hash.
fn is_bcrypt(hash: &str) -> bool {
    let known = ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version));
    let rest = hash.get(4..).unwrap_or_default();
    let cost = rest.get(..2).and_then(|digits| digits.parse::<u32>().ok());
    let body = rest.get(3..).unwrap_or_default();
    known
        && cost.is_some_and(|cost| (4..=31).contains(&cost))
        && rest.get(2..3) == Some("$")
        && body.len() == 53
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/')
}

/// The entry of `name`: the one that `file` has, as long as it is right for `password`, or else a new one. So a
/// file does not change while the passwords do not.
pub(super) fn entry(file: &str, name: &str, password: &str) -> Result<String, BcryptError> {
    match right_line(file, name, password) {
        Some(line) => Ok(line.to_owned()),
        None => Ok(format!("{name}:{}", bcrypt::hash(password, COST)?)),
    }
}

/// Whether `file` lets `name` in with `password`.
pub(super) fn knows(file: &str, name: &str, password: &Password) -> bool {
    right_line(file, name, password.as_str()).is_some()
}

/// The line of `name` that is right for `password`; several may be there while a password is being replaced.
fn right_line<'a>(file: &'a str, name: &str, password: &str) -> Option<&'a str> {
    file.lines().find(|line| {
        let hash = line.split_once(':').filter(|(user, _)| *user == name).map(|(_, hash)| hash);
        hash.is_some_and(|hash| bcrypt::verify(password, hash).unwrap_or(false))
    })
}

/// The lines of a file that an operator wrote before it kept those of others apart.
pub(super) fn lines_of_others(file: &str) -> Vec<String> {
    let own = |line: &str| line.split_once(':').is_none_or(|(name, _)| [ADMIN, PULL].contains(&name));
    file.lines().filter(|line| !own(line)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CI: &str = "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";

    #[test]
    fn bcrypt_lines_are_taken_and_comments_left_out() {
        assert_eq!(parse(&format!("# robots\n\n{CI}\r\n")).unwrap(), [CI]);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let problem = |file: &str| parse(file).unwrap_err().to_string();
        assert_eq!(
            problem(&format!("{CI}\nbob:$apr1$abc$def")),
            "line 2: the hash is not bcrypt: write it anew with `htpasswd -nB NAME`"
        );
        assert!(problem("bob").starts_with("line 1: there is no colon"));
        assert!(problem(":x").starts_with("line 1: there is no name"));
        assert!(problem(&CI.replace("ci:", "admin:")).contains("admin and pull are the operator's"));
        assert!(problem(&CI.replace("ci:", "serviceaccount:")).contains("is for tokens of ServiceAccounts"));
        assert!(problem(&format!("{CI}\n\n{CI}")).starts_with("line 3: the user is listed twice"));
        assert!(problem("bob:$2y$05$tooshort").contains("not bcrypt"));
        assert!(
            problem("bob:$2y$99$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC")
                .contains("not bcrypt")
        );
    }

    #[test]
    fn a_problem_does_not_repeat_the_line() {
        assert!(!parse("bob:hunter2").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn an_entry_is_kept_while_it_is_right_for_the_password() {
        let first = entry("", "admin", "secret").unwrap();
        assert_eq!(entry(&format!("{CI}\n{first}\n"), "admin", "secret").unwrap(), first);
        assert_ne!(entry(&first, "admin", "another").unwrap(), first);
    }

    #[test]
    fn each_of_several_entries_of_a_user_is_kept_for_its_password() {
        let (old, new) = (entry("", "ci", "old").unwrap(), entry("", "ci", "new").unwrap());
        let file = format!("{old}\n{new}\n");
        assert_eq!(entry(&file, "ci", "old").unwrap(), old);
        assert_eq!(entry(&file, "ci", "new").unwrap(), new);
    }

    #[test]
    fn lines_of_others_are_told_from_the_operators() {
        assert_eq!(lines_of_others(&format!("admin:x\npull:y\n{CI}\n")), [CI]);
    }
}

//! A password file is taken as a whole or refused at its first wrong line, which is told without its hash.

#![no_main]

use std::collections::HashSet;

use berth_registry::auth::{InvalidEntry, PasswordFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_entry = |line: &&&str| !line.is_empty() && !line.starts_with('#');
    match text.parse::<PasswordFile>() {
        Ok(file) => {
            let entries = lines.iter().filter(is_entry).filter_map(|line| line.split_once(':'));
            let users: HashSet<&str> = entries.map(|(user, _)| user).collect();
            assert_eq!(file.users(), users.len());
            let again = format!("# a comment\n\n{text}\r\n").parse::<PasswordFile>();
            assert_eq!(again.map(|again| again.users()), Ok(file.users()));
        }
        Err(error) => {
            let (InvalidEntry::Malformed { line } | InvalidEntry::NotBcrypt { line, .. }) = error;
            assert!(
                lines[..line - 1].join("\n").parse::<PasswordFile>().is_ok(),
                "line {line} is not the first"
            );
            let entry =
                lines[line - 1].split_once(':').filter(|(user, hash)| !user.is_empty() && !hash.is_empty());
            let told =
                if let InvalidEntry::NotBcrypt { user, .. } = &error { Some(user.as_str()) } else { None };
            assert_eq!(told, entry.map(|(user, _)| user));
        }
    }
});

//! `registry htpasswd`, and the program `htpasswd`: prints lines for a password file, as Apache's tool does with `-n`.

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
};

use anyhow::{Context, bail, ensure};
use berth_registry::auth;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry htpasswd -Bbn [-C COST] USER PASSWORD\n       registry htpasswd -Bin [-C COST] USER",
    after_help = "The line goes to standard output: registry htpasswd -Bbn USER PASSWORD >> htpasswd"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of Apache's tool")]
pub(super) struct Arguments {
    /// Hash by bcrypt, which is the only hash that the registry accepts
    #[arg(short = 'B')]
    bcrypt: bool,
    /// Take the password from the command line
    #[arg(short = 'b', conflicts_with = "stdin")]
    batch: bool,
    /// Print the line instead of changing a file
    #[arg(short = 'n')]
    print: bool,
    /// Read the password from standard input
    #[arg(short = 'i')]
    stdin: bool,
    /// Cost of the hash; each step doubles the time that it takes
    #[arg(short = 'C', value_name = "COST", default_value_t = 10, value_parser = clap::value_parser!(u32).range(4..=17))]
    cost: u32,
    /// Apache's other hashes and modes, which are refused with a sentence
    #[arg(short = 'c', hide = true)]
    create: bool,
    #[arg(short = 'm', hide = true)]
    md5: bool,
    #[arg(short = 's', hide = true)]
    sha: bool,
    #[arg(short = 'd', hide = true)]
    crypt: bool,
    #[arg(short = 'p', hide = true)]
    plain: bool,
    #[arg(short = 'D', hide = true)]
    delete: bool,
    #[arg(short = 'v', hide = true)]
    verify: bool,
    /// The user, and with -b the password
    #[arg(value_names = ["USER", "PASSWORD"], num_args = 1..=2, required = true)]
    words: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let line = line(arguments, &mut io::stdin().lock())?;
    writeln!(io::stdout(), "{line}")?;
    Ok(ExitCode::SUCCESS)
}

fn line(arguments: &Arguments, input: &mut impl BufRead) -> anyhow::Result<String> {
    refuse_other_modes(arguments)?;
    let (user, password) = match (arguments.words.as_slice(), arguments.stdin) {
        ([user, password], false) if arguments.batch => (user, password.clone()),
        ([user], true) => (user, first_line(input)?),
        _ => bail!("give the password after the user with -b, or on standard input with -i"),
    };
    ensure!(
        !user.is_empty() && !user.contains([':', '\n']),
        "a user name may not be empty or contain a colon"
    );
    ensure!(!password.is_empty(), "the password may not be empty");
    auth::entry(user, &password, arguments.cost)
        .context("the password cannot be hashed (bcrypt takes up to 72 bytes)")
}

fn refuse_other_modes(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { create, md5, sha, crypt, plain, delete, verify, .. } = arguments;
    ensure!(
        !(*md5 || *sha || *crypt || *plain),
        "the registry accepts bcrypt only: write -B in place of -m, -s, -d or -p"
    );
    ensure!(
        arguments.print && !(*create || *delete || *verify),
        "files are not changed: add -n, leave out -c, -D and -v, and redirect the output with >> FILE"
    );
    Ok(())
}

fn first_line(input: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn run(words: &[&str], input: &str) -> anyhow::Result<String> {
        let arguments = Program::try_parse_from([&["htpasswd"], words].concat())?.arguments;
        line(&arguments, &mut input.as_bytes())
    }

    #[test]
    fn the_form_of_tutorials_prints_a_line_that_the_registry_accepts() {
        let line = run(&["-Bbn", "-C", "4", "bob", "secret"], "").unwrap();
        assert!(line.starts_with("bob:$2y$04$"), "{line}");
        assert_eq!(line.parse::<auth::PasswordFile>().unwrap().users(), 1);
    }

    #[test]
    fn the_password_may_come_from_standard_input() {
        let line = run(&["-Bin", "-C", "4", "bob"], "secret\n").unwrap();
        assert!(bcrypt::verify("secret", line.split_once(':').unwrap().1).unwrap());
    }

    #[test]
    fn other_hashes_and_files_are_refused_with_a_sentence() {
        assert!(run(&["-mbn", "bob", "secret"], "").unwrap_err().to_string().contains("write -B"));
        assert!(run(&["-Bbc", "bob", "secret"], "").unwrap_err().to_string().contains("add -n"));
        assert!(run(&["-Bn", "bob"], "").unwrap_err().to_string().contains("-b"));
        assert!(run(&["-Bbn", "a:b", "secret"], "").unwrap_err().to_string().contains("colon"));
    }
}

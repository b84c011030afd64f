//! Running a foreign program and judging it: its output, or an error that says what it said.

use anyhow::{Context, Result, ensure};
use std::process::{Command, Output};

/// Runs the command, which must succeed, and returns its standard output.
pub fn succeed(command: &mut Command) -> Result<String> {
    let output = run(command)?;
    ensure!(output.status.success(), "{} failed:\n{}", shown(command), text(&output));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the command, which must fail, and returns what it printed.
pub fn fail(command: &mut Command) -> Result<String> {
    let output = run(command)?;
    ensure!(
        !output.status.success(),
        "{} succeeded, although it must not:\n{}",
        shown(command),
        text(&output)
    );
    Ok(text(&output))
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("cannot start {}", command.get_program().display()))
}

fn shown(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

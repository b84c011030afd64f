//! What the program is to be: its first argument says so.

use clap::{ArgMatches, CommandFactory, FromArgMatches, error::Error};

use crate::{config::Config, node_agent};

/// What the program is to be.
#[derive(Clone, Debug)]
pub enum Program {
    /// The operator.
    Operator(Box<Config>),
    /// The agent of a node.
    NodeAgent(node_agent::Options),
}

impl Program {
    /// What the command line asks for; ends the program, with the reason, if that cannot be told.
    pub fn of_arguments() -> Self {
        let mut command = Self::command();
        let matches = command.get_matches_mut();
        Self::of(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    fn command() -> clap::Command {
        Config::command().subcommand(node_agent::Options::command()).subcommand_negates_reqs(true)
    }

    fn of(matches: &ArgMatches) -> Result<Self, Error> {
        match matches.subcommand() {
            Some((_, matches)) => node_agent::Options::from_arg_matches(matches).map(Self::NodeAgent),
            None => Config::from_arg_matches(matches).map(|config| Self::Operator(Box::new(config))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_an_operator_or_the_agent_of_a_node() {
        let program = |arguments: &[&str]| {
            Program::of(&Program::command().get_matches_from([&["berth-operator"], arguments].concat()))
                .unwrap()
        };
        assert!(matches!(program(&["--registry-image=r"]), Program::Operator(_)));
        let agent = program(&["node-agent", "--node=a", "--daemon-set=berth-system/agent"]);
        assert!(matches!(agent, Program::NodeAgent(options) if options.node == "a"));
    }
}

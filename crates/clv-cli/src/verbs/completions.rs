//! `clv completions SHELL`.

use clap::CommandFactory;
use clap_complete::aot::{Shell, generate};

use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut crate::Cli::command(), "clv", &mut script);
    crate::show::print(String::from_utf8_lossy(&script))
}

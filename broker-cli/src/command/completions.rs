//! `broker completions`: a script that teaches a shell the commands and options.

use clap::CommandFactory;

use crate::{
    args::{self, Arguments},
    exit::Failure,
    session::Session,
};

/// Prints the script.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn run(arguments: &args::Completions, session: &mut Session) -> Result<(), Failure> {
    // In memory first: the generator does not expect a writer that fails.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "broker", &mut script);
    session.out.bytes(&script)
}

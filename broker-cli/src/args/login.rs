//! Who this is, for a broker that asks: as flags, else from the environment.
//!
//! Whether the flags go together is for the client library to say: only there the environment is known too.

use broker_client::{Login, Secret};
use clap::{Args, builder::NonEmptyStringValueParser};

use super::parse;
use crate::exit::{Exit, Failure};

/// Who this is. A secret on a command line is seen by whoever may list processes; one in the environment is not.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct LoginArgs {
    /// Who this is, where the broker asks [env: `BROKER_USER`]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub user: Option<String>,

    /// The user's password; better in the environment, where the list of processes does not show it [env: `BROKER_PASSWORD`]
    #[arg(long, global = true, value_name = "TEXT", value_parser = parse::secret)]
    pub password: Option<Secret>,

    /// In place of user and password, the token that the broker asks for; better in the environment, too [env: `BROKER_TOKEN`]
    #[arg(long, global = true, value_name = "TEXT", value_parser = parse::secret)]
    pub token: Option<Secret>,
}

impl LoginArgs {
    /// Together with the environment.
    ///
    /// # Errors
    /// A token beside a user, or a name or a password alone: wrong usage.
    pub(crate) fn login(&self) -> Result<Option<Login>, Failure> {
        let Self { user, password, token } = self;
        Login::from_flags(user.clone(), password.clone(), token.clone()).map_err(|error| {
            Failure::new(Exit::Usage, error).hint(
                "--user with --password, or --token; or BROKER_USER with BROKER_PASSWORD, or BROKER_TOKEN",
            )
        })
    }
}

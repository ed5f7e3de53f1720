//! Whose fault it is.

use std::fmt::Display;

/// Why the program ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The data or the fit is at fault: exit 1.
    Data(String),
    /// The command line is at fault: exit 2.
    Usage(String),
    /// The reader of standard output has gone: nothing to say.
    Closed,
}

impl Failure {
    pub(crate) fn data(error: impl Display) -> Self {
        Self::Data(error.to_string())
    }

    pub(crate) fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Data(text) | Self::Usage(text) => Some(text),
            Self::Closed => None,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Data(_) => 1,
            Self::Usage(_) => 2,
            Self::Closed => 0,
        }
    }
}

impl From<clv::Error> for Failure {
    fn from(error: clv::Error) -> Self {
        match error {
            // Another question would be answered.
            clv::Error::Unit { .. }
            | clv::Error::Horizon { .. }
            | clv::Error::CannotSay { .. }
            | clv::Error::Grain { .. }
            | clv::Error::GrainsApart { .. }
            | clv::Error::UnknownName { .. } => Self::usage(error),
            _ => Self::data(error),
        }
    }
}

impl From<clv::io::Error> for Failure {
    fn from(error: clv::io::Error) -> Self {
        match error {
            // Naming a column that is not there is a slip of the command line.
            clv::io::Error::UnknownColumn { .. }
            | clv::io::Error::NoColumn { .. }
            | clv::io::Error::NoTableColumn { .. }
            | clv::io::Error::AmbiguousDates { .. }
            | clv::io::Error::Encoding { .. }
            | clv::io::Error::OutputEnding { .. }
            | clv::io::Error::NothingInFolder { .. }
            | clv::io::Error::Ending { .. } => Self::usage(error),
            _ => Self::data(error),
        }
    }
}

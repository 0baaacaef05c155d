//! How the program ends.

/// What a panic, that is a bug, ends with: none of [`Exit`], but what Rust programs are known by.
pub(super) const PANIC: i32 = 101;

/// Exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    /// All claims hold, or nothing was claimed and only a run was asked for.
    #[default]
    Holds = 0,
    /// A claim does not hold.
    Failed = 1,
    /// Bad usage, an unknown name, an invalid file.
    Usage = 2,
    /// A check established nothing: no claim, a fault that never fired, a bound hit, interrupted.
    Nothing = 3,
    /// The environment failed: a missing file, an output that cannot be written.
    Environment = 4,
}

impl Exit {
    /// What two parts of one command come to: 4, else 2, else 1, else 3.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Holds => 0,
            Self::Nothing => 1,
            Self::Failed => 2,
            Self::Usage => 3,
            Self::Environment => 4,
        };
        if rank(self) >= rank(other) { self } else { other }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The user has to change something: the text says what.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read.
    #[error("error: cannot read {path}: {source}")]
    Read {
        /// The file or directory.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("error: cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no terminal, or it does not work: the text says what to do.
    #[error("{0}")]
    Terminal(String),
    /// Nobody takes the output.
    #[error("error: cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// What the program ends with. A closed pipe is no error: whoever reads has read enough.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Holds,
            Self::Read { .. } | Self::Write { .. } | Self::Terminal(_) | Self::Output(_) => Exit::Environment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_several_files_the_gravest_counts() {
        use Exit::{Environment, Failed, Holds, Nothing, Usage};
        let gravest_first = [Environment, Usage, Failed, Nothing, Holds];
        for (rank, grave) in gravest_first.iter().enumerate() {
            for milder in &gravest_first[rank..] {
                assert_eq!((grave.and(*milder), milder.and(*grave)), (*grave, *grave));
            }
        }
        assert_eq!(gravest_first.map(|exit| exit as u8), [4, 2, 1, 3, 0]);
    }
}

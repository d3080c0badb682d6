//! The file of a session: one program of the user's.
//!
//! It has fields that end with a NUL, each `KEY=VALUE`: arguments and names of files are bytes, not
//! text. [`LIMIT`] is in seconds, [`FOLDER`] is where the program starts, [`PATH`] is its file,
//! [`ENVIRONMENT`] and [`ARGUMENT`] may occur several times, the zeroth argument first.

/// The file in the guest.
pub const FILE: &str = "/session";

/// Key of the time limit.
pub const LIMIT: &str = "limit";
/// Key of the folder.
pub const FOLDER: &str = "folder";
/// Key of the program's file.
pub const PATH: &str = "path";
/// Key of a variable of the environment.
pub const ENVIRONMENT: &str = "environment";
/// Key of an argument.
pub const ARGUMENT: &str = "argument";

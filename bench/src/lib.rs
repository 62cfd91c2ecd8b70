//! The common parts of the programs: the functions under test, an API that drives them, and instruments.

pub mod api;
pub mod build;
pub mod comparison;
pub mod cpus;
pub mod figures;
pub mod function;
pub mod instruments;
pub mod load;
pub mod machine;
pub mod plot;
pub mod programs;
pub mod progress;
pub mod report;
pub mod request;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

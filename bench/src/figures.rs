//! The figures: one file for each thing that is measured.

mod append;
mod aws;
mod costs;
mod driver;
mod durable;
mod engine;
mod http;
mod sdk;
mod waiting;

pub use append::append;
pub use aws::aws;
pub use costs::costs;
pub use driver::driver;
pub use durable::durable;
pub use engine::engine;
pub use http::http;
pub use sdk::sdk;
pub use waiting::waiting;

/// Where loads of durable executions run. Timers and syncs have their own threads.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}

//! `larder init`: the schema, the configuration in rows, and the first jobs.

use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::ExposeSecret;
use shared::setup::Setup;
use shared::store::Store;

use super::connect::{CONNECT, failure};
use super::table::{print_json, print_text};
use crate::cli::{Failure, Outcome};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file; without it LARDER_CONFIG, else ./larder.toml
    #[arg(long)]
    config: Option<PathBuf>,

    /// Also make the roles larder_app and larder_reader, and grant them what they need
    #[arg(long)]
    roles: bool,

    /// Print what was found and done as JSON
    #[arg(long)]
    json: bool,
}

/// Migrates, syncs, and enqueues what is due. Doing it again changes nothing.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let setup = Setup::read(&directory, arguments.config).map_err(|error| Failure::from(&error))?;
    setup
        .secrets
        .require(&[("DATABASE_URL", "the schema is made there")])
        .map_err(|error| Failure::from(&error))?;
    let url = setup.secrets.database_url.as_ref();
    let url = url.map(|url| url.expose_secret()).unwrap_or_default();
    let store = Store::connect_lazy(url, 1).map_err(|error| failure(&error))?;
    prepare(&store, url, &setup).await?;
    if arguments.roles {
        store.make_roles().await.map_err(|error| {
            failure(&error).with_help("log in as the schema's owner, with the right to make roles")
        })?;
    }
    let has_view = store.make_jobs_view().await.map_err(|error| {
        failure(&error).with_help("log in as the schema's owner: public.background_jobs is missing")
    })?;
    let ticked = store.tick(false).await.map_err(|error| failure(&error))?;
    let providers = setup.catalog.providers().count();
    let tracked = setup.catalog.tracked().len();
    let (origin, enqueued) = (setup.origin.to_string(), ticked.enqueued);
    if arguments.json {
        print_json(&serde_json::json!({
            "configuration": origin, "providers": providers, "tracked": tracked, "enqueued": enqueued,
            "roles": arguments.roles, "background_jobs": has_view,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.roles {
        print_text(
            "The roles larder_app and larder_reader are there; docs/security.md says how to use them.",
        );
    }
    if !has_view {
        print_text(
            "Something else is called public.background_jobs, so Larder's view is missing: \
             rename it, then larder init again (docs/from-the-old-scheduler.md).",
        );
    }
    print_text(&format!(
        "The schema is current. From {origin}: {providers} providers, {tracked} tracked resources; \
         {enqueued} jobs enqueued."
    ));
    Ok(ExitCode::SUCCESS)
}

/// Brings schema and configuration into the database.
pub(super) async fn prepare(store: &Store, url: &str, setup: &Setup) -> Result<(), Failure> {
    let prepared = async {
        // Says what is wrong with a connection, where the pool would only say that it waited.
        Store::reach(url, CONNECT).await?;
        store.ping().await?;
        store.migrate().await?;
        let lanes = setup.catalog.lanes(&setup.secrets);
        store.sync_all(&lanes, &setup.catalog.wanted()).await
    };
    prepared.await.map_err(|error| failure(&error))
}

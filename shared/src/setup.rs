//! How a process finds out what to do: environment, configuration, secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::config::{ConfigErrors, Secrets, Source, environment};

/// All that a process of Larder reads before it starts.
#[derive(Clone)]
pub struct Setup {
    /// What the configuration comes to.
    pub catalog: Arc<Catalog>,
    /// What only the environment may know.
    pub secrets: Secrets,
    /// The environment, with `.env.local` and `.env` under the real one.
    pub environment: BTreeMap<String, String>,
    /// The file that the configuration came from, or that it is the example.
    pub origin: String,
}

/// Shows nothing of the environment, which holds every secret.
impl fmt::Debug for Setup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Setup")
            .field("catalog", &self.catalog)
            .field("secrets", &self.secrets)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Setup {
    /// Reads everything, for a process in `directory`; `path` is the configuration file
    /// that the command line names.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`] with everything that is wrong, configuration and secrets both.
    pub fn read(directory: &Path, path: Option<PathBuf>) -> Result<Self, ConfigErrors> {
        Self::from_environment(environment(directory)?, directory, path)
    }

    /// The same with an environment that the caller has changed.
    ///
    /// # Errors
    ///
    /// As [`Setup::read`].
    pub fn from_environment(
        environment: BTreeMap<String, String>,
        directory: &Path,
        path: Option<PathBuf>,
    ) -> Result<Self, ConfigErrors> {
        let source = Source {
            path,
            directory: directory.to_owned(),
            environment: environment.clone(),
        };
        let loaded = Catalog::load(&source);
        let variables: Vec<String> = match &loaded {
            Ok((catalog, _)) => variables(catalog),
            Err(_) => Vec::new(),
        };
        let secrets = Secrets::read(&environment, variables.iter().map(String::as_str));
        match (loaded, secrets) {
            (Ok((catalog, loaded)), Ok(secrets)) => Ok(Self {
                catalog: Arc::new(catalog),
                secrets,
                environment,
                origin: loaded.origin,
            }),
            (Err(configuration), Err(secrets)) => Err(configuration.and(secrets)),
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
        }
    }
}

/// The variables that the configuration names: for providers' keys, and for what signs
/// webhooks.
fn variables(catalog: &Catalog) -> Vec<String> {
    let config = catalog.config();
    let keys = config.providers.values();
    let keys = keys.filter_map(|section| section.provider.key_env.clone());
    let signing = config.webhooks.values();
    keys.chain(signing.map(|target| target.secret_env.clone()))
        .collect()
}

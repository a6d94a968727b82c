//! The two servers that are compared, each pinned to a core in a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use enqueuer::{Enqueuer, Settings};
use shared::config::environment;
use shared::metrics::Recorder;
use shared::setup::Setup;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::cli::{Failure, say};
use crate::commands::bench::place::Place;
use crate::commands::bench::upstream::{OPEN, write_configuration};
use crate::commands::signals::Signals;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks that programs are installed.
pub(super) fn need(programs: &[&str]) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&&str| {
        // Where Debian puts servers is not in everybody's PATH.
        let usual = ["/usr/sbin", "/usr/local/sbin"].map(Path::new);
        let places = std::env::split_paths(&path);
        let found = places.into_iter().any(|place| place.join(name).is_file());
        found || usual.iter().any(|place| place.join(name).is_file())
    };
    let missing: Vec<&str> = (programs.iter().filter(|name| !is_there(name)))
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(
        Failure::new(format!("not installed: {}", missing.join(", ")))
            .with_help("scripts/bench-read installs what is missing, and runs this"),
    )
}

/// An enqueuer on a core of its own.
pub(super) struct Larder {
    pub(super) base: String,
    // Killed when dropped.
    _process: Child,
}

impl Larder {
    /// Starts an enqueuer with the database of `place`.
    pub(super) async fn start(
        place: &Place,
        upstream: &str,
        directory: &Path,
        core: u32,
    ) -> Result<Self, Failure> {
        let config = write_configuration(directory)?;
        let program = std::env::current_exe().map_err(|error| Failure::from(&error))?;
        let mut process = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(["bench", "serve-reads"])
            .current_dir(directory)
            .env("DATABASE_URL", place.database().url())
            .env("LARDER_CONFIG", config)
            .env("JOBS_API_SECRET", "of-a-measurement-1")
            .env("CMC_API_KEY", "sandbox-key")
            .env("LARDER__ENQUEUER__LISTEN", "127.0.0.1:0")
            .env("LARDER__ENQUEUER__TICK_EVERY", "0s")
            .env("LARDER__PROVIDERS__COINMARKETCAP__BASE_URL", upstream)
            .env("LARDER__PROVIDERS__BESIDE__BASE_URL", upstream)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::from(&error))?;
        let output = process.stdout.take();
        let output = output.ok_or_else(|| Failure::new("the enqueuer has no output"))?;
        let mut line = String::new();
        let mut output = BufReader::new(output);
        let said = output.read_line(&mut line);
        match tokio::time::timeout(PATIENCE, said).await {
            Ok(Ok(1..)) => {}
            _ => return Err(Failure::new("the enqueuer did not start")),
        }
        let base = format!("http://{}/proxy/{OPEN}", line.trim());
        Ok(Self {
            base,
            _process: process,
        })
    }
}

/// Runs an enqueuer of the environment's configuration, and says where, until a signal.
pub(super) async fn serve(signals: &mut Signals) -> Result<(), Failure> {
    let directory = std::env::current_dir().map_err(|error| Failure::from(&error))?;
    let environment = environment(&directory).map_err(|error| Failure::from(&error))?;
    let setup = Setup::from_environment(environment, &directory, None);
    let setup = setup.map_err(|error| Failure::from(&error))?;
    let enqueuer = Enqueuer::bind(Settings {
        catalog: Arc::clone(&setup.catalog),
        secrets: setup.secrets.clone(),
        recorder: Recorder::install().map_err(|error| Failure::from(&error))?,
    });
    let enqueuer = enqueuer.await.map_err(|error| Failure::from(&error))?;
    say(&format!("{}\n", enqueuer.address()));
    let stop = CancellationToken::new();
    let mut serving = tokio::spawn(enqueuer.run(stop.clone()));
    tokio::select! {
        () = signals.stop() => stop.cancel(),
        ended = &mut serving => return finished(ended),
    }
    finished(serving.await)
}

fn finished(
    ended: Result<Result<(), enqueuer::EnqueuerError>, tokio::task::JoinError>,
) -> Result<(), Failure> {
    let ended = ended.map_err(|error| Failure::from(&error))?;
    ended.map_err(|error| Failure::from(&error))
}

/// nginx with a cache, on a core of its own.
pub(super) struct Nginx {
    pub(super) base: String,
    _process: Child,
}

impl Nginx {
    /// Starts nginx in front of `upstream`, in its usual form for such a cache: one process,
    /// no log, cached answers for as long as the measurement takes.
    pub(super) async fn start(
        upstream: &str,
        directory: &Path,
        core: u32,
    ) -> Result<Self, Failure> {
        let port = free_port().await?;
        let at = directory.join("nginx");
        std::fs::create_dir_all(&at).map_err(|error| Failure::from(&error))?;
        let here = at.display();
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let config = format!(
            "{user} master_process off; daemon off; pid {here}/pid; error_log {here}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n\
               access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;\n\
               keepalive_requests 100000000; keepalive_timeout 600s; server_tokens off;\n\
               open_file_cache max=20000 inactive=10m; open_file_cache_valid 10m;\n\
               proxy_cache_path {here}/cache levels=1:2 keys_zone=answers:64m max_size=1g inactive=12h;\n\
               client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;\n\
               fastcgi_temp_path {here}/fastcgi; uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;\n\
               server {{\n\
                 listen 127.0.0.1:{port};\n\
                 location / {{\n\
                   proxy_pass {upstream};\n\
                   proxy_set_header X-CMC_PRO_API_KEY sandbox-key;\n\
                   proxy_cache answers; proxy_cache_valid 200 12h; proxy_cache_lock on;\n\
                   proxy_ignore_headers Cache-Control Expires Vary;\n\
                   add_header X-Cache-Status $upstream_cache_status;\n\
                 }}\n\
               }}\n\
             }}\n"
        );
        let file = at.join("nginx.conf");
        std::fs::write(&file, config).map_err(|error| Failure::from(&error))?;
        let sbin = "/usr/local/sbin:/usr/sbin:/sbin";
        let path = std::env::var("PATH").unwrap_or_default();
        let process = Command::new("taskset")
            .args(["-c", &core.to_string(), "nginx", "-p"])
            .arg(&at)
            .arg("-c")
            .arg(&file)
            .env("PATH", format!("{path}:{sbin}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::from(&error))?;
        let up = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, up).await.is_err() {
            let log = std::fs::read_to_string(at.join("error.log")).unwrap_or_default();
            return Err(Failure::new(format!("nginx did not start: {log}")));
        }
        Ok(Self {
            base: format!("http://127.0.0.1:{port}"),
            _process: process,
        })
    }
}

/// A port that nobody listens on at this moment.
async fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(|error| Failure::from(&error))?.port())
}

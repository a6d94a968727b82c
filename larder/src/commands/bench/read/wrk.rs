//! One turn of `wrk`, which asks as fast as it is answered.

use std::fmt::Write as _;
use std::process::Stdio;

use tokio::process::Command;

use crate::cli::Failure;

/// Requests in the sequence that a Zipf load repeats.
const SEQUENCE: usize = 100_000;

/// What `wrk` asks for.
pub(super) struct Load {
    pub(super) of: &'static str,
    path: String,
    /// A script that makes other requests than for `path`.
    script: Option<String>,
}

/// What a turn measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Load {
    /// The same question each time.
    pub(super) fn one(of: &'static str, path: String) -> Self {
        Self {
            of,
            path,
            script: None,
        }
    }

    /// Each of the items as often as Zipf's law says, the first one most: the n-th in
    /// proportion to 1/n. The sequence is the same in every turn.
    pub(super) fn zipf(of: &'static str, path: &str, ids: &[String]) -> Self {
        let mut sums = Vec::with_capacity(ids.len());
        let mut sum = 0.0;
        for rank in 1..=u32::try_from(ids.len()).unwrap_or(u32::MAX) {
            sum += 1.0 / f64::from(rank);
            sums.push(sum);
        }
        let mut list = String::new();
        let mut state = 1_u64;
        for _ in 0..SEQUENCE {
            // A generator of Marsaglia's: its quality does not matter, that it repeats does.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            #[expect(clippy::cast_precision_loss, reason = "a share between 0 and 1")]
            let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
            let nth = sums.partition_point(|so_far| *so_far < share * sum);
            // Writing to a string does not fail.
            let _ = write!(list, "{},", ids[nth.min(ids.len() - 1)]);
        }
        let script = format!(
            "local requests, at = {{}}, 0\n\
             init = function()\n\
               for id in string.gmatch(\"{list}\", \"%d+\") do\n\
                 requests[#requests + 1] = wrk.format(\"GET\", BASE .. \"{path}\" .. id)\n\
               end\n\
             end\n\
             request = function()\n\
               at = at % #requests + 1\n\
               return requests[at]\n\
             end\n"
        );
        Self {
            of,
            path: String::new(),
            script: Some(script),
        }
    }

    /// Asks a server for some seconds.
    pub(super) async fn run(
        &self,
        base: &str,
        core: u32,
        connections: u32,
        seconds: u32,
    ) -> Result<Turn, Failure> {
        let mut command = Command::new("taskset");
        command
            .args(["-c", &core.to_string(), "wrk", "-t1", "--latency"])
            .args([&format!("-c{connections}"), &format!("-d{seconds}s")]);
        let script = tempfile::NamedTempFile::new().map_err(|error| Failure::from(&error))?;
        if let Some(text) = &self.script {
            // wrk takes host and port of its URL, and paths from the script.
            let prefix = url::Url::parse(base).map_or_else(
                |_| String::new(),
                |url| url.path().trim_end_matches('/').to_owned(),
            );
            let text = format!("local BASE = \"{prefix}\"\n{text}");
            std::fs::write(script.path(), text).map_err(|error| Failure::from(&error))?;
            command.arg("-s").arg(script.path());
        }
        let output = command
            .arg(format!("{base}{}", self.path))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| Failure::from(&error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        read(&said).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            Failure::new(format!("wrk did not measure anything: {said}{errors}"))
        })
    }
}

/// What `wrk --latency` prints; `None` if something failed, or was not answered with 200.
fn read(said: &str) -> Option<Turn> {
    let after = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.map(str::trim)
    };
    if after("Non-2xx").is_some() || after("Socket errors").is_some() {
        return None;
    }
    Some(Turn {
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   675.11us   97.00us   4.70ms   93.07%\n    \
        Req/Sec    94.96k     3.07k   99.86k    72.73%\n  Latency Distribution\n     50%  664.00us\n     \
        75%  698.00us\n     90%  741.00us\n     99%    1.02ms\n  103874 requests in 1.10s, 82.62MB read\n\
        Requests/sec:  94438.49\nTransfer/sec:     75.11MB\n";

    #[test]
    fn what_wrk_prints_is_read() {
        let turn = read(SAID).unwrap();
        assert_eq!(
            turn,
            Turn {
                requests_per_second: 94_438.49,
                p50_ms: 0.664,
                p99_ms: 1.02
            }
        );
        let failed = format!("{SAID}  Non-2xx or 3xx responses: 7\n");
        assert_eq!(read(&failed), None);
        assert_eq!(read("unable to connect"), None);
    }
}

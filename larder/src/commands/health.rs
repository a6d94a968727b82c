//! `larder health URL`: whether a process answers, for containers without curl.

use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::cli::{Failure, Outcome};

/// A process that takes longer is not healthy.
const PATIENCE: Duration = Duration::from_secs(3);

/// More than a status line ever has.
const LONGEST_BYTES: u64 = 256;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// For example http://127.0.0.1:8080/readyz
    url: Url,
}

/// Succeeds if the answer's status is 2xx.
pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    match timeout(PATIENCE, status(&arguments.url)).await {
        Ok(Ok(200..=299)) => Ok(ExitCode::SUCCESS),
        Ok(Ok(status)) => Err(Failure::new(format!("answered {status}"))),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::new("no answer in 3 s")),
    }
}

/// The status of a plain GET. By hand, since an HTTP client would bring TLS and a
/// pool for one line of text.
async fn status(url: &Url) -> Result<u16, Failure> {
    let host = match (url.scheme(), url.host_str()) {
        ("http", Some(host)) => host,
        _ => {
            return Err(Failure::new(
                "the URL must start with http:// and name a host",
            ));
        }
    };
    let port = url.port().unwrap_or(80);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = TcpStream::connect((address, port))
        .await
        .map_err(|error| Failure::from(&error))?;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| Failure::from(&error))?;
    let mut answer = Vec::new();
    stream
        .take(LONGEST_BYTES)
        .read_to_end(&mut answer)
        .await
        .map_err(|error| Failure::from(&error))?;
    parse_status(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| Failure::new("the answer is not HTTP"))
}

/// Reads `HTTP/1.1 200 OK`.
fn parse_status(answer: &str) -> Option<u16> {
    let mut words = answer.split_ascii_whitespace();
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answering(answer: &'static str) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]);
            assert!(
                request.starts_with("GET /readyz?x=1 HTTP/1.1\r\n"),
                "{request}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        format!("http://{address}/readyz?x=1").parse().unwrap()
    }

    #[tokio::test]
    async fn only_a_2xx_is_healthy() {
        let well = answering("HTTP/1.1 200 OK\r\n\r\n").await;
        assert!(run(&Arguments { url: well }).await.is_ok());

        let ill = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert!(run(&Arguments { url: ill }).await.is_err());

        let other = answering("SSH-2.0-OpenSSH\r\n").await;
        assert!(run(&Arguments { url: other }).await.is_err());
    }
}

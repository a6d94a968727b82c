//! A client that calls a sandbox the way an application calls CoinMarketCap.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};
use sandbox::{Handle, Sandbox, SandboxConfig, Window, Windows};
use serde_json::Value;

/// A window that began in 2001 and ends in 2033, so that no test meets its end by chance.
pub(crate) const LONG_MS: u64 = 1_000_000_000_000;

/// A plan without limits that matter, and windows whose ends are far away.
pub(crate) fn quiet() -> SandboxConfig {
    SandboxConfig {
        requests_per_minute: 1_000_000,
        credits_per_month: 1_000_000,
        windows: Windows {
            minute: Window::EveryMs(LONG_MS),
            day: Window::EveryMs(LONG_MS),
            month: Window::EveryMs(LONG_MS),
        },
        price_step: Duration::from_millis(LONG_MS),
        ..SandboxConfig::default()
    }
}

pub(crate) struct Caller {
    pub(crate) sandbox: Sandbox,
    pub(crate) handle: Handle,
    pub(crate) client: reqwest::Client,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["data"].clone()
    }

    /// The provider's own code, whichever dialect it is written in.
    pub(crate) fn code(&self) -> u32 {
        match &self.json()["status"]["error_code"] {
            Value::String(text) => text.parse().unwrap(),
            code => u32::try_from(code.as_u64().unwrap()).unwrap(),
        }
    }

    pub(crate) fn credits(&self) -> u64 {
        self.json()["status"]["credit_count"].as_u64().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

impl Caller {
    pub(crate) async fn start(config: SandboxConfig) -> Self {
        // Fails only if another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start("127.0.0.1:0", config).await.unwrap();
        let client = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        Self {
            handle: sandbox.handle(),
            sandbox,
            client,
        }
    }

    pub(crate) async fn quiet() -> Self {
        Self::start(quiet()).await
    }

    /// Sends a GET with the default key.
    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        self.get_with(path, &[("X-CMC_PRO_API_KEY", "sandbox-key")])
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap()
    }

    pub(crate) async fn get_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Answer> {
        let mut request = self
            .client
            .get(format!("{}{path}", self.sandbox.url()))
            .header("Accept", "application/json");
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request = request.header(name, *value);
        }
        let response = request.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await?,
        })
    }
}

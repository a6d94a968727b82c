//! A configuration that makes no sense is refused, all problems at once.

use shared::config::provider::{PRESETS, ProviderConfig};
use shared::provider::{Provider, ProviderProblem};

use crate::recordings::coinmarketcap;

fn problems(text: &str) -> Vec<ProviderProblem> {
    let config: ProviderConfig = toml::from_str(text).unwrap();
    Provider::compile(&"x".parse().unwrap(), &config)
        .err()
        .unwrap_or_default()
}

#[test]
fn every_preset_compiles_and_survives_being_written_out() {
    for (name, text) in PRESETS {
        let config: ProviderConfig = toml::from_str(text).unwrap();
        assert!(Provider::compile(&name.parse().unwrap(), &config).is_ok());
        let written = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ProviderConfig>(&written).unwrap(), config);
    }
}

#[test]
fn each_rule_names_its_key() {
    let good = "base_url = \"https://api.example.com\"\n";
    for (text, key) in [
        ("base_url = \"api.example.com\"", "base_url"),
        ("base_url = \"http://api.example.com\"", "base_url"),
        ("base_url = \"https://u:p@api.example.com\"", "base_url"),
        ("base_url = \"https://api.example.com/?key=1\"", "base_url"),
        ("key_env = \"KEY\"", "auth"),
        ("auth = { bearer = true }", "auth"),
        (
            "key_env = \"KEY\"\nauth = { bearer = true, query = \"k\" }",
            "auth",
        ),
        (
            "key_env = \"b54bcf4d-1bca\"\nauth = { bearer = true }",
            "key_env",
        ),
        ("headers = { \"a b\" = \"c\" }", "headers"),
        ("headers = { a = \"c\\nd\" }", "headers.a"),
        ("envelope = { data = \"\" }", "envelope.data"),
        ("envelope = { data = \"data\" }", "envelope.data"),
        ("cost = { pointer = \"x\" }", "cost.pointer"),
        (
            "[limits.m]\nunit = \"credits\"\ncap = 1\nwindow = {}",
            "limits.m.window",
        ),
        (
            "[limits.m]\nunit = \"credits\"\ncap = 1\nwindow = { rolling = \"60s\", calendar = \"day\" }",
            "limits.m.window",
        ),
        (
            "[limits.m]\nunit = \"credits\"\ncap = 1\nwindow = { concurrency = true }",
            "limits.m.window",
        ),
        (
            "[limits.m]\nunit = \"requests\"\ncap = 1\nwindow = { rolling = \"0s\" }",
            "limits.m.window.rolling",
        ),
        (
            "[limits.m]\nunit = \"requests\"\ncap = 1\nwindow = { rolling = \"60s\", day = 2 }",
            "limits.m.window",
        ),
        (
            "[limits.m]\nunit = \"requests\"\ncap = 1\nwindow = { calendar = \"day\", zone = \"Mars\" }",
            "limits.m.window.zone",
        ),
        (
            "[limits.m]\nunit = \"requests\"\ncap = 1\nwindow = { calendar = \"month\", day = 32 }",
            "limits.m.window.day",
        ),
        (
            "[limits.m]\nunit = \"requests\"\ncap = 1\nwindow = { calendar = \"day\", at = \"24:00\" }",
            "limits.m.window.at",
        ),
        (
            "[limits.m]\nunit = \"requests\"\ncap = 1\nwindow = { calendar = \"hour\", at = \"00:30\" }",
            "limits.m.window.at",
        ),
        ("[usage]\nendpoint = \"none\"", "usage.endpoint"),
        (
            "[[rules]]\nwhen = {}\nthen = { outcome = \"ok\" }",
            "rules.0.when",
        ),
        (
            "[[rules]]\nwhen = { status = 1000 }\nthen = { outcome = \"ok\" }",
            "rules.0.when.status",
        ),
        (
            "[[rules]]\nwhen = { status = \"9xx\" }\nthen = { outcome = \"ok\" }",
            "rules.0.when.status",
        ),
        (
            "[[rules]]\nwhen = { status = 200, is = 1 }\nthen = { outcome = \"ok\" }",
            "rules.0.when",
        ),
        (
            "[[rules]]\nwhen = { pointer = \"x\" }\nthen = { outcome = \"ok\" }",
            "rules.0.when.pointer",
        ),
        (
            "[[rules]]\nwhen = { pointer = \"/x\", header = \"x\" }\nthen = { outcome = \"ok\" }",
            "rules.0.when",
        ),
        ("[endpoints.A]\npath = \"/a\"", "endpoints.A"),
        ("[endpoints.a]\npath = \"a\"", "endpoints.a.path"),
        ("[endpoints.a]\npath = \"/a/../b\"", "endpoints.a.path"),
        ("[endpoints.a]\npath = \"/a?b\"", "endpoints.a.path"),
        ("[endpoints.a]\npath = \"/{b}\"", "endpoints.a.path"),
        (
            "[endpoints.a]\npath = \"/{b}\"\nparameters.b = {}",
            "endpoints.a.parameters.b",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\n[endpoints.b]\npath = \"/a\"",
            "endpoints.b.path",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = { type = \"integer\", default = \"x\" }",
            "endpoints.a.parameters.n",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = { values = [\"a\"], default = \"b\" }",
            "endpoints.a.parameters.n",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.\"n=\" = {}",
            "endpoints.a.parameters.n=",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = { required = true, default = \"b\" }",
            "endpoints.a.parameters.n.required",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\none_of = [\"n\"]",
            "endpoints.a.one_of",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nat_most_one = [[\"n\"]]",
            "endpoints.a.at_most_one",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nupdated = \"x\"",
            "endpoints.a.updated",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\ncost = { per_items = 5 }",
            "endpoints.a.cost.per_items",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\ncost = { per = 5 }",
            "endpoints.a.cost",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\ncost = { per = 0, of = \"n\" }\nparameters.n = { type = \"integer\", default = 1 }",
            "endpoints.a.cost",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\ncost = { per = 5, of = \"n\" }\nparameters.n = { type = \"integer\" }",
            "endpoints.a.cost.of",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\ncost = { extra = [\"n\"] }\nparameters.n = {}",
            "endpoints.a.cost.extra",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nbatch = { max = 0, parameters = {} }",
            "endpoints.a.batch",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = {}\nbatch = { max = 1, parameters.n = { split = \"map_by\" } }",
            "endpoints.a.batch.parameters.n",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = { list = true }\nbatch = { max = 1, parameters.n = { split = \"list_by\" } }",
            "endpoints.a.batch.parameters.n.by",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = { list = true }\nbatch = { max = 1, parameters.n = { split = \"map_by\", key = \"/k\" } }",
            "endpoints.a.batch.parameters.n.key",
        ),
        (
            "[endpoints.a]\npath = \"/a\"\nparameters.n = { list = true }\nbatch = { max = 1, parameters.n = { split = \"map_by\", many = true } }",
            "endpoints.a.batch.parameters.n.many",
        ),
        (
            "auth = { reader_query = [\"n\"] }\n[endpoints.a]\npath = \"/a\"\nparameters.n = {}",
            "endpoints.a.parameters.n",
        ),
    ] {
        let text = if text.starts_with("base_url") {
            text.to_owned()
        } else {
            format!("{good}{text}")
        };
        let found = problems(&text);
        let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
        assert!(keys.contains(&key), "{text}\n{keys:?}");
        assert!(
            found
                .iter()
                .all(|problem| !problem.rule.is_empty() && !problem.reason.is_empty())
        );
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let found =
        problems("base_url = \"x\"\nenvelope = { data = \"data\" }\n[endpoints.a]\npath = \"a\"");
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn a_key_written_where_its_variable_belongs_is_not_repeated() {
    let found = problems("base_url = \"https://me:hunter2@x\"\nkey_env = \"b54bcf4d-secret\"");
    let shown: String = found.iter().map(ToString::to_string).collect();
    assert!(
        !shown.contains("b54bcf4d") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for host in ["127.0.0.1:8082", "localhost", "[::1]:1"] {
        assert_eq!(problems(&format!("base_url = \"http://{host}\"")), []);
    }
    for host in ["localhost.example.com", "10.0.0.1", "127.0.0.1.example.com"] {
        assert_eq!(
            problems(&format!("base_url = \"http://{host}\"")).len(),
            1,
            "{host}"
        );
    }
}

#[test]
fn unknown_keys_are_refused() {
    for text in [
        "bas_url = \"x\"",
        "[endpoints.a]\nprice = 1",
        "[limits.a]\nunit = \"credits\"\ncap = 1\nwindow = { weekly = true }",
    ] {
        let error = toml::from_str::<ProviderConfig>(text).unwrap_err();
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
}

#[test]
fn the_engine_keeps_its_configuration() {
    let provider = coinmarketcap();
    assert_eq!(provider.name().as_str(), "coinmarketcap");
    assert_eq!(provider.config().key_env.as_deref(), Some("CMC_API_KEY"));
}

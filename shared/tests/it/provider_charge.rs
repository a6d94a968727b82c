//! What a call cost is what its reply says, if that can be true.

use shared::provider::Charge;

use crate::recordings::{coinmarketcap, provider, understand};

const BY_ID: &str = "quotes_latest?id=*";
const RULE: Charge = Charge::ByRule { anomaly: true };

#[test]
fn a_cost_that_cannot_be_true_is_settled_by_the_rule() {
    let with = |cost: &str| {
        let body = format!(r#"{{"data":[{{"id":1}}],"status":{{"error_code":0{cost}}}}}"#);
        understand(&coinmarketcap(), BY_ID, &["1"], 200, &body).charged
    };
    for (cost, charged) in [
        (r#","credit_count":0"#, Charge::Reported(0)),
        (r#","credit_count":7"#, Charge::Reported(7)),
        (r#","credit_count":100"#, Charge::Reported(100)),
        (r#","credit_count":101"#, RULE),
        (r#","credit_count":-1"#, RULE),
        (r#","credit_count":1.5"#, RULE),
        (r#","credit_count":1e2"#, RULE),
        (r#","credit_count":"1""#, RULE),
        (r#","credit_count":null"#, RULE),
        (r#","credit_count":[1]"#, RULE),
        (r#","credit_count":99999999999999999999"#, RULE),
        (r#","credit_count":1,"credit_count":2"#, RULE),
        ("", RULE),
    ] {
        assert_eq!(with(cost), charged, "{cost}");
    }
    let html = understand(&coinmarketcap(), BY_ID, &["1"], 502, "<html>");
    assert_eq!(html.charged, Charge::Free);
    let html = understand(&coinmarketcap(), BY_ID, &["1"], 200, "<html>");
    assert_eq!(html.charged, RULE, "a 200 may have been charged");
    assert!(html.may_have_been_charged());
}

#[test]
fn a_provider_that_reports_no_cost_is_charged_by_its_rule() {
    let silent = provider(
        "x",
        "base_url = \"https://api.example.com\"\n[endpoints.a]\npath = \"/a\"",
    );
    for (status, body) in [(200, "[1]"), (200, "<html>"), (500, ""), (429, "{}")] {
        let reading = understand(&silent, "a", &[], status, body);
        assert_eq!(
            reading.charged,
            Charge::ByRule { anomaly: false },
            "{status}"
        );
    }
}

#[test]
fn a_cost_may_stand_in_a_header() {
    let provider = provider(
        "x",
        "base_url = \"https://api.example.com\"\n\
         cost = { header = \"X-Cost\", charged = [\"ok\"] }\n\
         [endpoints.a]\npath = \"/a\"\ncost = { credits = 5 }",
    );
    let key = shared::model::BatchKey("a".to_owned());
    for (value, charged) in [("3", Charge::Reported(3)), ("three", RULE)] {
        let headers = [("x-cost".to_owned(), value.to_owned())];
        let reply = shared::provider::RawReply {
            status: 200,
            headers: &headers,
            body: b"[1]",
        };
        assert_eq!(provider.understand(&key, &[], &reply).charged, charged);
    }
}

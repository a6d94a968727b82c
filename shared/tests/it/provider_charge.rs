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
        (r#","credit_count":1000000000"#, RULE),
        (r#","credit_count":"many""#, RULE),
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

#[test]
fn each_policy_of_what_is_charged_can_be_said() {
    let charges = |cost: &str| {
        let provider = provider(
            "x",
            &format!("base_url = \"https://api.example.com\"\n{cost}[endpoints.a]\npath = \"/a\""),
        );
        [(200, "[1]"), (304, ""), (404, "{}"), (429, "{}"), (500, "")]
            .map(|(status, body)| understand(&provider, "a", &[], status, body).charged)
    };
    const PAID: Charge = Charge::ByRule { anomaly: false };
    const FREE: Charge = Charge::Free;
    assert_eq!(charges(""), [PAID; 5], "every answer counts");
    assert_eq!(
        charges("cost = { charged = [\"ok\"] }\n"),
        [PAID, FREE, FREE, FREE, FREE],
        "only data counts"
    );
    assert_eq!(
        charges("cost = { free = [\"not_modified\"] }\n"),
        [PAID, FREE, PAID, PAID, PAID],
        "all but what is unchanged counts"
    );
}

#[test]
fn what_is_reported_goes_before_what_outcomes_are_charged() {
    let free = provider(
        "x",
        "base_url = \"https://api.example.com\"\n\
         cost = { pointer = \"/cost\", free = [\"throttled\"] }\n\
         [endpoints.a]\npath = \"/a\"",
    );
    for (status, body, charged) in [
        (200, r#"{"cost":3}"#, Charge::Reported(3)),
        (200, r#"{"cost":0}"#, Charge::Reported(0)),
        (429, r#"{"cost":2}"#, Charge::Reported(2)),
        (429, "{}", Charge::Free),
        (200, "{}", RULE),
    ] {
        let reading = understand(&free, "a", &[], status, body);
        assert_eq!(reading.charged, charged, "{status} {body}");
    }
}

#[test]
fn a_price_may_be_the_value_of_a_parameter() {
    let provider = provider(
        "x",
        "base_url = \"https://api.example.com\"\n\
         [endpoints.a]\npath = \"/a\"\ncost = { per = 1, of = \"credits\" }\n\
         parameters.credits = { type = \"integer\", default = 7 }\n\
         [endpoints.b]\npath = \"/b\"\ncost = { credits = 2, per = 200, of = \"limit\", extra = [\"convert\"] }\n\
         parameters.limit = { type = \"integer\", default = 100 }\n\
         parameters.convert = { list = true }",
    );
    for (key, credits) in [
        ("a", 7),
        ("a?credits=3", 3),
        ("a?credits=99999999999", u32::MAX),
        ("b", 3),
        ("b?limit=201", 4),
        ("b?convert=EUR,GBP,USD&limit=200", 5),
    ] {
        let key = shared::model::BatchKey(key.to_owned());
        assert_eq!(provider.worst_case(&key, 0), Ok(credits), "{key:?}");
    }
}

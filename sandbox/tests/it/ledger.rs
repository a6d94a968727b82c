//! The ledger counts every arrival once, however many come at the same time.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{SandboxConfig, Trouble, TroubleKind};

use crate::caller::{Caller, quiet};

const QUOTE: &str = "/v3/cryptocurrency/quotes/latest?id=1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_clients_at_once_are_counted_exactly() {
    const CLIENTS: usize = 50;
    const CALLS: usize = 20;
    let config = SandboxConfig {
        requests_per_minute: 800,
        credits_per_month: 1_000,
        ..quiet()
    };
    let caller = Arc::new(Caller::start(config).await);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let caller = Arc::clone(&caller);
        clients.spawn(async move {
            let (mut answered, mut refused, mut credits) = (0, 0, 0);
            for call in 0..CALLS {
                let convert = if (client + call) % 2 == 0 {
                    "USD"
                } else {
                    "USD,EUR"
                };
                let answer = caller.get(&format!("{QUOTE}&convert={convert}")).await;
                match answer.status {
                    200 => answered += 1,
                    429 => refused += 1,
                    other => panic!("{other}: {}", answer.text),
                }
                credits += answer.credits();
            }
            (answered, refused, credits)
        });
    }
    let sums = clients.join_all().await.into_iter();
    let (answered, refused, credits) =
        sums.fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));

    let report = caller.handle.ledger(0);
    assert_eq!(report.total.requests, (CLIENTS * CALLS) as u64);
    assert_eq!(report.total.credits, credits);
    assert!(credits <= 1_000);
    assert_eq!(report.refused.values().sum::<u64>(), refused);
    assert_eq!(answered + refused, (CLIENTS * CALLS) as u64);
    // Whatever the order, no more than the minute's cap can have been answered,
    // and the month was used up to within the dearest call.
    assert!(answered <= 800);
    assert!(
        answered == 800 || credits >= 999,
        "{answered} answered, {credits} credits"
    );
    let endpoint = report.endpoints["/v3/cryptocurrency/quotes/latest"];
    assert_eq!(
        (endpoint.requests, endpoint.credits, endpoint.errors),
        (1_000, credits, refused)
    );
    let peak = caller.handle.peak(Duration::from_secs(3_600));
    assert_eq!(
        (peak.requests, peak.credits, peak.complete),
        (1_000, credits, true)
    );
}

#[tokio::test]
async fn an_arrival_is_written_down_with_what_was_asked() {
    let caller = Caller::quiet().await;
    caller
        .get("/v3/cryptocurrency/quotes/latest?id=1,1027")
        .await;
    caller.get("/v3/cryptocurrency/quotes/latest?id=1,x").await;
    let arrivals = caller.handle.arrivals();
    assert_eq!(arrivals[0].asked, ["1", "1027"]);
    assert_eq!(
        (arrivals[0].number, arrivals[0].status, arrivals[0].credits),
        (1, 200, 1)
    );
    assert_eq!(
        (
            arrivals[1].number,
            arrivals[1].status,
            arrivals[1].error_code
        ),
        (2, 400, 400)
    );
    assert!(arrivals[0].elapsed_micros < arrivals[1].elapsed_micros);
    caller.handle.reset();
    assert_eq!(caller.handle.total(), sandbox::Tally::default());
}

#[tokio::test]
async fn a_request_on_its_way_arrives_though_its_sender_gave_up() {
    let caller = Caller::quiet().await;
    caller
        .handle
        .script(Trouble::next(1, TroubleKind::Transit { ms: 300 }));
    let mut socket = tokio::net::TcpStream::connect(caller.sandbox.addr())
        .await
        .unwrap();
    let request =
        format!("GET {QUOTE} HTTP/1.1\r\nHost: x\r\nX-CMC_PRO_API_KEY: sandbox-key\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut socket, request.as_bytes())
        .await
        .unwrap();
    while !caller.handle.troubles().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(socket);
    assert_eq!(caller.handle.total().requests, 0);
    let arrival = caller.handle.arrived(1);
    let arrived = tokio::time::timeout(Duration::from_secs(30), arrival).await;
    assert!(arrived.is_ok(), "it never arrived");
    assert_eq!(caller.handle.total().credits, 1);
}

#[tokio::test]
async fn stopping_ends_a_call_that_would_take_for_ever() {
    let caller = Caller::quiet().await;
    let body = TroubleKind::SlowBody {
        chunk: 1,
        pause_ms: 60_000,
    };
    caller.handle.script(Trouble::always(body));
    let url = format!("{}{QUOTE}", caller.sandbox.url());
    let request = caller
        .client
        .get(url)
        .header("X-CMC_PRO_API_KEY", "sandbox-key");
    let response = request.send().await.unwrap();
    caller.sandbox.stop().await;
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn an_arrival_knows_how_many_calls_were_in_flight() {
    let caller = Caller::quiet().await;
    let slow = TroubleKind::Latency { ms: 60_000 };
    caller.handle.script(Trouble::next(2, slow));
    let waiting = tokio::time::timeout(Duration::from_secs(30), async {
        tokio::select! {
            _ = two_calls(&caller) => panic!("both answers come much later"),
            () = caller.handle.arrived(2) => {}
        }
    });
    assert!(waiting.await.is_ok(), "they never arrived");
    // Their callers have gone: the sandbox notices when it looks at their connections.
    let mut number = 2;
    loop {
        caller.get(QUOTE).await;
        number += 1;
        let arrivals = caller.handle.arrivals();
        if arrivals[number - 1].in_flight == 1 {
            break;
        }
        assert!(number < 10_000, "a caller that has gone stays in flight");
    }
    let arrivals = caller.handle.arrivals();
    let mut two: Vec<u64> = arrivals[..2].iter().map(|one| one.in_flight).collect();
    two.sort_unstable();
    assert_eq!(two, [1, 2]);
}

/// Two calls at once.
async fn two_calls(caller: &Caller) {
    let _ = tokio::join!(caller.try_get(QUOTE), caller.try_get(QUOTE));
}

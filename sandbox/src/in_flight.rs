//! How many calls are being answered at the moment.
//!
//! A call is in flight from its arrival until its answer is handed to the connection, or
//! its caller has closed that. Judges limits on calls in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The calls that are in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    calls: Mutex<u64>,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    OnItsWay,
    Here,
    Gone,
}

#[derive(Debug)]
struct Shared {
    in_flight: Arc<InFlight>,
    place: Mutex<Place>,
}

/// The connection's side of a call: when it is dropped, the call is over.
#[derive(Debug)]
pub(crate) struct Presence(Arc<Shared>);

/// The call's own side, which may outlive its caller.
#[derive(Debug)]
pub(crate) struct Visit(Arc<Shared>);

impl Presence {
    /// A call that has not arrived yet.
    pub(crate) fn new(in_flight: &Arc<InFlight>) -> Self {
        Self(Arc::new(Shared {
            in_flight: Arc::clone(in_flight),
            place: Mutex::new(Place::OnItsWay),
        }))
    }

    pub(crate) fn visit(&self) -> Visit {
        Visit(Arc::clone(&self.0))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut place = lock(&self.0.place);
        if *place == Place::Here {
            *lock(&self.0.in_flight.calls) -= 1;
        }
        *place = Place::Gone;
    }
}

impl Visit {
    /// Says that the call arrives now; answers how many are in flight, itself included.
    pub(crate) fn arrive(&self) -> u64 {
        let mut place = lock(&self.0.place);
        let mut calls = lock(&self.0.in_flight.calls);
        if *place == Place::Gone {
            // Nobody waits for its answer: it is here for this instant only.
            return *calls + 1;
        }
        *place = Place::Here;
        *calls += 1;
        *calls
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole after every statement, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_from_its_arrival_until_its_connection_lets_go() {
        let in_flight = Arc::default();
        let (first, second) = (Presence::new(&in_flight), Presence::new(&in_flight));
        assert_eq!(first.visit().arrive(), 1);
        assert_eq!(second.visit().arrive(), 2);
        drop(first);
        assert_eq!(Presence::new(&in_flight).visit().arrive(), 2);
    }

    #[test]
    fn a_call_that_arrives_after_its_caller_has_gone_does_not_stay() {
        let in_flight = Arc::default();
        let caller = Presence::new(&in_flight);
        let visit = caller.visit();
        drop(caller);
        assert_eq!(visit.arrive(), 1);
        assert_eq!(*lock(&in_flight.calls), 0);
    }
}

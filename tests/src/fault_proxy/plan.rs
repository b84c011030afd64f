//! Which request goes wrong in which way: a choice that a seed makes again.

use super::Fault;
use fastrand::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is going to happen, and what has happened.
#[derive(Debug)]
pub(super) struct Plan(Mutex<State>);

/// Whether a request, of which this is the first line, is meant.
pub(super) type Fits = fn(&str) -> bool;

#[derive(Debug)]
struct State {
    random: Rng,
    per_thousand: u32,
    only: Option<Fault>,
    /// What happens to the next requests that fit, whatever the rate.
    next: VecDeque<(Fits, Fault)>,
    requests: u64,
    faults: BTreeMap<Fault, u64>,
}

impl Plan {
    /// A plan in which nothing goes wrong yet.
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(State {
            random: Rng::with_seed(seed),
            per_thousand: 0,
            only: None,
            next: VecDeque::new(),
            requests: 0,
            faults: BTreeMap::new(),
        }))
    }

    pub(super) fn set_rate(&self, per_thousand: u32) {
        self.state().per_thousand = per_thousand;
    }

    pub(super) fn set_only(&self, fault: Option<Fault>) {
        self.state().only = fault;
    }

    pub(super) fn fail_next(&self, fault: Fault, fits: Fits) {
        self.state().next.push_back((fits, fault));
    }

    pub(super) fn forget_next(&self) {
        self.state().next.clear();
    }

    pub(super) fn requests(&self) -> u64 {
        self.state().requests
    }

    pub(super) fn faults(&self) -> BTreeMap<Fault, u64> {
        self.state().faults.clone()
    }

    /// What happens to a request. Only one whose failure may be told late fails in its success.
    pub(super) fn choose(&self, first_line: &str, may_fail_late: bool) -> Option<Fault> {
        let state = &mut *self.state();
        state.requests += 1;
        let fault = match state.next.iter().position(|(fits, _)| fits(first_line)) {
            Some(index) => state.next.remove(index)?.1,
            None if state.random.u32(..1000) >= state.per_thousand => return None,
            None => state.only.unwrap_or_else(|| any(&mut state.random)),
        };
        let fault = match fault {
            Fault::ErrorInSuccess if !may_fail_late => Fault::InternalError,
            fault => fault,
        };
        *state.faults.entry(fault).or_default() += 1;
        Some(fault)
    }

    /// Some time for an answer that comes late, in milliseconds.
    pub(super) fn delay(&self) -> u64 {
        self.state().random.u64(50..1000)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn any(random: &mut Rng) -> Fault {
    let all: u32 = Fault::ALL.iter().map(|(_, weight)| weight).sum();
    let mut left = random.u32(..all);
    for (fault, weight) in Fault::ALL {
        if left < weight {
            return fault;
        }
        left -= weight;
    }
    Fault::ResetBefore
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_choices_again() {
        let choices = |seed| {
            let plan = Plan::new(seed);
            plan.set_rate(500);
            (0..200).map(|_| plan.choose("GET /", true)).collect::<Vec<_>>()
        };
        assert_eq!(choices(1), choices(1));
        assert_ne!(choices(1), choices(2));
    }

    #[test]
    fn every_way_of_going_wrong_is_chosen_and_counted() {
        let plan = Plan::new(1);
        plan.set_rate(1000);
        for _ in 0..2000 {
            plan.choose("GET /", true);
        }
        assert_eq!(plan.faults().len(), Fault::ALL.len());
        assert_eq!(plan.faults().values().sum::<u64>(), 2000);
    }

    #[test]
    fn the_next_request_that_fits_goes_wrong_once() {
        let plan = Plan::new(1);
        plan.fail_next(Fault::LostAnswer, |line| line.starts_with("PUT "));
        assert_eq!(plan.choose("GET /", false), None);
        assert_eq!(plan.choose("PUT /", false), Some(Fault::LostAnswer));
        assert_eq!(plan.choose("PUT /", false), None);
    }
}

//! Who may come in, and which policies hold where the client does not say: what the operator decides.

use broker_core::outbox::SlowNews;
use broker_core::reason::{CloseReason, ErrorCode};
use broker_core::wire::native::Welcome;

use super::{Oracle, Promise, Rule};
use crate::sim::effect::{Answer, ChosenBy};

impl Oracle {
    /// A session that did not say who it is, or the wrong thing, has ended for that, or before it came so far.
    pub(in crate::sim) fn check_barred(&mut self, session: usize, reason: Option<CloseReason>) {
        let was_handled = self.ledgers.get(session).is_some_and(|ledger| ledger.barred);
        match reason {
            Some(CloseReason::Unauthorized | CloseReason::Protocol(ErrorCode::Unauthorized, _)) => {
                self.checks.made(Promise::Login, None);
                self.checks.saw("a client that may not come in was sent away");
            }
            Some(CloseReason::Transport(_) | CloseReason::CutOff { .. } | CloseReason::AuthTimeout)
                if !was_handled => {}
            Some(CloseReason::Transport(_)) => {}
            reason => {
                let text = format!("session {session} may not come in, and ended by {reason:?}");
                self.fail(Promise::Login, text);
            }
        }
    }

    /// A session that has handled so many commands; `is_late`: its time to say who it is has run out.
    pub(in crate::sim) fn check_login(
        &mut self,
        session: usize,
        commands: u64,
        is_late: bool,
        reason: Option<&CloseReason>,
    ) {
        match reason {
            Some(CloseReason::AuthTimeout) if commands > 0 || !is_late => {
                let text = format!("session {session} was sent away as if it had not said who it is");
                self.fail(Promise::Login, text);
            }
            Some(CloseReason::AuthTimeout) => {
                self.checks.made(Promise::Login, None);
                self.checks.saw("a client that did not say who it is was sent away");
            }
            None if commands == 0 && is_late => {
                self.fail(Promise::Login, format!("session {session} never said who it is, and goes on"));
            }
            _ => {}
        }
    }

    /// `Welcome` arrived.
    pub(in crate::sim) fn welcomed(&mut self, session: usize, welcome: &Welcome) {
        self.answered(session, &Answer::Welcome);
        let Some(operator) = &self.operator else { return };
        let (wanted, is_gated) = (operator.default_policy(true), operator.auth_timeout_ms.is_some());
        if welcome.policy != wanted.name() {
            let text =
                format!("session {session} is told of the policy {}, not {}", welcome.policy, wanted.name());
            return self.fail(Promise::Policy, text);
        }
        if self.ledgers.get(session).is_none_or(|ledger| ledger.barred) {
            return self.fail(Promise::Login, format!("session {session} is welcome, and should not be"));
        }
        if is_gated {
            self.checks.made(Promise::Login, None);
            self.checks.saw("a client that said who it is came in");
        }
    }

    /// A client of NATS had an answer, which nobody has who may not come in.
    pub(in crate::sim) fn came_in(&mut self, session: usize) {
        let is_gated = self.operator.as_ref().is_some_and(|operator| operator.auth_timeout_ms.is_some());
        if self.ledgers.get(session).is_none_or(|ledger| ledger.barred) {
            return self.fail(Promise::Login, format!("session {session} was answered, and should not be"));
        }
        if is_gated {
            self.checks.made(Promise::Login, None);
            self.checks.saw("a client of NATS that said who it is came in");
        }
    }

    /// A session became slow or caught up: under a policy that its subscription to this pattern has, or had.
    pub(in crate::sim) fn check_slow(&mut self, session: usize, news: &SlowNews) {
        let Some(ledger) = self.ledgers.get(session) else { return };
        let known = ledger.policies.get(news.pattern.as_str());
        let wanted: Vec<(Rule, ChosenBy)> = known.into_iter().flatten().copied().collect();
        let found: Vec<ChosenBy> = wanted
            .iter()
            .filter(|(rule, _)| rule.policy() == Some(news.policy))
            .map(|(_, chosen_by)| *chosen_by)
            .collect();
        if found.is_empty() {
            let text = format!("session {session}: {news:?}, and the policy should be one of {wanted:?}");
            return self.fail(Promise::Policy, text);
        }
        self.checks.made(Promise::Policy, None);
        if wanted.len() == 1 {
            self.checks.saw(match found.first() {
                Some(ChosenBy::Rule) => "a policy by rule was at work",
                Some(ChosenBy::Listener) => "the policy of a listener was at work",
                _ => "a policy that the client chose was at work",
            });
        }
    }

    /// Why a session has ended, where it was too slow: it has a subscription that wants that.
    pub(in crate::sim) fn check_disconnect(&mut self, session: usize, reason: Option<&CloseReason>) {
        let wants = self.ledgers.get(session).is_some_and(|ledger| ledger.rules.contains(&Rule::Disconnect));
        if reason == Some(&CloseReason::SlowConsumer) {
            self.checks.saw("a session was too slow");
            if !wants {
                let text = format!("session {session} was ended as too slow, and never asked for that");
                self.fail(Promise::Policy, text);
            }
        }
    }
}

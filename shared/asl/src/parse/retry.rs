//! `Retry` and `Catch`.

use model::json::{Spanned, Text};

use super::Context;
use super::at::At;
use super::expression::Sees;
use super::object::{Kind, Object, text_of};
use super::state::StateContext;
use crate::machine::QueryLanguage;
use crate::state::{Catcher, Jitter, Retrier};

const SECONDS_MAX: i64 = 99_999_999;
const MAX_DELAY_SECONDS_MAX: i64 = 31_622_400;

const RETRIER: &[&str] = &[
    "Comment",
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
];

impl Context<'_> {
    /// `Retry`.
    pub(super) fn retry(&mut self, state: &Object<'_, '_>) -> Vec<Retrier> {
        let Some(node) = state.get("Retry") else { return Vec::new() };
        let at = state.at.member("Retry");
        let Some(items) = self.array(node, &at) else { return Vec::new() };
        let retriers = items.iter().enumerate().filter_map(|(index, item)| {
            let mut object = self.object(item, at.element(index))?;
            self.only(&mut object, RETRIER);
            self.retrier(&object, index + 1 == items.len())
        });
        retriers.collect()
    }

    fn retrier(&mut self, object: &Object<'_, '_>, last: bool) -> Option<Retrier> {
        self.comment(object);
        self.required(object, &["ErrorEquals"]);
        let error_equals = self.error_equals(object, last);
        // The specification asks for a positive interval; the service accepts 0.
        let interval_seconds = self.integer(object, "IntervalSeconds", 0..=SECONDS_MAX).unwrap_or(1);
        let max_attempts = self.integer(object, "MaxAttempts", 0..=SECONDS_MAX).unwrap_or(3);
        let backoff_rate = object
            .get("BackoffRate")
            .and_then(|node| self.float_of(node, &object.at.member("BackoffRate"), 1.0..=f64::MAX));
        let max_delay_seconds = self.integer(object, "MaxDelaySeconds", 1..=MAX_DELAY_SECONDS_MAX);
        let jitter = match self.one_of(object, "JitterStrategy", &["NONE", "FULL"]).as_deref() {
            Some("FULL") => Jitter::Full,
            _ => Jitter::None,
        };
        Some(Retrier {
            error_equals: error_equals?,
            interval_seconds,
            max_attempts: u32::try_from(max_attempts).ok()?,
            backoff_rate: backoff_rate.unwrap_or(2.0),
            max_delay_seconds,
            jitter,
        })
    }

    /// `Catch`.
    pub(super) fn catch(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Vec<Catcher> {
        let Some(node) = object.get("Catch") else { return Vec::new() };
        let at = object.at.member("Catch");
        let Some(items) = self.array(node, &at) else { return Vec::new() };
        let catchers = items.iter().enumerate().filter_map(|(index, item)| {
            let mut catcher = self.object(item, at.element(index))?;
            self.catcher_fields(&mut catcher, state);
            self.catcher(&catcher, state, index + 1 == items.len())
        });
        catchers.collect()
    }

    fn catcher_fields(&mut self, catcher: &mut Object<'_, '_>, state: &StateContext<'_>) {
        self.only_of_language(
            catcher,
            state,
            &["Comment", "ErrorEquals", "Next", "Assign"],
            &["ResultPath"],
            &["Output"],
        );
    }

    fn catcher(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>, last: bool) -> Option<Catcher> {
        self.comment(object);
        self.required(object, &["ErrorEquals", "Next"]);
        let error_equals = self.error_equals(object, last);
        let result_path = self.placement(object, "ResultPath");
        let output = match state.language {
            QueryLanguage::Jsonata => self.template(object, state.language, "Output", Sees::ERROR_OUTPUT),
            QueryLanguage::JsonPath => None,
        };
        let assign = self.assign(object, state, state.language, Sees::ERROR_OUTPUT);
        let next = self.target(object, "Next", state);
        Some(Catcher { error_equals: error_equals?, result_path, output, assign, next: next? })
    }

    /// `ErrorEquals`: names, not empty; `States.ALL` alone and in the last element.
    fn error_equals(&mut self, object: &Object<'_, '_>, last: bool) -> Option<Vec<Text>> {
        let node = object.get("ErrorEquals")?;
        let at = object.at.member("ErrorEquals");
        let items = self.filled_array(node, &at)?;
        let names = self.texts(items, &at)?;
        if names.iter().any(|name| name == "States.ALL") && (names.len() > 1 || !last) {
            self.schema("States.ALL must appear alone and at end of list", &at, node.span);
            return None;
        }
        Some(names)
    }

    /// An array of strings.
    pub(super) fn texts(&mut self, items: &[Spanned], at: &At<'_>) -> Option<Vec<Text>> {
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match text_of(item) {
                Some(text) => texts.push(text.clone()),
                None => self.wrong_type(item, &at.element(index), Kind::String),
            }
        }
        (texts.len() == items.len()).then_some(texts)
    }
}

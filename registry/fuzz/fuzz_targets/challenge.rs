//! What another registry asks for is read without a surprise, and a question that is written by the rules is understood.

#![no_main]

use berth_registry::upstream::{Challenge, TokenSource};
use hyper::{
    HeaderMap,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, Option<&str>)| {
    let (line, realm, scope) = input;
    if let Some(Challenge::Bearer(source)) = read(line) {
        // Nothing is made up: each part stands in the header, but for what was escaped there.
        let unescaped = line.replace('\\', "");
        for part in [Some(source.realm), source.service, source.scope].into_iter().flatten() {
            assert!(unescaped.contains(&part.replace('\\', "")), "{part:?} of {line:?}");
        }
    }

    let written = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
    let rest = scope.map(|scope| format!(",scope=\"{}\"", written(scope))).unwrap_or_default();
    let question = format!("Basic realm=x, Bearer realm=\"{}\"{rest}", written(realm));
    // A header holds no other characters.
    if !question.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return;
    }
    let (realm, scope) = (realm.to_owned(), scope.map(str::to_owned));
    assert_eq!(
        read(&question),
        Some(Challenge::Bearer(TokenSource { realm, service: None, scope })),
        "{question}"
    );
});

fn read(line: &str) -> Option<Challenge> {
    let headers: HeaderMap = [(WWW_AUTHENTICATE, HeaderValue::from_str(line).ok()?)].into_iter().collect();
    Challenge::of(&headers)
}

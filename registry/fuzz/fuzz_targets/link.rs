//! The next page of a list is where a header says, and nowhere else.

#![no_main]

use berth_registry::upstream::next_page;
use hyper::{
    HeaderMap,
    header::{HeaderValue, LINK},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (line, target) = input;
    if let Some(headers) = headers(line)
        && let Some(page) = next_page(&headers)
    {
        assert!(line.contains(&format!("<{page}>")), "{page:?} of {line:?}");
    }

    if target.contains(['<', '>']) {
        return;
    }
    for line in [format!("<{target}>; rel=\"next\""), format!("</a>;rel=prev, <{target}>; title=x; Rel=next")]
    {
        let Some(headers) = headers(&line) else { continue };
        // A header that is not all ASCII is no text.
        assert_eq!(next_page(&headers), Some(target).filter(|target| is_text(target)), "{line:?}");
    }
});

fn headers(line: &str) -> Option<HeaderMap> {
    Some([(LINK, HeaderValue::from_str(line).ok()?)].into_iter().collect())
}

fn is_text(target: &str) -> bool {
    target.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

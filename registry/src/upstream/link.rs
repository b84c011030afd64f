//! Where the next page of a list is (RFC 8288).

use hyper::{HeaderMap, header::LINK};

/// The address of the next page, if there is one.
pub fn next(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(LINK).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(links).find(|(_, parameters)| is_next(parameters)).map(|(target, _)| target)
}

/// The targets on a line, each with its parameters.
fn links(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('<').skip(1).filter_map(|link| link.split_once('>'))
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim_matches([' ', ',', '"']).split(' ').any(|word| word.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(line: &'static str) -> Option<String> {
        let headers: HeaderMap = [(LINK, line.parse().unwrap())].into_iter().collect();
        next(&headers).map(str::to_owned)
    }

    #[test]
    fn the_next_page_is_told_from_other_links() {
        let expected = Some("/v2/_catalog?last=b&n=2".to_owned());
        assert_eq!(next_of(r#"</v2/_catalog?last=b&n=2>; rel="next""#), expected);
        assert_eq!(next_of("</v2/_catalog?last=b&n=2>;rel=next"), expected);
        assert_eq!(next_of(r#"</first>; rel="prev", </v2/_catalog?last=b&n=2>; rel="next""#), expected);
        assert_eq!(next_of(r#"</first>; rel="prev""#), None);
        assert_eq!(next_of("</first>"), None);
    }
}

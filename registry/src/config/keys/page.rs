//! The tables of `CONFIGURATION.md`, written from the table of keys.

use std::{fmt::Write, path::Path};

use super::{Effect, SECTIONS, Section};

const BEGIN: &str = "<!-- keys: written from the table in src/config/keys/table.rs -->\n";
const END: &str = "<!-- end of keys -->";

/// A row for each section and effect: the section, its keys with that effect, and why.
fn rows(of: fn(Effect) -> Option<&'static str>) -> String {
    let mut rows = String::new();
    for section in SECTIONS {
        let mut reasons: Vec<&str> = Vec::new();
        let effects = section.keys.iter().map(|key| key.effect(section)).chain([section.effect]);
        for reason in effects.filter_map(of) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        for reason in reasons {
            let keys = names(section, |effect| of(effect) == Some(reason));
            if !keys.is_empty() || section.keys.is_empty() {
                let path = if section.path.is_empty() { "top" } else { section.path };
                writeln!(rows, "| `{path}` | {keys} | {reason} |").unwrap();
            }
        }
    }
    rows.replace(" |  |\n", " |\n")
}

fn names(section: &Section, wanted: impl Fn(Effect) -> bool) -> String {
    let keys = section.keys.iter().filter(|key| wanted(key.effect(section)));
    let names = keys.map(|key| {
        let secret = if key.secret { " (secret)" } else { "" };
        let default = key.default.map(|default| format!(" (`{default}`)")).unwrap_or_default();
        format!("`{}`{default}{secret}", key.name)
    });
    names.collect::<Vec<_>>().join(", ")
}

fn tables() -> String {
    let honoured = rows(|effect| (effect == Effect::Honoured).then_some(""));
    let ignored = rows(|effect| if let Effect::Ignored(why) = effect { Some(why) } else { None });
    let refused = rows(|effect| if let Effect::Refused(instead) = effect { Some(instead) } else { None });
    format!(
        "\n### Honoured\n\nThe default stands in brackets.\n\n| section | keys |\n|---|---|\n{honoured}\n\
         ### Without effect\n\nAccepted, with one warning a section.\n\n| section | keys | why |\n|---|---|---|\n{ignored}\n\
         ### Refused\n\nThe server does not start, and says this.\n\n| section | keys | what to do |\n|---|---|---|\n{refused}\n"
    )
}

/// With `WRITE_PAGES` in the environment, writes the page instead of failing.
#[test]
fn the_page_of_the_keys_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONFIGURATION.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("a mark before the tables");
    let (_, after) = rest.split_once(END).expect("a mark behind the tables");
    let fresh = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var_os("WRITE_PAGES").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == fresh,
        "run WRITE_PAGES=1 cargo test -p berth-registry the_page_of_the_keys_is_fresh"
    );
}

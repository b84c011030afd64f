//! What a run leaves for the kubelet, which hands it on to whoever asks about the pod: always a JSON document, and never more than
//! Kubernetes takes.

use berth_registry::repository::{Run, RunState};

/// The most that the kubelet reads, in bytes.
const LIMIT: usize = 4096;

/// The document about a run, or about why there is none.
pub(super) fn of(result: &anyhow::Result<Run>, dry_run: bool) -> serde_json::Result<String> {
    let mut run = match result {
        Ok(run) => Run { candidates: Vec::new(), ..run.clone() },
        Err(error) => {
            Run { state: RunState::Failed, dry_run, error: Some(format!("{error:#}")), ..Run::default() }
        }
    };
    let mut message = serde_json::to_string(&run)?;
    // What is escaped takes more than a byte, so once may not be enough.
    while let Some(error) = run.error.as_mut().filter(|error| message.len() > LIMIT && !error.is_empty()) {
        error.truncate(error.floor_char_boundary(error.len() * LIMIT / message.len()));
        message = serde_json::to_string(&run)?;
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Run {
        assert!(message.len() <= LIMIT, "{} bytes", message.len());
        serde_json::from_str(message).unwrap()
    }

    #[test]
    fn a_run_is_told_without_what_it_would_delete_one_by_one() {
        let candidate = serde_json::json!({"digest": format!("sha256:{}", "0".repeat(64)), "size": 7, "reason": "untagged"});
        let candidates = vec![serde_json::from_value(candidate).unwrap(); 1000];
        let run = Run { candidates, blobs_deleted: 1000, dry_run: true, ..Run::default() };
        let told = read(&of(&Ok(run), true).unwrap());
        assert_eq!((told.blobs_deleted, told.dry_run, told.candidates.len()), (1000, true, 0));
    }

    #[test]
    fn a_run_that_could_not_be_asked_for_is_told_with_the_reason() {
        let refused = Err(anyhow::anyhow!("401").context("the server refused"));
        let told = read(&of(&refused, true).unwrap());
        assert_eq!((told.state, told.dry_run), (RunState::Failed, true));
        assert_eq!(told.error.as_deref(), Some("the server refused: 401"));
    }

    #[test]
    fn a_long_reason_is_cut_where_the_document_stays_whole() {
        for text in ["x", "é", "\"", "\u{1}", "\n\"é"] {
            let told = read(&of(&Err(anyhow::anyhow!("{}", text.repeat(20_000))), false).unwrap());
            assert!(told.error.is_some_and(|error| error.len() > 100), "{text:?}");
        }
    }
}

//! Lists of tags and repositories: whole, or not given at all.

use anyhow::{Result, ensure};

use crate::worker::Worker;

impl Worker<'_> {
    /// Sees that the lists have what was acknowledged.
    pub(crate) fn compare_lists(&mut self, repository: &str) -> Result<()> {
        let answer = self.client.get(&format!("/v2/{repository}/tags/list"))?;
        let expected = self.model.tags(repository);
        if answer.status == 404 {
            ensure!(expected.is_empty(), "{repository} is unknown, and has the tags {expected:?}");
            return Ok(());
        }
        let list = answer.json()?;
        ensure!(answer.status == 200, "the tags of {repository}: {} {list}", answer.status);
        let found: Vec<_> =
            list["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str()).collect();
        ensure!(found == expected, "{repository} has the tags {expected:?}, and {found:?} are listed");
        self.tally.lists.add(1);
        if expected.is_empty() { Ok(()) } else { self.find_in_catalog(repository) }
    }

    fn find_in_catalog(&mut self, repository: &str) -> Result<()> {
        let answer = self.client.get("/v2/_catalog?n=1000")?;
        ensure!(answer.status == 200, "the catalog: {} {}", answer.status, answer.text());
        let list = answer.json()?;
        let found =
            list["repositories"].as_array().is_some_and(|all| all.iter().any(|name| name == repository));
        ensure!(found, "{repository} is not in the catalog: {list}");
        self.tally.lists.add(1);
        Ok(())
    }
}

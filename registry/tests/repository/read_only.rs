//! The read-only switch.

use std::time::Duration;

use berth_registry::repository::{Error, Rules};

use crate::fixture::*;

#[tokio::test(start_paused = true)]
async fn all_servers_follow_the_switch() {
    let fixture = Fixture::memory();
    let other = fixture.with_rules(Rules::default());
    tokio::spawn(other.clone().follow_read_only_switch());
    fixture.registry.switch_read_only(Some("alice")).await.unwrap();
    let refused = fixture.repository("app").uploads().start().await;
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    // The clock stands still until everybody waits, and then goes on by itself.
    tokio::time::timeout(Duration::from_mins(1), async {
        while !other.is_read_only() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    let refused = other.repository(name("app")).uploads().start().await;
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    assert_eq!(other.read_only_switch().await.unwrap().unwrap().by.as_deref(), Some("alice"));

    other.switch_writable().await.unwrap();
    assert_eq!(fixture.registry.read_only_switch().await.unwrap(), None);
    fixture.repository("app").uploads().start().await.unwrap();
}

#[tokio::test]
async fn the_switch_survives_a_restart_and_does_not_undo_the_configuration() {
    let fixture = Fixture::filesystem();
    fixture.registry.switch_read_only(None).await.unwrap();
    let restarted = fixture.with_rules(Rules { read_only: true, ..Rules::default() });
    assert!(restarted.read_only_switch().await.unwrap().is_some());
    restarted.switch_writable().await.unwrap();
    assert!(restarted.is_read_only(), "the configuration says so");
    restarted.set_rules(Rules::default());
    assert!(!restarted.is_read_only());
}

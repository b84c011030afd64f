//! Several servers on one storage.

use super::{
    fixture::{endpoint, push, start_as, store},
    receiver::Receiver,
};

#[tokio::test]
async fn one_replica_delivers_what_all_have_written() {
    let (receiver, store) = (Receiver::start().await, store());
    let endpoints = [endpoint("mail", &receiver.url())];
    let first = start_as("a:5000", &store, &endpoints);
    let second = start_as("b:5000", &store, &endpoints);
    for number in 0..5 {
        push(&first, &format!("first-{number}")).await;
        push(&second, &format!("second-{number}")).await;
    }
    let told = receiver.repositories(10).await;
    for replica in ["first", "second"] {
        let of_replica: Vec<_> = told.iter().filter(|name| name.starts_with(replica)).collect();
        assert_eq!(
            of_replica,
            (0..5).map(|number| format!("{replica}-{number}")).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_replica_that_ends_leaves_its_events_to_the_others() {
    let (receiver, store) = (Receiver::holding().await, store());
    let endpoints = [endpoint("mail", &receiver.url())];
    let ending = start_as("a:5000", &store, &endpoints);
    push(&ending, "first").await;
    receiver.requested().await;
    push(&ending, "second").await;
    let staying = start_as("b:5000", &store, &endpoints);
    receiver.release();
    ending.stop().await;
    assert_eq!(receiver.repositories(2).await, ["first", "second"]);
    staying.stop().await;
}

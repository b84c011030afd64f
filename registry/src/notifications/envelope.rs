//! The envelope: the body of a request to an endpoint, which holds one or more events.

use bytes::Bytes;
use serde::Serialize;

use super::event::Event;

/// The media type of an envelope.
pub(super) const MEDIA_TYPE: &str = "application/vnd.docker.distribution.events.v2+json";

#[derive(Serialize)]
struct Envelope<'a> {
    events: Vec<&'a Event>,
}

/// The envelope of these events, in their order.
pub(super) fn seal<'a>(events: impl Iterator<Item = &'a Event>) -> serde_json::Result<Bytes> {
    serde_json::to_vec(&Envelope { events: events.collect() }).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::super::{
        event::{ActorRecord, RequestRecord, SourceRecord},
        occurrence::Occurrence,
    };
    use super::*;
    use crate::repository::{BlobInfo, StoredManifest};
    use berth_oci::{MediaType, RepositoryName, Tag};

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn event(number: u32, occurrence: &Occurrence, actor: Option<&str>) -> Event {
        let repository: RepositoryName = "library/test".parse().unwrap();
        Event {
            id: format!("id-{number}"),
            timestamp: "2026-01-02T15:04:05Z".parse().unwrap(),
            action: occurrence.action(),
            target: occurrence.target(&repository, true),
            request: RequestRecord {
                id: "request".to_owned(),
                addr: Some("192.0.2.7:41000".to_owned()),
                host: Some("hub.example.com".to_owned()),
                method: "PUT".to_owned(),
                user_agent: "test/0.1".to_owned(),
            },
            actor: ActorRecord { name: actor.map(str::to_owned) },
            source: SourceRecord { addr: "node:5000".to_owned(), instance_id: "instance".to_owned() },
        }
    }

    fn sealed(occurrence: &Occurrence, actor: Option<&str>) -> String {
        let sealed = seal([&event(0, occurrence, actor)].into_iter()).unwrap();
        String::from_utf8(sealed.to_vec()).unwrap()
    }

    /// What stands around the target of every event here.
    fn expected(action: &str, target: &str, actor: &str) -> String {
        format!(
            "{{\"events\":[{{\"id\":\"id-0\",\"timestamp\":\"2026-01-02T15:04:05Z\",\"action\":\"{action}\",\
             \"target\":{{{target}}},\
             \"request\":{{\"id\":\"request\",\"addr\":\"192.0.2.7:41000\",\"host\":\"hub.example.com\",\
             \"method\":\"PUT\",\"useragent\":\"test/0.1\"}},\
             \"actor\":{{{actor}}},\"source\":{{\"addr\":\"node:5000\",\"instanceID\":\"instance\"}}}}]}}"
        )
    }

    #[test]
    fn a_manifest_is_told_with_its_type_length_tag_and_references() {
        let layer = format!("{{\"mediaType\":\"application/x\",\"digest\":\"{DIGEST}\",\"size\":7}}");
        let bytes = format!("{{\"schemaVersion\":2,\"config\":{layer},\"layers\":[{layer}]}}");
        let media_type: MediaType = "application/vnd.oci.image.manifest.v1+json".parse().unwrap();
        let manifest =
            StoredManifest { digest: DIGEST.parse().unwrap(), media_type, bytes: bytes.clone().into() };
        let tag: Tag = "latest".parse().unwrap();
        let size = bytes.len();
        let target = format!(
            "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"{DIGEST}\",\
             \"size\":{size},\"length\":{size},\"repository\":\"library/test\",\"tag\":\"latest\",\
             \"references\":[{layer},{layer}]"
        );
        let pushed = Occurrence::ManifestPushed(manifest, Some(tag));
        assert_eq!(sealed(&pushed, Some("alice")), expected("push", &target, "\"name\":\"alice\""));
    }

    #[test]
    fn a_mounted_blob_is_told_with_the_repository_that_it_comes_from() {
        let blob = BlobInfo { digest: DIGEST.parse().unwrap(), size: 0 };
        let target = format!(
            "\"mediaType\":\"application/octet-stream\",\"digest\":\"{DIGEST}\",\"size\":0,\"length\":0,\
             \"repository\":\"library/test\",\"fromRepository\":\"library/base\""
        );
        let mounted = Occurrence::BlobMounted(blob, "library/base".parse().unwrap());
        assert_eq!(sealed(&mounted, None), expected("mount", &target, ""));
    }

    #[test]
    fn a_deletion_names_no_more_than_was_deleted() {
        let repository = "\"repository\":\"library/test\"";
        let table = [
            (
                Occurrence::ManifestDeleted(DIGEST.parse().unwrap()),
                format!("\"digest\":\"{DIGEST}\",{repository}"),
            ),
            (
                Occurrence::BlobDeleted(DIGEST.parse().unwrap()),
                format!("\"digest\":\"{DIGEST}\",{repository}"),
            ),
            (Occurrence::TagDeleted("1".parse().unwrap()), format!("{repository},\"tag\":\"1\"")),
            (Occurrence::RepositoryDeleted, repository.to_owned()),
        ];
        for (occurrence, target) in table {
            assert_eq!(sealed(&occurrence, None), expected("delete", &target, ""));
        }
    }

    #[test]
    fn events_are_read_back_as_they_were_written() {
        let blob = BlobInfo { digest: DIGEST.parse().unwrap(), size: 7 };
        let event = event(1, &Occurrence::BlobPulled(blob), Some("bob"));
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}

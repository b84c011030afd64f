//! A body on its way into an upload: whole parts go to S3 while the next one arrives, the rest becomes the tail.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::PutPayload;
use tokio::task::JoinHandle;

use super::super::bucket::Bucket;
use super::super::checksums::Guard;
use super::super::copy;
use super::super::error;
use super::super::multipart::Part;
use super::super::settings::SMALLEST_PART;
use super::Active;
use super::buffer::Buffer;
use super::memory::{Room, is_large};
use super::state::{Body, Multipart, State, Stored};
use crate::{ByteStream, Error, Key, Result};

/// After so many parts, twice as large ones are made, so that the number of parts that S3 allows is enough.
const PARTS_OF_A_SIZE: usize = 2_500;

/// With more appends than this going on, parts are as small as S3 allows, and each append has one on its way: the memory is for
/// as many as possible.
const APPENDS_WITH_LARGE_PARTS: usize = 1;

/// How many parts of an append without company are on their way: one alone lets the server wait for us, and us for its disk.
const PARTS_ON_THEIR_WAY: usize = 2;

/// An upload that grows.
pub(super) struct Receiving<'a> {
    bucket: &'a Arc<Bucket>,
    active: &'a Active,
    upload: &'a Key,
    destination: Option<&'a Key>,
    stored: Option<Stored>,
    state: State,
    /// What waits for becoming a part.
    buffer: Buffer,
    /// The share of the memory that the buffer has, once it is not small.
    room: Option<Room>,
    /// The parts that are on their way, in their order.
    in_flight: VecDeque<JoinHandle<Result<Part>>>,
}

impl<'a> Receiving<'a> {
    /// Goes on where `stored` ends.
    pub(super) async fn new(
        bucket: &'a Arc<Bucket>,
        active: &'a Active,
        upload: &'a Key,
        destination: Option<&'a Key>,
        stored: Option<Stored>,
    ) -> Result<Self> {
        let state = stored.as_ref().map_or_else(State::new, |stored| stored.state.clone());
        let mut buffer = Buffer::default();
        buffer.push(bucket.load_tail(upload, &state.tail).await?);
        let room = active.memory.room(buffer.size).await;
        // Parts at the place of an object cannot be read before they are one. So what was acknowledged is not put there.
        let destination = destination.filter(|_| buffer.size == 0 && state.body == Body::Nothing);
        Ok(Self {
            bucket,
            active,
            upload,
            destination,
            stored,
            state,
            buffer,
            room,
            in_flight: VecDeque::new(),
        })
    }

    /// Takes in the body, and returns what broke it off if something did.
    pub(super) async fn receive(&mut self, mut body: ByteStream) -> Result<Option<io::Error>> {
        while let Some(chunk) = self.next(&mut body).await {
            match chunk {
                Ok(chunk) => self.buffer.push(chunk),
                Err(broken) => return Ok(Some(broken)),
            }
            if self.room.is_none() && is_large(self.buffer.size) {
                self.room = self.active.memory.room(self.part_size()).await;
            }
            while self.buffer.size > self.part_size() {
                self.send_part().await?;
            }
        }
        Ok(None)
    }

    async fn next(&mut self, body: &mut ByteStream) -> Option<io::Result<Bytes>> {
        match &mut self.room {
            Some(room) => room.while_waiting_for(body.next()).await,
            None => body.next().await,
        }
    }

    /// Remembers what has arrived, and returns how much the upload has now.
    pub(super) async fn finish(mut self) -> Result<u64> {
        self.settle(0).await?;
        let tail = self.buffer.take(self.buffer.size);
        let before = std::mem::replace(&mut self.state.tail, self.bucket.save_tail(self.upload, tail).await?);
        self.state.is_open = false;
        let saved = self.bucket.save(self.upload, self.stored.as_ref(), self.state).await?;
        self.bucket.drop_tail(self.upload, &before).await?;
        Ok(saved.state.size())
    }

    /// How large the next part is to be.
    fn part_size(&self) -> u64 {
        let (size, parts) = match &self.state.body {
            Body::Parts(multipart) => (multipart.part_size, multipart.parts.len() + self.in_flight.len()),
            _ if self.active.count() > APPENDS_WITH_LARGE_PARTS => (SMALLEST_PART, 0),
            _ => (self.bucket.settings.writing.part_size, 0),
        };
        size << (parts / PARTS_OF_A_SIZE)
    }

    /// Sends a part of what has arrived. The next one arrives meanwhile, where memory allows.
    async fn send_part(&mut self) -> Result<()> {
        let size = self.part_size();
        self.claim(size).await?;
        self.settle(self.parts_on_their_way() - 1).await?;
        let Body::Parts(multipart) = &self.state.body else { return Ok(()) };
        let target: Key = multipart.target.parse().map_err(|damage| error::invalid(self.upload, damage))?;
        let payload: PutPayload = self.buffer.take(size).into_iter().collect();
        let (bucket, id, guard) = (Arc::clone(self.bucket), multipart.id.clone(), multipart.guard);
        let index = multipart.parts.len() + self.in_flight.len();
        let room = self.room.take();
        self.in_flight.push_back(tokio::spawn(async move {
            let _room = room;
            bucket.put_part(&target, &id, index, guard, payload).await
        }));
        Ok(())
    }

    fn parts_on_their_way(&self) -> usize {
        if self.active.count() > APPENDS_WITH_LARGE_PARTS { 1 } else { PARTS_ON_THEIR_WAY }
    }

    /// Waits until no more than so many parts are on their way.
    async fn settle(&mut self, most: usize) -> Result<()> {
        while self.in_flight.len() > most
            && let Some(first) = self.in_flight.pop_front()
        {
            let sent = first.await;
            let part = sent.map_err(|stopped| Error::Unavailable {
                key: self.upload.clone(),
                source: stopped.into(),
            })??;
            if let Body::Parts(multipart) = &mut self.state.body {
                multipart.parts.push(part);
            }
        }
        Ok(())
    }

    /// Makes known that parts will be added, before the first of them: from now on nobody else can add one.
    async fn claim(&mut self, part_size: u64) -> Result<()> {
        if self.state.is_open {
            return Ok(());
        }
        let multipart = match std::mem::replace(&mut self.state.body, Body::Nothing) {
            Body::Parts(multipart) => multipart,
            Body::Nothing => {
                let guard = self.bucket.guard().await;
                self.bucket.start(self.destination.unwrap_or(self.upload), guard, part_size).await?
            }
            Body::Object(size) => {
                let multipart = self.bucket.start(self.upload, Guard::default(), part_size).await?;
                self.bucket.copy_into(self.upload, size, multipart).await?
            }
        };
        self.state.body = Body::Parts(multipart);
        self.state.is_open = true;
        self.stored = Some(self.bucket.save(self.upload, self.stored.as_ref(), self.state.clone()).await?);
        Ok(())
    }
}

impl Bucket {
    /// Begins a multipart upload that has no parts yet.
    pub(super) async fn start(&self, target: &Key, guard: Guard, part_size: u64) -> Result<Multipart> {
        let id = self.start_multipart(target, guard).await?;
        Ok(Multipart { target: target.to_string(), id, guard, part_size, parts: Vec::new() })
    }

    /// Makes the object of the upload the first parts of the multipart upload.
    async fn copy_into(&self, upload: &Key, size: u64, mut multipart: Multipart) -> Result<Multipart> {
        let target = multipart.target.parse().map_err(|damage| error::invalid(upload, damage))?;
        let path = self.path(&target)?;
        for (index, range) in copy::ranges(size, copy::LARGEST_COPY).into_iter().enumerate() {
            multipart.parts.push(self.copy_part(upload, range, &path, &multipart.id, index).await?);
        }
        Ok(multipart)
    }
}

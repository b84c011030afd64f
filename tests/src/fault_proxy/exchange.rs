//! Requests of one connection: each is passed on, or goes wrong.

use super::message::Head;
use super::{Fault, Shared, reset};
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// A connection of a client, and the one to the server that belongs to it.
pub(super) struct Exchanges<'a> {
    client: BufReader<TcpStream>,
    server: Option<BufReader<TcpStream>>,
    shared: &'a Shared,
}

/// Whether the connection may be used again.
enum Then {
    GoOn,
    End,
    Reset,
}

impl<'a> Exchanges<'a> {
    pub(super) fn new(client: TcpStream, shared: &'a Shared) -> io::Result<Self> {
        client.set_nodelay(true)?;
        Ok(Self { client: BufReader::new(client), server: None, shared })
    }

    /// Passes requests on until one goes wrong so that the connection ends.
    pub(super) fn run(mut self) -> io::Result<()> {
        while let Some(request) = Head::read(&mut self.client)? {
            let then = if *self.shared.away() {
                Then::Reset
            } else {
                match self.shared.plan.choose(&request.first_line(), request.may_fail_late()) {
                    None => self.pass_on(&request)?,
                    Some(fault) => self.fail(&request, fault)?,
                }
            };
            match then {
                Then::GoOn => {}
                Then::End => return Ok(()),
                Then::Reset => {
                    reset(self.client.get_ref());
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn pass_on(&mut self, request: &Head) -> io::Result<Then> {
        let body = request.read_body(&mut self.client)?;
        self.pass_on_with(request, &body)
    }

    fn pass_on_with(&mut self, request: &Head, body: &[u8]) -> io::Result<Then> {
        let (head, body) = self.ask_server(request, body)?;
        self.answer(&[head.bytes(), &body].concat())
    }

    fn fail(&mut self, request: &Head, fault: Fault) -> io::Result<Then> {
        match fault {
            Fault::ResetBefore => Ok(Then::Reset),
            Fault::ResetInRequest => request.read_half(&mut self.client).map(|()| Then::Reset),
            Fault::ResetInAnswer => self.answer_in_part(request, Then::Reset),
            Fault::Truncated => self.answer_in_part(request, Then::End),
            Fault::InternalError => self.refuse(request, "500 Internal Server Error", "InternalError"),
            Fault::SlowDown => self.refuse(request, "503 Slow Down", "SlowDown"),
            Fault::TooManyRequests => {
                self.refuse(request, "429 Too Many Requests\r\nRetry-After: 1", "TooManyRequests")
            }
            Fault::ErrorInSuccess => self.refuse(request, "200 OK", "InternalError"),
            Fault::Slow => {
                let (head, body) = self.carry_out(request)?;
                thread::sleep(Duration::from_millis(self.shared.plan.delay()));
                self.answer(&[head.bytes(), &body].concat())
            }
            Fault::Silent => request.read_body(&mut self.client).and_then(|_| self.be_silent()),
            Fault::LostAnswer => self.carry_out(request).map(|_| Then::Reset),
            Fault::DoneButError => {
                self.carry_out(request)?;
                self.tell(request, "500 Internal Server Error", "InternalError")
            }
            Fault::DoneButSilent => self.carry_out(request).and_then(|_| self.be_silent()),
            Fault::Damaged => {
                let mut body = request.read_body(&mut self.client)?;
                body.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                self.pass_on_with(request, &body)
            }
        }
    }

    /// Lets the server do what is asked for, and returns its answer.
    fn carry_out(&mut self, request: &Head) -> io::Result<(Head, Vec<u8>)> {
        let body = request.read_body(&mut self.client)?;
        self.ask_server(request, &body)
    }

    fn ask_server(&mut self, request: &Head, body: &[u8]) -> io::Result<(Head, Vec<u8>)> {
        let server = match &mut self.server {
            Some(server) => server,
            none => none.insert(BufReader::new(TcpStream::connect(&self.shared.server)?)),
        };
        server.get_mut().write_all(&[request.bytes(), body].concat())?;
        let head = Head::read(server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let body = head.read_body_of_answer(request, server)?;
        Ok((head, body))
    }

    /// Gives half of the body, or of the head where there is no body.
    fn answer_in_part(&mut self, request: &Head, then: Then) -> io::Result<Then> {
        let (head, body) = self.carry_out(request)?;
        let (head, body) = if body.is_empty() {
            (&head.bytes()[..head.bytes().len() / 2], body.as_slice())
        } else {
            (head.bytes(), &body[..body.len() / 2])
        };
        self.answer(&[head, body].concat()).map(|_| then)
    }

    /// Does nothing of what is asked for, and says so.
    fn refuse(&mut self, request: &Head, status: &str, code: &str) -> io::Result<Then> {
        request.read_body(&mut self.client)?;
        self.tell(request, status, code)
    }

    fn tell(&mut self, request: &Head, status: &str, code: &str) -> io::Result<Then> {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>Please try again.</Message>\
             <RequestId>0</RequestId></Error>"
        );
        let shown = if request.is_head() { "" } else { &body };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{shown}",
            body.len()
        );
        self.answer(answer.as_bytes())
    }

    /// Waits until the client has lost its patience.
    fn be_silent(&mut self) -> io::Result<Then> {
        io::copy(&mut self.client, &mut io::sink()).map(|_| Then::End)
    }

    fn answer(&mut self, bytes: &[u8]) -> io::Result<Then> {
        self.client.get_mut().write_all(bytes)?;
        Ok(Then::GoOn)
    }
}

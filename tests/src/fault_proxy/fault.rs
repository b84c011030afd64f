//! The ways in which a request goes wrong.

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection is reset when the request has begun.
    ResetBefore,
    /// The connection is reset in the middle of the request's body.
    ResetInRequest,
    /// The connection is reset in the middle of the answer.
    ResetInAnswer,
    /// The answer is shorter than it says.
    Truncated,
    /// 500, and nothing was done.
    InternalError,
    /// 503 `SlowDown`, and nothing was done.
    SlowDown,
    /// 429 with a `Retry-After`, and nothing was done.
    TooManyRequests,
    /// 200 with an error in the body, as S3 answers copies and completions that fail late; nothing was done.
    ErrorInSuccess,
    /// The answer comes late.
    Slow,
    /// No answer ever comes, and nothing was done.
    Silent,
    /// The request was carried out, and the connection is reset instead of an answer.
    LostAnswer,
    /// The request was carried out, and 500 is answered.
    DoneButError,
    /// The request was carried out, and no answer ever comes.
    DoneButSilent,
    /// A byte of the request's body is another one when it arrives. It happens only when a test asks for it: a client may leave
    /// it to those who asked to try again.
    Damaged,
}

impl Fault {
    /// The faults that may happen at any time, each with how likely it is beside the others. Those for which a client waits are rarer.
    pub(super) const ALL: [(Self, u32); 13] = [
        (Self::ResetBefore, 4),
        (Self::ResetInRequest, 4),
        (Self::ResetInAnswer, 6),
        (Self::Truncated, 6),
        (Self::InternalError, 4),
        (Self::SlowDown, 6),
        (Self::TooManyRequests, 1),
        (Self::ErrorInSuccess, 4),
        (Self::Slow, 6),
        (Self::Silent, 1),
        (Self::LostAnswer, 8),
        (Self::DoneButError, 8),
        (Self::DoneButSilent, 1),
    ];
}

//! A peer that plays its part of a script.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::script::{Act, Cue};
use crate::{
    proxy::{stream::Stream, tls::Loaded},
    session::Side,
};

/// Plays to the end of the script, and keeps what it hears. Then a client closes, and a backend waits for that.
pub(super) async fn play(
    mut stream: Stream,
    side: Side,
    cues: Vec<Cue>,
    loaded: &Loaded,
    heard: Arc<Mutex<Vec<u8>>>,
    whole: &[u8],
) {
    let mut heard_len = 0;
    for Cue { after, act } in cues {
        if exchange(&mut stream, &[], after, &mut heard_len, &heard).await.is_err() {
            return;
        }
        let went_on = match act {
            Act::Say(bytes) => exchange(&mut stream, &bytes, after, &mut heard_len, &heard).await,
            Act::Tls => match secured(stream, side, loaded).await {
                Ok(secured) => {
                    stream = secured;
                    Ok(())
                }
                Err(_) => return,
            },
        };
        if went_on.is_err() {
            return;
        }
    }
    let has_heard_all = *heard.lock().unwrap_or_else(PoisonError::into_inner) == whole;
    if side == Side::Client && has_heard_all {
        return;
    }
    _ = exchange(&mut stream, &[], usize::MAX, &mut heard_len, &heard).await;
}

async fn secured(stream: Stream, side: Side, loaded: &Loaded) -> io::Result<Stream> {
    match (side, &loaded.acceptor) {
        (Side::Backend, Some(acceptor)) => stream.accept_tls(acceptor, Vec::new()).await,
        _ => stream.connect_tls(&loaded.connector, loaded.backend_name.clone()).await,
    }
}

/// Says `bytes` while it listens, and listens until it has heard so much; fails when the stream ends.
async fn exchange(
    stream: &mut Stream,
    bytes: &[u8],
    until: usize,
    heard_len: &mut usize,
    heard: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let (mut said, mut is_deaf) = (0, false);
    let mut buffer = vec![0; 16 * 1024];
    poll_fn(|cx| {
        loop {
            let mut goes_on = false;
            if said < bytes.len() && !is_deaf {
                match Pin::new(&mut *stream).poll_write(cx, &bytes[said..]) {
                    Poll::Ready(Ok(count)) => {
                        said += count;
                        goes_on = true;
                    }
                    // What the other has said before it closed the connection is still to be heard.
                    Poll::Ready(Err(_)) => is_deaf = true,
                    Poll::Pending => {}
                }
            }
            let is_flushed = matches!(Pin::new(&mut *stream).poll_flush(cx), Poll::Ready(Ok(())));
            if is_flushed && said == bytes.len() && *heard_len >= until {
                return Poll::Ready(Ok(()));
            }
            // What comes behind it may be the beginning of a TLS handshake.
            let wanted = if bytes.is_empty() && until > *heard_len { until - *heard_len } else { usize::MAX };
            let len = buffer.len().min(wanted);
            let mut part = ReadBuf::new(&mut buffer[..len]);
            match Pin::new(&mut *stream).poll_read(cx, &mut part) {
                Poll::Ready(Ok(())) if part.filled().is_empty() => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Ready(Ok(())) => {
                    *heard_len += part.filled().len();
                    heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(part.filled());
                    goes_on = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            if !goes_on {
                return Poll::Pending;
            }
        }
    })
    .await
}

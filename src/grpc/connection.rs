//! Connections: how many there are, how long their beginning may take, and who is at the other end.
//!
//! A connection that does not get on is closed: its TLS handshake, and then the beginning of HTTP/2, have a time
//! limit. After that keep-alive pings find out who is gone. One over the most that there may be is closed at
//! once, so that the others go on.

use super::tls::Tls;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// What begins HTTP/2 (RFC 9113, 3.4): the preface and the head of a frame.
const BEGINNING: usize = 24 + 9;
/// Connections that are accepted ahead.
const AHEAD: usize = 64;
/// Wait after the system has refused a connection, for want of files.
const PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The address that the connection comes from: a proxy's, where there is one.
    pub(super) address: Option<SocketAddr>,
    /// The certificate that the handshake has checked, as DER.
    pub(super) certificate: Option<Arc<[u8]>>,
}

/// Accepts connections until what it gives is dropped.
pub(super) fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    most: usize,
    beginning: Duration,
) -> ReceiverStream<io::Result<Connection>> {
    let (accepted, incoming) = mpsc::channel(AHEAD);
    let places = Arc::new(Semaphore::new(most));
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                stream = listener.accept() => stream,
                () = accepted.closed() => return,
            };
            let (stream, address) = match stream {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!(most, "a connection over the most that there may be");
                continue;
            };
            // An answer is sent at once: held back for a fuller segment it would wait for the caller's delayed
            // acknowledgement, some 40 ms.
            let _ = stream.set_nodelay(true);
            let acceptor = tls.as_ref().map(Tls::acceptor);
            let accepted = accepted.clone();
            tokio::spawn(async move {
                let stream = match acceptor {
                    None => Stream::Plain(stream),
                    Some(acceptor) => match tokio::time::timeout(beginning, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                        Ok(Err(error)) => {
                            tracing::debug!(%error, %address, "a TLS handshake failed");
                            return;
                        }
                        Err(_) => return,
                    },
                };
                let connection = Connection {
                    peer: stream.peer(address),
                    stream,
                    begun: 0,
                    until: Some(Box::pin(tokio::time::sleep(beginning))),
                    _place: place,
                };
                let _ = accepted.send(Ok(connection)).await;
            });
        }
    });
    ReceiverStream::new(incoming)
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn peer(&self, address: SocketAddr) -> Peer {
        let certificate = match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream
                .get_ref()
                .1
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|certificate| Arc::from(certificate.as_ref())),
        };
        Peer {
            address: Some(address),
            certificate,
        }
    }
}

/// A connection, with its place among those that there may be.
pub(super) struct Connection {
    stream: Stream,
    peer: Peer,
    /// Bytes of the beginning that have come.
    begun: usize,
    /// When it must have begun; none once it has.
    until: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        if let Some(until) = &mut this.until {
            this.begun += buffer.filled().len() - before;
            if this.begun >= BEGINNING {
                this.until = None;
            } else if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        ready!(read)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

//! Ctrl-C and SIGTERM: the first asks the run to stop, the second ends it at once.

use crate::exit::Exit;

/// Waits for the next signal and says which exit code belongs to it. Pends for ever where the
/// system has none.
pub async fn next() -> Exit {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        }
    }
    #[cfg(not(unix))]
    {
        if tokio::signal::ctrl_c().await.is_err() {
            return std::future::pending().await;
        }
        Exit::Interrupted
    }
}

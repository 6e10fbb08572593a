//! Whatever carries requests to the target.

use futures_util::future::BoxFuture;

use super::{AllowList, Recorded, Request, Transport};

/// Carries one request and records the exchange: the transport of a run, a lane of the fuzzer.
pub trait Carrier: Send + Sync {
    /// Sends a request. Never fails: why there is no answer is in the record.
    fn carry(&self, request: Request) -> BoxFuture<'_, Recorded>;

    /// The hosts that may be contacted.
    fn allow(&self) -> &AllowList;
}

impl Carrier for Transport {
    fn carry(&self, request: Request) -> BoxFuture<'_, Recorded> {
        Box::pin(self.send(request))
    }

    fn allow(&self) -> &AllowList {
        Transport::allow(self)
    }
}

//! The whole sidecar against the simulated platform, over real sockets, judged by the oracle.

#[cfg(test)]
mod adversaries;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod browsers;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod console;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod cursors;
#[cfg(test)]
mod draining;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod health;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod lazy;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod mix;
#[cfg(test)]
mod order;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod polling;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transports;
#[cfg(test)]
mod websocket;

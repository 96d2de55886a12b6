//! Where a tail begins.

use std::str::FromStr;

use clap::Args;

use crate::domain::{Position, WallTime};
use crate::proto::v1;
use crate::runtime::HumanDuration;
use v1::subscribe_request::Start;

/// What `tail` shows first where nothing is said, like its namesake.
const DEFAULT_LAST: u64 = 10;

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct StartArgs {
    /// Begin after this position: EPOCH/SEQUENCE.
    #[arg(long, value_name = "POSITION")]
    after: Option<Position>,
    /// Begin with events recorded at this time (RFC 3339), or this long ago: 15m.
    #[arg(long, value_name = "TIME")]
    from_time: Option<FromTime>,
    /// Begin with the earliest event there is.
    #[arg(long)]
    earliest: bool,
    /// Begin with events recorded from now on.
    #[arg(long)]
    latest: bool,
    /// Begin this many events before the end [default: 10].
    #[arg(long, value_name = "N")]
    last: Option<u64>,
}

/// A time, absolute or ago.
#[derive(Debug, Clone, Copy)]
enum FromTime {
    At(WallTime),
    Ago(HumanDuration),
}

impl FromStr for FromTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(time) = WallTime::parse_rfc3339(text) {
            return Ok(Self::At(time));
        }
        text.parse().map(Self::Ago).map_err(|_| {
            "write a time such as 2026-03-10T09:41:07Z, or how long ago: 15m".to_owned()
        })
    }
}

impl StartArgs {
    pub(super) fn start(&self, now: WallTime) -> Start {
        if let Some(position) = self.after {
            let (epoch, sequence) = (position.epoch.to_string(), position.sequence.get());
            return Start::After(v1::Position { epoch, sequence });
        }
        match self.from_time {
            Some(FromTime::At(time)) => return Start::FromTime(time.to_proto()),
            Some(FromTime::Ago(ago)) => return Start::FromTime(now.minus(ago.0).to_proto()),
            None => {}
        }
        if self.earliest {
            Start::Preset(v1::StartPreset::Earliest.into())
        } else if self.latest {
            Start::Preset(v1::StartPreset::Latest.into())
        } else {
            Start::LastEvents(self.last.unwrap_or(DEFAULT_LAST))
        }
    }
}

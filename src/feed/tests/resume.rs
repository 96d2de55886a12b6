//! Every resume point of a long journal against every way to start there, compared with the whole
//! suffix.

use super::*;

const EVENTS: u64 = 10_000;
/// Events of one instant, so that times and sequences are not the same thing.
const TOGETHER: u64 = 4;

async fn first_of(feed: &Feed, start: Start) -> Seen {
    let end = End::At(AskedPosition {
        epoch: Epoch::new(EPOCH).to_string(),
        sequence: Sequence::new(EVENTS),
    });
    let plan = SubscribePlan {
        end: Some(end),
        batching: Batching {
            max_events: 3,
            ..Batching::default()
        },
        ..plan(start)
    };
    let mut subscriber = feed.subscribe(plan).await.unwrap();
    let opened = next(&mut subscriber).await;
    let first = next(&mut subscriber).await;
    let Some(News::Opened { start, .. }) = opened.news else {
        panic!("{opened:?}");
    };
    assert_eq!((opened.through, start), (start, opened.through));
    first
}

#[tokio::test(start_paused = true)]
async fn every_resume_point_continues_exactly_there() {
    let b = bench();
    let mut times = vec![b.clock.wall()];
    for group in 0..EVENTS / TOGETHER {
        tokio::time::advance(Duration::from_millis(1)).await;
        let first = group * TOGETHER + 1;
        b.append((first..first + TOGETHER).map(draft).collect())
            .await;
        times.push(b.clock.wall());
    }
    for place in 0..=EVENTS {
        let expected: Vec<u64> = (place + 1..=EVENTS).take(3).collect();
        let starts = [after(place), Start::Last(EVENTS - place)];
        for start in starts {
            let first = first_of(&b.feed, start).await;
            assert_eq!(numbers(&[first]), expected, "after {place}");
        }
        if place.is_multiple_of(TOGETHER) && place < EVENTS {
            let time = times[usize::try_from(place / TOGETHER).unwrap() + 1];
            let first = first_of(&b.feed, Start::FromTime(time)).await;
            assert_eq!(
                numbers(&[first]),
                expected,
                "from the time of {}",
                place + 1
            );
        }
    }
    // The first events pin where a stream begins; the whole suffix is compared from a sample.
    let step = usize::try_from((397 / u64::from(scale())).max(1)).unwrap();
    for place in (0..=EVENTS).step_by(step) {
        let whole = SubscribePlan {
            end: Some(End::CaughtUp),
            ..plan(after(place))
        };
        let (all, error) = rest(&mut b.open(whole).await).await;
        assert_eq!(error, None);
        assert_eq!(numbers(&all), (place + 1..=EVENTS).collect::<Vec<_>>());
    }
}

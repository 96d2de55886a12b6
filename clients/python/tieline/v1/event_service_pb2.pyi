import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tieline.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StartPreset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    START_PRESET_UNSPECIFIED: _ClassVar[StartPreset]
    START_PRESET_EARLIEST: _ClassVar[StartPreset]
    START_PRESET_LATEST: _ClassVar[StartPreset]

class UnavailablePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNAVAILABLE_POLICY_UNSPECIFIED: _ClassVar[UnavailablePolicy]
    UNAVAILABLE_POLICY_FAIL: _ClassVar[UnavailablePolicy]
    UNAVAILABLE_POLICY_RESUME_AT_EARLIEST: _ClassVar[UnavailablePolicy]
    UNAVAILABLE_POLICY_RESUME_AT_LATEST: _ClassVar[UnavailablePolicy]

class EventView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_VIEW_UNSPECIFIED: _ClassVar[EventView]
    EVENT_VIEW_NORMALIZED: _ClassVar[EventView]
    EVENT_VIEW_RAW: _ClassVar[EventView]
    EVENT_VIEW_FULL: _ClassVar[EventView]
    EVENT_VIEW_ATTRIBUTES: _ClassVar[EventView]
START_PRESET_UNSPECIFIED: StartPreset
START_PRESET_EARLIEST: StartPreset
START_PRESET_LATEST: StartPreset
UNAVAILABLE_POLICY_UNSPECIFIED: UnavailablePolicy
UNAVAILABLE_POLICY_FAIL: UnavailablePolicy
UNAVAILABLE_POLICY_RESUME_AT_EARLIEST: UnavailablePolicy
UNAVAILABLE_POLICY_RESUME_AT_LATEST: UnavailablePolicy
EVENT_VIEW_UNSPECIFIED: EventView
EVENT_VIEW_NORMALIZED: EventView
EVENT_VIEW_RAW: EventView
EVENT_VIEW_FULL: EventView
EVENT_VIEW_ATTRIBUTES: EventView

class Position(_message.Message):
    __slots__ = ("epoch", "sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    sequence: int
    def __init__(self, epoch: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("types", "subjects", "ordering_keys", "sessions", "excluded_types", "expression", "filter_sidecar_events", "provider_types")
    TYPES_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    ORDERING_KEYS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_TYPES_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    FILTER_SIDECAR_EVENTS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_TYPES_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    ordering_keys: _containers.RepeatedScalarFieldContainer[str]
    sessions: _containers.RepeatedScalarFieldContainer[str]
    excluded_types: _containers.RepeatedScalarFieldContainer[str]
    expression: str
    filter_sidecar_events: bool
    provider_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, types: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ..., ordering_keys: _Optional[_Iterable[str]] = ..., sessions: _Optional[_Iterable[str]] = ..., excluded_types: _Optional[_Iterable[str]] = ..., expression: _Optional[str] = ..., filter_sidecar_events: _Optional[bool] = ..., provider_types: _Optional[_Iterable[str]] = ...) -> None: ...

class Shard(_message.Message):
    __slots__ = ("index", "count")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    index: int
    count: int
    def __init__(self, index: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class Batching(_message.Message):
    __slots__ = ("max_events", "max_bytes", "linger")
    MAX_EVENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    LINGER_FIELD_NUMBER: _ClassVar[int]
    max_events: int
    max_bytes: int
    linger: _duration_pb2.Duration
    def __init__(self, max_events: _Optional[int] = ..., max_bytes: _Optional[int] = ..., linger: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("journal", "after", "from_time", "preset", "last_events", "subscription", "unavailable_policy", "until", "until_time", "until_caught_up", "filter", "view", "shard", "batching", "heartbeat_interval", "max_replay_events_per_second", "client_id")
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_POLICY_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    BATCHING_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MAX_REPLAY_EVENTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    journal: str
    after: Position
    from_time: _timestamp_pb2.Timestamp
    preset: StartPreset
    last_events: int
    subscription: str
    unavailable_policy: UnavailablePolicy
    until: Position
    until_time: _timestamp_pb2.Timestamp
    until_caught_up: bool
    filter: EventFilter
    view: EventView
    shard: Shard
    batching: Batching
    heartbeat_interval: _duration_pb2.Duration
    max_replay_events_per_second: int
    client_id: str
    def __init__(self, journal: _Optional[str] = ..., after: _Optional[_Union[Position, _Mapping]] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., preset: _Optional[_Union[StartPreset, str]] = ..., last_events: _Optional[int] = ..., subscription: _Optional[str] = ..., unavailable_policy: _Optional[_Union[UnavailablePolicy, str]] = ..., until: _Optional[_Union[Position, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_caught_up: _Optional[bool] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., view: _Optional[_Union[EventView, str]] = ..., shard: _Optional[_Union[Shard, _Mapping]] = ..., batching: _Optional[_Union[Batching, _Mapping]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_replay_events_per_second: _Optional[int] = ..., client_id: _Optional[str] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("events", "through_sequence", "latest_sequence", "opened", "caught_up", "fell_behind", "gap", "closing")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    FELL_BEHIND_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    through_sequence: int
    latest_sequence: int
    opened: Opened
    caught_up: CaughtUp
    fell_behind: FellBehind
    gap: Gap
    closing: Closing
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., through_sequence: _Optional[int] = ..., latest_sequence: _Optional[int] = ..., opened: _Optional[_Union[Opened, _Mapping]] = ..., caught_up: _Optional[_Union[CaughtUp, _Mapping]] = ..., fell_behind: _Optional[_Union[FellBehind, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., closing: _Optional[_Union[Closing, _Mapping]] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("journal", "epoch", "earliest_sequence", "latest_sequence", "start", "subscriber", "heartbeat_interval", "max_age", "lease")
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    journal: str
    epoch: str
    earliest_sequence: int
    latest_sequence: int
    start: Position
    subscriber: str
    heartbeat_interval: _duration_pb2.Duration
    max_age: _duration_pb2.Duration
    lease: int
    def __init__(self, journal: _Optional[str] = ..., epoch: _Optional[str] = ..., earliest_sequence: _Optional[int] = ..., latest_sequence: _Optional[int] = ..., start: _Optional[_Union[Position, _Mapping]] = ..., subscriber: _Optional[str] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lease: _Optional[int] = ...) -> None: ...

class CaughtUp(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FellBehind(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Gap(_message.Message):
    __slots__ = ("cause", "first_sequence", "last_sequence", "start_time", "end_time", "previous_epoch")
    class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CAUSE_UNSPECIFIED: _ClassVar[Gap.Cause]
        CAUSE_TRIMMED: _ClassVar[Gap.Cause]
        CAUSE_ERASED: _ClassVar[Gap.Cause]
        CAUSE_CORRUPTED: _ClassVar[Gap.Cause]
        CAUSE_EPOCH_CHANGED: _ClassVar[Gap.Cause]
    CAUSE_UNSPECIFIED: Gap.Cause
    CAUSE_TRIMMED: Gap.Cause
    CAUSE_ERASED: Gap.Cause
    CAUSE_CORRUPTED: Gap.Cause
    CAUSE_EPOCH_CHANGED: Gap.Cause
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EPOCH_FIELD_NUMBER: _ClassVar[int]
    cause: Gap.Cause
    first_sequence: int
    last_sequence: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    previous_epoch: str
    def __init__(self, cause: _Optional[_Union[Gap.Cause, str]] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., previous_epoch: _Optional[str] = ...) -> None: ...

class Closing(_message.Message):
    __slots__ = ("reason", "retry_delay")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Closing.Reason]
        REASON_END_REACHED: _ClassVar[Closing.Reason]
        REASON_DRAINING: _ClassVar[Closing.Reason]
        REASON_MAX_AGE: _ClassVar[Closing.Reason]
        REASON_CREDENTIALS_EXPIRED: _ClassVar[Closing.Reason]
        REASON_DISCONNECTED_BY_OPERATOR: _ClassVar[Closing.Reason]
        REASON_JOURNAL_DELETED: _ClassVar[Closing.Reason]
        REASON_TAKEN_OVER: _ClassVar[Closing.Reason]
    REASON_UNSPECIFIED: Closing.Reason
    REASON_END_REACHED: Closing.Reason
    REASON_DRAINING: Closing.Reason
    REASON_MAX_AGE: Closing.Reason
    REASON_CREDENTIALS_EXPIRED: Closing.Reason
    REASON_DISCONNECTED_BY_OPERATOR: Closing.Reason
    REASON_JOURNAL_DELETED: Closing.Reason
    REASON_TAKEN_OVER: Closing.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    reason: Closing.Reason
    retry_delay: _duration_pb2.Duration
    def __init__(self, reason: _Optional[_Union[Closing.Reason, str]] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReadEventsRequest(_message.Message):
    __slots__ = ("journal", "after", "from_time", "preset", "last_events", "unavailable_policy", "filter", "view", "shard", "max_events", "max_bytes", "wait")
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_POLICY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    MAX_EVENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    journal: str
    after: Position
    from_time: _timestamp_pb2.Timestamp
    preset: StartPreset
    last_events: int
    unavailable_policy: UnavailablePolicy
    filter: EventFilter
    view: EventView
    shard: Shard
    max_events: int
    max_bytes: int
    wait: _duration_pb2.Duration
    def __init__(self, journal: _Optional[str] = ..., after: _Optional[_Union[Position, _Mapping]] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., preset: _Optional[_Union[StartPreset, str]] = ..., last_events: _Optional[int] = ..., unavailable_policy: _Optional[_Union[UnavailablePolicy, str]] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., view: _Optional[_Union[EventView, str]] = ..., shard: _Optional[_Union[Shard, _Mapping]] = ..., max_events: _Optional[int] = ..., max_bytes: _Optional[int] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReadEventsResponse(_message.Message):
    __slots__ = ("events", "through", "earliest_sequence", "latest_sequence", "gaps")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    through: Position
    earliest_sequence: int
    latest_sequence: int
    gaps: _containers.RepeatedCompositeFieldContainer[Gap]
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., through: _Optional[_Union[Position, _Mapping]] = ..., earliest_sequence: _Optional[int] = ..., latest_sequence: _Optional[int] = ..., gaps: _Optional[_Iterable[_Union[Gap, _Mapping]]] = ...) -> None: ...

class GetEventRequest(_message.Message):
    __slots__ = ("name", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    view: EventView
    def __init__(self, name: _Optional[str] = ..., view: _Optional[_Union[EventView, str]] = ...) -> None: ...

class GetEventResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.Event
    def __init__(self, event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ...) -> None: ...

class Journal(_message.Message):
    __slots__ = ("name", "epoch", "earliest_sequence", "latest_sequence", "earliest_time", "latest_time", "size_bytes", "max_age", "max_bytes", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LATEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_TIME_FIELD_NUMBER: _ClassVar[int]
    LATEST_TIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    epoch: str
    earliest_sequence: int
    latest_sequence: int
    earliest_time: _timestamp_pb2.Timestamp
    latest_time: _timestamp_pb2.Timestamp
    size_bytes: int
    max_age: _duration_pb2.Duration
    max_bytes: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., epoch: _Optional[str] = ..., earliest_sequence: _Optional[int] = ..., latest_sequence: _Optional[int] = ..., earliest_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latest_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size_bytes: _Optional[int] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_bytes: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetJournalRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetJournalResponse(_message.Message):
    __slots__ = ("journal",)
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    journal: Journal
    def __init__(self, journal: _Optional[_Union[Journal, _Mapping]] = ...) -> None: ...

class ListJournalsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListJournalsResponse(_message.Message):
    __slots__ = ("journals", "next_page_token")
    JOURNALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    journals: _containers.RepeatedCompositeFieldContainer[Journal]
    next_page_token: str
    def __init__(self, journals: _Optional[_Iterable[_Union[Journal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tieline.v1 import event_service_pb2 as _event_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Subscriber(_message.Message):
    __slots__ = ("name", "client_id", "principal", "peer", "state", "through_sequence", "lag", "filter", "connect_time", "last_progress_time", "sent_events", "sent_bytes")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Subscriber.State]
        STATE_REPLAYING: _ClassVar[Subscriber.State]
        STATE_LIVE: _ClassVar[Subscriber.State]
        STATE_BLOCKED: _ClassVar[Subscriber.State]
    STATE_UNSPECIFIED: Subscriber.State
    STATE_REPLAYING: Subscriber.State
    STATE_LIVE: Subscriber.State
    STATE_BLOCKED: Subscriber.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_PROGRESS_TIME_FIELD_NUMBER: _ClassVar[int]
    SENT_EVENTS_FIELD_NUMBER: _ClassVar[int]
    SENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    client_id: str
    principal: str
    peer: str
    state: Subscriber.State
    through_sequence: int
    lag: int
    filter: _event_service_pb2.EventFilter
    connect_time: _timestamp_pb2.Timestamp
    last_progress_time: _timestamp_pb2.Timestamp
    sent_events: int
    sent_bytes: int
    def __init__(self, name: _Optional[str] = ..., client_id: _Optional[str] = ..., principal: _Optional[str] = ..., peer: _Optional[str] = ..., state: _Optional[_Union[Subscriber.State, str]] = ..., through_sequence: _Optional[int] = ..., lag: _Optional[int] = ..., filter: _Optional[_Union[_event_service_pb2.EventFilter, _Mapping]] = ..., connect_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_progress_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sent_events: _Optional[int] = ..., sent_bytes: _Optional[int] = ...) -> None: ...

class ListSubscribersRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSubscribersResponse(_message.Message):
    __slots__ = ("subscribers", "next_page_token")
    SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subscribers: _containers.RepeatedCompositeFieldContainer[Subscriber]
    next_page_token: str
    def __init__(self, subscribers: _Optional[_Iterable[_Union[Subscriber, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DisconnectSubscriberRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DisconnectSubscriberResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EraseEventsRequest(_message.Message):
    __slots__ = ("journal", "filter", "validate_only")
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    journal: str
    filter: _event_service_pb2.EventFilter
    validate_only: bool
    def __init__(self, journal: _Optional[str] = ..., filter: _Optional[_Union[_event_service_pb2.EventFilter, _Mapping]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class EraseEventsResponse(_message.Message):
    __slots__ = ("erased_events",)
    ERASED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    erased_events: int
    def __init__(self, erased_events: _Optional[int] = ...) -> None: ...

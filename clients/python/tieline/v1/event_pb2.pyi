import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Transport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSPORT_UNSPECIFIED: _ClassVar[Transport]
    TRANSPORT_WEBSOCKET: _ClassVar[Transport]
    TRANSPORT_LONG_POLL: _ClassVar[Transport]

class OutboundMessageState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTBOUND_MESSAGE_STATE_UNSPECIFIED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_ACCEPTED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_SENT: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_ACKNOWLEDGED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_DELIVERED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_READ: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_FAILED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_EXPIRED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_CANCELLED: _ClassVar[OutboundMessageState]
    OUTBOUND_MESSAGE_STATE_OUTCOME_UNKNOWN: _ClassVar[OutboundMessageState]

class Media(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEDIA_UNSPECIFIED: _ClassVar[Media]
    MEDIA_VOICE: _ClassVar[Media]
    MEDIA_CALLBACK: _ClassVar[Media]
    MEDIA_CHAT: _ClassVar[Media]
    MEDIA_EMAIL: _ClassVar[Media]
    MEDIA_MESSAGE: _ClassVar[Media]
    MEDIA_SOCIAL: _ClassVar[Media]
    MEDIA_VIDEO: _ClassVar[Media]
    MEDIA_WORK_ITEM: _ClassVar[Media]

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_INBOUND: _ClassVar[Direction]
    DIRECTION_OUTBOUND: _ClassVar[Direction]

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_SELF_SERVICE: _ClassVar[Phase]
    PHASE_QUEUED: _ClassVar[Phase]
    PHASE_ALERTING: _ClassVar[Phase]
    PHASE_CONNECTED: _ClassVar[Phase]
    PHASE_HELD: _ClassVar[Phase]
    PHASE_WRAP_UP: _ClassVar[Phase]
    PHASE_ENDED: _ClassVar[Phase]
TRANSPORT_UNSPECIFIED: Transport
TRANSPORT_WEBSOCKET: Transport
TRANSPORT_LONG_POLL: Transport
OUTBOUND_MESSAGE_STATE_UNSPECIFIED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_ACCEPTED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_SENT: OutboundMessageState
OUTBOUND_MESSAGE_STATE_ACKNOWLEDGED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_DELIVERED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_READ: OutboundMessageState
OUTBOUND_MESSAGE_STATE_FAILED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_EXPIRED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_CANCELLED: OutboundMessageState
OUTBOUND_MESSAGE_STATE_OUTCOME_UNKNOWN: OutboundMessageState
MEDIA_UNSPECIFIED: Media
MEDIA_VOICE: Media
MEDIA_CALLBACK: Media
MEDIA_CHAT: Media
MEDIA_EMAIL: Media
MEDIA_MESSAGE: Media
MEDIA_SOCIAL: Media
MEDIA_VIDEO: Media
MEDIA_WORK_ITEM: Media
DIRECTION_UNSPECIFIED: Direction
DIRECTION_INBOUND: Direction
DIRECTION_OUTBOUND: Direction
PHASE_UNSPECIFIED: Phase
PHASE_SELF_SERVICE: Phase
PHASE_QUEUED: Phase
PHASE_ALERTING: Phase
PHASE_CONNECTED: Phase
PHASE_HELD: Phase
PHASE_WRAP_UP: Phase
PHASE_ENDED: Phase

class Event(_message.Message):
    __slots__ = ("sequence", "id", "source", "type", "subject", "time", "record_time", "ordering_key", "session", "origin", "provider_type", "trace_parent", "trace_state", "data_content_type", "data_schema", "raw_data", "attributes", "provider_sequence", "session_event", "outbound_message_event", "agent_state_event", "conversation_event", "message_event", "queue_statistics_event", "queue_membership_event", "adherence_event", "transcript_event")
    class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORIGIN_UNSPECIFIED: _ClassVar[Event.Origin]
        ORIGIN_LIVE: _ClassVar[Event.Origin]
        ORIGIN_BACKFILL: _ClassVar[Event.Origin]
        ORIGIN_SIDECAR: _ClassVar[Event.Origin]
    ORIGIN_UNSPECIFIED: Event.Origin
    ORIGIN_LIVE: Event.Origin
    ORIGIN_BACKFILL: Event.Origin
    ORIGIN_SIDECAR: Event.Origin
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    RECORD_TIME_FIELD_NUMBER: _ClassVar[int]
    ORDERING_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    TRACE_STATE_FIELD_NUMBER: _ClassVar[int]
    DATA_CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    RAW_DATA_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_EVENT_FIELD_NUMBER: _ClassVar[int]
    OUTBOUND_MESSAGE_EVENT_FIELD_NUMBER: _ClassVar[int]
    AGENT_STATE_EVENT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_EVENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_EVENT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_STATISTICS_EVENT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MEMBERSHIP_EVENT_FIELD_NUMBER: _ClassVar[int]
    ADHERENCE_EVENT_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_EVENT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    id: str
    source: str
    type: str
    subject: str
    time: _timestamp_pb2.Timestamp
    record_time: _timestamp_pb2.Timestamp
    ordering_key: str
    session: str
    origin: Event.Origin
    provider_type: str
    trace_parent: str
    trace_state: str
    data_content_type: str
    data_schema: str
    raw_data: bytes
    attributes: _containers.ScalarMap[str, str]
    provider_sequence: int
    session_event: SessionEvent
    outbound_message_event: OutboundMessageEvent
    agent_state_event: AgentStateEvent
    conversation_event: ConversationEvent
    message_event: MessageEvent
    queue_statistics_event: QueueStatisticsEvent
    queue_membership_event: QueueMembershipEvent
    adherence_event: AdherenceEvent
    transcript_event: TranscriptEvent
    def __init__(self, sequence: _Optional[int] = ..., id: _Optional[str] = ..., source: _Optional[str] = ..., type: _Optional[str] = ..., subject: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ordering_key: _Optional[str] = ..., session: _Optional[str] = ..., origin: _Optional[_Union[Event.Origin, str]] = ..., provider_type: _Optional[str] = ..., trace_parent: _Optional[str] = ..., trace_state: _Optional[str] = ..., data_content_type: _Optional[str] = ..., data_schema: _Optional[str] = ..., raw_data: _Optional[bytes] = ..., attributes: _Optional[_Mapping[str, str]] = ..., provider_sequence: _Optional[int] = ..., session_event: _Optional[_Union[SessionEvent, _Mapping]] = ..., outbound_message_event: _Optional[_Union[OutboundMessageEvent, _Mapping]] = ..., agent_state_event: _Optional[_Union[AgentStateEvent, _Mapping]] = ..., conversation_event: _Optional[_Union[ConversationEvent, _Mapping]] = ..., message_event: _Optional[_Union[MessageEvent, _Mapping]] = ..., queue_statistics_event: _Optional[_Union[QueueStatisticsEvent, _Mapping]] = ..., queue_membership_event: _Optional[_Union[QueueMembershipEvent, _Mapping]] = ..., adherence_event: _Optional[_Union[AdherenceEvent, _Mapping]] = ..., transcript_event: _Optional[_Union[TranscriptEvent, _Mapping]] = ...) -> None: ...

class SessionEvent(_message.Message):
    __slots__ = ("kind", "session", "transport", "start_time", "end_time", "gap_sequence", "reason", "topics", "first_missing_provider_sequence", "last_missing_provider_sequence")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SessionEvent.Kind]
        KIND_CONNECTED: _ClassVar[SessionEvent.Kind]
        KIND_DISCONNECTED: _ClassVar[SessionEvent.Kind]
        KIND_TRANSPORT_CHANGED: _ClassVar[SessionEvent.Kind]
        KIND_GAP_SUSPECTED: _ClassVar[SessionEvent.Kind]
        KIND_GAP_CLOSED: _ClassVar[SessionEvent.Kind]
        KIND_GAP_CONFIRMED: _ClassVar[SessionEvent.Kind]
        KIND_SUBSCRIPTIONS_CHANGED: _ClassVar[SessionEvent.Kind]
        KIND_EXPIRED: _ClassVar[SessionEvent.Kind]
        KIND_DEGRADED: _ClassVar[SessionEvent.Kind]
        KIND_RECOVERED: _ClassVar[SessionEvent.Kind]
        KIND_REVIEW_REQUIRED: _ClassVar[SessionEvent.Kind]
        KIND_SUSPENDED: _ClassVar[SessionEvent.Kind]
    KIND_UNSPECIFIED: SessionEvent.Kind
    KIND_CONNECTED: SessionEvent.Kind
    KIND_DISCONNECTED: SessionEvent.Kind
    KIND_TRANSPORT_CHANGED: SessionEvent.Kind
    KIND_GAP_SUSPECTED: SessionEvent.Kind
    KIND_GAP_CLOSED: SessionEvent.Kind
    KIND_GAP_CONFIRMED: SessionEvent.Kind
    KIND_SUBSCRIPTIONS_CHANGED: SessionEvent.Kind
    KIND_EXPIRED: SessionEvent.Kind
    KIND_DEGRADED: SessionEvent.Kind
    KIND_RECOVERED: SessionEvent.Kind
    KIND_REVIEW_REQUIRED: SessionEvent.Kind
    KIND_SUSPENDED: SessionEvent.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    GAP_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    FIRST_MISSING_PROVIDER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_MISSING_PROVIDER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    kind: SessionEvent.Kind
    session: str
    transport: Transport
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    gap_sequence: int
    reason: str
    topics: _containers.RepeatedScalarFieldContainer[str]
    first_missing_provider_sequence: int
    last_missing_provider_sequence: int
    def __init__(self, kind: _Optional[_Union[SessionEvent.Kind, str]] = ..., session: _Optional[str] = ..., transport: _Optional[_Union[Transport, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., gap_sequence: _Optional[int] = ..., reason: _Optional[str] = ..., topics: _Optional[_Iterable[str]] = ..., first_missing_provider_sequence: _Optional[int] = ..., last_missing_provider_sequence: _Optional[int] = ...) -> None: ...

class OutboundMessageEvent(_message.Message):
    __slots__ = ("outbound_message", "state", "provider_message_id", "reason")
    OUTBOUND_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    outbound_message: str
    state: OutboundMessageState
    provider_message_id: str
    reason: str
    def __init__(self, outbound_message: _Optional[str] = ..., state: _Optional[_Union[OutboundMessageState, str]] = ..., provider_message_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AgentStateEvent(_message.Message):
    __slots__ = ("agent_id", "availability", "provider_state", "provider_reason", "start_time", "queue_ids")
    class Availability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        AVAILABILITY_UNSPECIFIED: _ClassVar[AgentStateEvent.Availability]
        AVAILABILITY_OFFLINE: _ClassVar[AgentStateEvent.Availability]
        AVAILABILITY_AWAY: _ClassVar[AgentStateEvent.Availability]
        AVAILABILITY_AVAILABLE: _ClassVar[AgentStateEvent.Availability]
        AVAILABILITY_BUSY: _ClassVar[AgentStateEvent.Availability]
        AVAILABILITY_AFTER_CONTACT_WORK: _ClassVar[AgentStateEvent.Availability]
        AVAILABILITY_NOT_RESPONDING: _ClassVar[AgentStateEvent.Availability]
    AVAILABILITY_UNSPECIFIED: AgentStateEvent.Availability
    AVAILABILITY_OFFLINE: AgentStateEvent.Availability
    AVAILABILITY_AWAY: AgentStateEvent.Availability
    AVAILABILITY_AVAILABLE: AgentStateEvent.Availability
    AVAILABILITY_BUSY: AgentStateEvent.Availability
    AVAILABILITY_AFTER_CONTACT_WORK: AgentStateEvent.Availability
    AVAILABILITY_NOT_RESPONDING: AgentStateEvent.Availability
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_STATE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REASON_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_IDS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    availability: AgentStateEvent.Availability
    provider_state: str
    provider_reason: str
    start_time: _timestamp_pb2.Timestamp
    queue_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, agent_id: _Optional[str] = ..., availability: _Optional[_Union[AgentStateEvent.Availability, str]] = ..., provider_state: _Optional[str] = ..., provider_reason: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queue_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Participant(_message.Message):
    __slots__ = ("participant_id", "role", "agent_id", "queue_id", "phase", "address", "start_time", "end_time", "disconnect_reason", "wrap_up_code")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[Participant.Role]
        ROLE_CUSTOMER: _ClassVar[Participant.Role]
        ROLE_AGENT: _ClassVar[Participant.Role]
        ROLE_BOT: _ClassVar[Participant.Role]
        ROLE_QUEUE: _ClassVar[Participant.Role]
        ROLE_SUPERVISOR: _ClassVar[Participant.Role]
        ROLE_EXTERNAL: _ClassVar[Participant.Role]
    ROLE_UNSPECIFIED: Participant.Role
    ROLE_CUSTOMER: Participant.Role
    ROLE_AGENT: Participant.Role
    ROLE_BOT: Participant.Role
    ROLE_QUEUE: Participant.Role
    ROLE_SUPERVISOR: Participant.Role
    ROLE_EXTERNAL: Participant.Role
    PARTICIPANT_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_REASON_FIELD_NUMBER: _ClassVar[int]
    WRAP_UP_CODE_FIELD_NUMBER: _ClassVar[int]
    participant_id: str
    role: Participant.Role
    agent_id: str
    queue_id: str
    phase: Phase
    address: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    disconnect_reason: str
    wrap_up_code: str
    def __init__(self, participant_id: _Optional[str] = ..., role: _Optional[_Union[Participant.Role, str]] = ..., agent_id: _Optional[str] = ..., queue_id: _Optional[str] = ..., phase: _Optional[_Union[Phase, str]] = ..., address: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disconnect_reason: _Optional[str] = ..., wrap_up_code: _Optional[str] = ...) -> None: ...

class ConversationEvent(_message.Message):
    __slots__ = ("conversation_id", "media", "direction", "phase", "participants", "queue_id", "start_time", "end_time", "snapshot")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    media: Media
    direction: Direction
    phase: Phase
    participants: _containers.RepeatedCompositeFieldContainer[Participant]
    queue_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    snapshot: bool
    def __init__(self, conversation_id: _Optional[str] = ..., media: _Optional[_Union[Media, str]] = ..., direction: _Optional[_Union[Direction, str]] = ..., phase: _Optional[_Union[Phase, str]] = ..., participants: _Optional[_Iterable[_Union[Participant, _Mapping]]] = ..., queue_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., snapshot: _Optional[bool] = ...) -> None: ...

class MessageEvent(_message.Message):
    __slots__ = ("conversation_id", "message_id", "direction", "sender_role", "text", "attachments")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    SENDER_ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    message_id: str
    direction: Direction
    sender_role: Participant.Role
    text: str
    attachments: _containers.RepeatedCompositeFieldContainer[Attachment]
    def __init__(self, conversation_id: _Optional[str] = ..., message_id: _Optional[str] = ..., direction: _Optional[_Union[Direction, str]] = ..., sender_role: _Optional[_Union[Participant.Role, str]] = ..., text: _Optional[str] = ..., attachments: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ...) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("attachment_id", "media_type", "file_name", "uri", "size_bytes")
    ATTACHMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    attachment_id: str
    media_type: str
    file_name: str
    uri: str
    size_bytes: int
    def __init__(self, attachment_id: _Optional[str] = ..., media_type: _Optional[str] = ..., file_name: _Optional[str] = ..., uri: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class QueueStatisticsEvent(_message.Message):
    __slots__ = ("queue_id", "media", "metrics", "start_time", "end_time")
    class Metric(_message.Message):
        __slots__ = ("name", "qualifier", "value")
        NAME_FIELD_NUMBER: _ClassVar[int]
        QUALIFIER_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        name: str
        qualifier: str
        value: float
        def __init__(self, name: _Optional[str] = ..., qualifier: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    queue_id: str
    media: Media
    metrics: _containers.RepeatedCompositeFieldContainer[QueueStatisticsEvent.Metric]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, queue_id: _Optional[str] = ..., media: _Optional[_Union[Media, str]] = ..., metrics: _Optional[_Iterable[_Union[QueueStatisticsEvent.Metric, _Mapping]]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class QueueMembershipEvent(_message.Message):
    __slots__ = ("queue_id", "agent_id", "joined")
    QUEUE_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    queue_id: str
    agent_id: str
    joined: bool
    def __init__(self, queue_id: _Optional[str] = ..., agent_id: _Optional[str] = ..., joined: _Optional[bool] = ...) -> None: ...

class AdherenceEvent(_message.Message):
    __slots__ = ("agent_id", "state", "scheduled_activity", "actual_activity", "impact", "management_unit_id", "team_id", "start_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[AdherenceEvent.State]
        STATE_IN_ADHERENCE: _ClassVar[AdherenceEvent.State]
        STATE_OUT_OF_ADHERENCE: _ClassVar[AdherenceEvent.State]
        STATE_UNSCHEDULED: _ClassVar[AdherenceEvent.State]
        STATE_UNKNOWN: _ClassVar[AdherenceEvent.State]
        STATE_IGNORED: _ClassVar[AdherenceEvent.State]
        STATE_EXPLAINED: _ClassVar[AdherenceEvent.State]
    STATE_UNSPECIFIED: AdherenceEvent.State
    STATE_IN_ADHERENCE: AdherenceEvent.State
    STATE_OUT_OF_ADHERENCE: AdherenceEvent.State
    STATE_UNSCHEDULED: AdherenceEvent.State
    STATE_UNKNOWN: AdherenceEvent.State
    STATE_IGNORED: AdherenceEvent.State
    STATE_EXPLAINED: AdherenceEvent.State
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    IMPACT_FIELD_NUMBER: _ClassVar[int]
    MANAGEMENT_UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    state: AdherenceEvent.State
    scheduled_activity: str
    actual_activity: str
    impact: str
    management_unit_id: str
    team_id: str
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, agent_id: _Optional[str] = ..., state: _Optional[_Union[AdherenceEvent.State, str]] = ..., scheduled_activity: _Optional[str] = ..., actual_activity: _Optional[str] = ..., impact: _Optional[str] = ..., management_unit_id: _Optional[str] = ..., team_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TranscriptEvent(_message.Message):
    __slots__ = ("conversation_id", "utterance_id", "speaker_role", "text", "final", "confidence", "start_time", "end_time")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    utterance_id: str
    speaker_role: Participant.Role
    text: str
    final: bool
    confidence: float
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, conversation_id: _Optional[str] = ..., utterance_id: _Optional[str] = ..., speaker_role: _Optional[_Union[Participant.Role, str]] = ..., text: _Optional[str] = ..., final: _Optional[bool] = ..., confidence: _Optional[float] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

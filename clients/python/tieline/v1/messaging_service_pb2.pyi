import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from tieline.v1 import event_pb2 as _event_pb2
from tieline.v1 import event_service_pb2 as _event_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SendStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEND_STAGE_UNSPECIFIED: _ClassVar[SendStage]
    SEND_STAGE_ACCEPTED: _ClassVar[SendStage]
    SEND_STAGE_SENT: _ClassVar[SendStage]
    SEND_STAGE_ACKNOWLEDGED: _ClassVar[SendStage]

class UnknownOutcomePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_OUTCOME_POLICY_UNSPECIFIED: _ClassVar[UnknownOutcomePolicy]
    UNKNOWN_OUTCOME_POLICY_REPORT: _ClassVar[UnknownOutcomePolicy]
    UNKNOWN_OUTCOME_POLICY_RESEND: _ClassVar[UnknownOutcomePolicy]
SEND_STAGE_UNSPECIFIED: SendStage
SEND_STAGE_ACCEPTED: SendStage
SEND_STAGE_SENT: SendStage
SEND_STAGE_ACKNOWLEDGED: SendStage
UNKNOWN_OUTCOME_POLICY_UNSPECIFIED: UnknownOutcomePolicy
UNKNOWN_OUTCOME_POLICY_REPORT: UnknownOutcomePolicy
UNKNOWN_OUTCOME_POLICY_RESEND: UnknownOutcomePolicy

class OutboundMessage(_message.Message):
    __slots__ = ("name", "state", "text", "quick_reply", "attachment", "custom_attributes", "create_time", "send_time", "acknowledge_time", "expire_time", "provider_message_id", "attempt_count", "reason", "retry_delay")
    class CustomAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    QUICK_REPLY_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEND_TIME_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: _event_pb2.OutboundMessageState
    text: TextContent
    quick_reply: QuickReplyContent
    attachment: AttachmentContent
    custom_attributes: _containers.ScalarMap[str, str]
    create_time: _timestamp_pb2.Timestamp
    send_time: _timestamp_pb2.Timestamp
    acknowledge_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    provider_message_id: str
    attempt_count: int
    reason: str
    retry_delay: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[_event_pb2.OutboundMessageState, str]] = ..., text: _Optional[_Union[TextContent, _Mapping]] = ..., quick_reply: _Optional[_Union[QuickReplyContent, _Mapping]] = ..., attachment: _Optional[_Union[AttachmentContent, _Mapping]] = ..., custom_attributes: _Optional[_Mapping[str, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., send_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., provider_message_id: _Optional[str] = ..., attempt_count: _Optional[int] = ..., reason: _Optional[str] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class TextContent(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class QuickReplyContent(_message.Message):
    __slots__ = ("text", "payload")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    text: str
    payload: str
    def __init__(self, text: _Optional[str] = ..., payload: _Optional[str] = ...) -> None: ...

class AttachmentContent(_message.Message):
    __slots__ = ("attachment_id",)
    ATTACHMENT_ID_FIELD_NUMBER: _ClassVar[int]
    attachment_id: str
    def __init__(self, attachment_id: _Optional[str] = ...) -> None: ...

class SendMessageRequest(_message.Message):
    __slots__ = ("parent", "message", "request_id", "wait_for", "unknown_outcome_policy")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_OUTCOME_POLICY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    message: OutboundMessage
    request_id: str
    wait_for: SendStage
    unknown_outcome_policy: UnknownOutcomePolicy
    def __init__(self, parent: _Optional[str] = ..., message: _Optional[_Union[OutboundMessage, _Mapping]] = ..., request_id: _Optional[str] = ..., wait_for: _Optional[_Union[SendStage, str]] = ..., unknown_outcome_policy: _Optional[_Union[UnknownOutcomePolicy, str]] = ...) -> None: ...

class SendMessageResponse(_message.Message):
    __slots__ = ("message", "position")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    message: OutboundMessage
    position: _event_service_pb2.Position
    def __init__(self, message: _Optional[_Union[OutboundMessage, _Mapping]] = ..., position: _Optional[_Union[_event_service_pb2.Position, _Mapping]] = ...) -> None: ...

class GetOutboundMessageRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetOutboundMessageResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: OutboundMessage
    def __init__(self, message: _Optional[_Union[OutboundMessage, _Mapping]] = ...) -> None: ...

class ListOutboundMessagesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOutboundMessagesResponse(_message.Message):
    __slots__ = ("messages", "next_page_token")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[OutboundMessage]
    next_page_token: str
    def __init__(self, messages: _Optional[_Iterable[_Union[OutboundMessage, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelOutboundMessageRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelOutboundMessageResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: OutboundMessage
    def __init__(self, message: _Optional[_Union[OutboundMessage, _Mapping]] = ...) -> None: ...

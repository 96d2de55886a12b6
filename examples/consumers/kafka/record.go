// Events as Kafka records: CloudEvents in binary mode, keyed so that the order of a key is kept. Pure.

package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tieline "github.com/tieline/tieline/clients/go"
	pb "github.com/tieline/tieline/clients/go/tielinev1"
)

// dataForm says what the value of a record is.
type dataForm string

const (
	// The platform's own bytes; the sidecar's own events, which have none, as Protobuf.
	dataRaw dataForm = "raw"
	// The normal form as JSON; the platform's own bytes where there is none.
	dataNormalized dataForm = "normalized"
)

// header is a record header; Kafka allows a name twice, CloudEvents does not.
func header(name, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: []byte(value)}
}

// eventRecord maps an event, attribute by attribute. `journalepoch` is an extension of its own: a
// sequence counts within an epoch.
func eventRecord(topic, epoch string, event *pb.Event, form dataForm) (*kgo.Record, error) {
	value, contentType, schema, err := data(event, form)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", event.GetSequence(), err)
	}
	headers := []kgo.RecordHeader{
		header("ce_specversion", "1.0"),
		header("ce_id", event.GetId()),
		header("ce_source", event.GetSource()),
		header("ce_type", event.GetType()),
		header("ce_sequence", fmt.Sprintf("%020d", event.GetSequence())),
		header("ce_journalepoch", epoch),
	}
	for _, optional := range [][2]string{
		{"ce_subject", event.GetSubject()},
		{"ce_time", stamp(event.GetTime())},
		{"ce_recordedtime", stamp(event.GetRecordTime())},
		{"ce_partitionkey", event.GetOrderingKey()},
		{"ce_traceparent", event.GetTraceParent()},
		{"ce_tracestate", event.GetTraceState()},
		{"content-type", contentType},
		{"ce_dataschema", schema},
	} {
		if optional[1] != "" {
			headers = append(headers, header(optional[0], optional[1]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(event.GetAttributes())) {
		headers = append(headers, header("ce_"+name, event.GetAttributes()[name]))
	}
	return &kgo.Record{Topic: topic, Key: recordKey(event), Value: value, Headers: headers}, nil
}

// recordKey is what shards go by: events that share it are order-dependent.
func recordKey(event *pb.Event) []byte {
	for _, key := range []string{event.GetOrderingKey(), event.GetSubject(), event.GetSession()} {
		if key != "" {
			return []byte(key)
		}
	}
	return []byte("-")
}

// data is the value of a record, its media type and its schema.
func data(event *pb.Event, form dataForm) (value []byte, contentType, schema string, err error) {
	normal := normalForm(event)
	if normal != nil && (form == dataNormalized || len(event.GetRawData()) == 0) {
		schema = string(normal.ProtoReflect().Descriptor().FullName())
		if form == dataNormalized {
			value, err = protojson.MarshalOptions{UseProtoNames: true}.Marshal(normal)
			return value, "application/json", schema, err
		}
		value, err = proto.Marshal(normal)
		return value, "application/protobuf", schema, err
	}
	return event.GetRawData(), event.GetDataContentType(), event.GetDataSchema(), nil
}

// normalForm is the message in the oneof `data`, whichever it is; nil where there is none.
func normalForm(event *pb.Event) proto.Message {
	of := event.ProtoReflect()
	set := of.WhichOneof(of.Descriptor().Oneofs().ByName("data"))
	if set == nil {
		return nil
	}
	return of.Get(set).Message().Interface()
}

// gapRecords tell each partition, in its order, that events of the journal will not come.
func gapRecords(topic string, partitions int32, journal string, behind tieline.Position, gap *pb.Gap, now time.Time) ([]*kgo.Record, error) {
	value, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(gap)
	if err != nil {
		return nil, fmt.Errorf("gap: %w", err)
	}
	id := fmt.Sprintf("gap-%s-%s-%d-%d", gap.GetPreviousEpoch(), behind.Epoch, gap.GetFirstSequence(), gap.GetLastSequence())
	records := make([]*kgo.Record, partitions)
	for partition := range partitions {
		records[partition] = &kgo.Record{
			Topic:     topic,
			Partition: partition,
			Value:     value,
			Headers: []kgo.RecordHeader{
				header("ce_specversion", "1.0"),
				header("ce_id", id),
				header("ce_source", "//tieline/"+journal),
				header("ce_type", "tieline.gap.v1"),
				header("ce_time", now.UTC().Format(time.RFC3339Nano)),
				header("ce_journalepoch", behind.Epoch),
				header("content-type", "application/json"),
				header("ce_dataschema", "tieline.v1.Gap"),
			},
		}
	}
	return records, nil
}

func stamp(at *timestamppb.Timestamp) string {
	if at == nil {
		return ""
	}
	return at.AsTime().Format(time.RFC3339Nano)
}

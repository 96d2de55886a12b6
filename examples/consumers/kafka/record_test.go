// What stands in a record, attribute by attribute.

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tieline "github.com/tieline/tieline/clients/go"
	pb "github.com/tieline/tieline/clients/go/tielinev1"
)

func event() *pb.Event {
	return &pb.Event{
		Sequence:        4711,
		Id:              "7c0f",
		Source:          "//genesys.cloud/orgs/a/notifications",
		Type:            "ccaas.agent.state_changed.v1",
		Subject:         "agents/a1",
		OrderingKey:     "agents/a1",
		Session:         "sessions/contact-centre",
		Time:            timestamppb.New(time.Date(2026, 3, 10, 9, 41, 7, 552_600_000, time.UTC)),
		DataContentType: "application/json",
		RawData:         []byte(`{"b": 1}`),
		TraceParent:     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Attributes:      map[string]string{"possibleduplicate": "true"},
		Data: &pb.Event_AgentStateEvent{AgentStateEvent: &pb.AgentStateEvent{
			AgentId: "a1", Availability: pb.AgentStateEvent_AVAILABILITY_BUSY,
		}},
	}
}

func headers(t *testing.T, record *kgo.Record) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, h := range record.Headers {
		if _, twice := found[h.Key]; twice {
			t.Errorf("header %s is there twice", h.Key)
		}
		found[h.Key] = string(h.Value)
	}
	return found
}

func TestAnEventIsACloudEventInBinaryMode(t *testing.T) {
	record, err := eventRecord("events", "e1", event(), dataRaw)
	if err != nil {
		t.Fatal(err)
	}
	if string(record.Key) != "agents/a1" || string(record.Value) != `{"b": 1}` {
		t.Errorf("key %q, value %q", record.Key, record.Value)
	}
	for name, value := range map[string]string{
		"ce_specversion":       "1.0",
		"ce_id":                "7c0f",
		"ce_source":            "//genesys.cloud/orgs/a/notifications",
		"ce_type":              "ccaas.agent.state_changed.v1",
		"ce_subject":           "agents/a1",
		"ce_time":              "2026-03-10T09:41:07.5526Z",
		"ce_sequence":          "00000000000000004711",
		"ce_partitionkey":      "agents/a1",
		"ce_traceparent":       "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"ce_possibleduplicate": "true",
		"ce_journalepoch":      "e1",
		"content-type":         "application/json",
	} {
		if got := headers(t, record)[name]; got != value {
			t.Errorf("%s is %q, not %q", name, got, value)
		}
	}
	for _, absent := range []string{"ce_recordedtime", "ce_tracestate", "ce_dataschema"} {
		if value, there := headers(t, record)[absent]; there {
			t.Errorf("%s is there, as %q, and has no value", absent, value)
		}
	}
}

func TestTheNormalFormIsTheValueWhereItIsAskedForOrNothingElseIsThere(t *testing.T) {
	record, err := eventRecord("events", "e1", event(), dataNormalized)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(record.Value), " ", "")
	if text != `{"agent_id":"a1","availability":"AVAILABILITY_BUSY"}` {
		t.Errorf("normalized: %s", text)
	}
	if got := headers(t, record); got["ce_dataschema"] != "tieline.v1.AgentStateEvent" || got["content-type"] != "application/json" {
		t.Errorf("normalized: %v", got)
	}

	own := event()
	own.RawData = nil
	record, err = eventRecord("events", "e1", own, dataRaw)
	if err != nil {
		t.Fatal(err)
	}
	var decoded pb.AgentStateEvent
	if err := proto.Unmarshal(record.Value, &decoded); err != nil || decoded.GetAgentId() != "a1" {
		t.Errorf("Protobuf: %v, %v", &decoded, err)
	}
	if got := headers(t, record)["content-type"]; got != "application/protobuf" {
		t.Errorf("Protobuf: content-type %q", got)
	}

	unmapped := event()
	unmapped.Data = nil
	record, err = eventRecord("events", "e1", unmapped, dataNormalized)
	if err != nil || string(record.Value) != `{"b": 1}` {
		t.Errorf("unmapped: %q, %v", record.Value, err)
	}
}

func TestTheKeyIsWhatOrderDependsOn(t *testing.T) {
	of := event()
	for _, expected := range []string{"agents/a1", "agents/a1", "sessions/contact-centre", "-"} {
		if key := string(recordKey(of)); key != expected {
			t.Errorf("key %q, not %q", key, expected)
		}
		switch {
		case of.OrderingKey != "":
			of.OrderingKey = ""
		case of.Subject != "":
			of.Subject = ""
		default:
			of.Session = ""
		}
	}
}

func TestAGapIsToldToEveryPartition(t *testing.T) {
	gap := &pb.Gap{Cause: pb.Gap_CAUSE_TRIMMED, FirstSequence: 3, LastSequence: 9}
	records, err := gapRecords("events", 3, "journals/default", tieline.Position{Epoch: "e1", Sequence: 9}, gap, time.Now())
	if err != nil || len(records) != 3 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	place := partitioner{kgo.StickyKeyPartitioner(nil)}.ForTopic("events")
	for partition, record := range records {
		if got := place.Partition(record, 3); got != partition {
			t.Errorf("partition %d, not %d", got, partition)
		}
		if got := headers(t, record); got["ce_type"] != "tieline.gap.v1" || got["ce_id"] != "gap--e1-3-9" {
			t.Errorf("%v", got)
		}
	}
}

func TestWrongFlagsAreRefusedWithTheirMend(t *testing.T) {
	for _, wrong := range [][]string{
		{"-start", "yesterday"},
		{"-on-gap", "shrug"},
		{"-data", "xml"},
		{"-name", ""},
		{"-partitions", "0"},
		{"-topic", "a", "-positions", "a"},
	} {
		if _, err := parse(wrong); err == nil || !strings.Contains(err.Error(), wrong[0]) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	s, err := parse([]string{"-brokers", "a:1,b:2"})
	if err != nil || len(s.brokers) != 2 || s.onGap != tieline.ResumeAtEarliest {
		t.Errorf("%+v, %v", s, err)
	}
}

// The two topics: events, and the positions that are stored with them.

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	tieline "github.com/tieline/tieline/clients/go"
)

// topics are where a pipeline of a name writes.
type topics struct {
	name        string
	events      string
	positions   string
	partitions  int32
	replication int16
}

// ensure makes the topics that are missing, and refuses those that would lose a position. Takes the
// number of partitions from a topic that is there.
func (t *topics) ensure(ctx context.Context, client *kgo.Client) error {
	admin := kadm.NewClient(client)
	large := strconv.Itoa(largestRecord)
	compact, unlimited := "compact", "-1"
	for _, wanted := range []struct {
		topic      string
		partitions int32
		configs    map[string]*string
	}{
		{t.events, t.partitions, map[string]*string{"max.message.bytes": &large}},
		{t.positions, 1, map[string]*string{"cleanup.policy": &compact, "retention.ms": &unlimited}},
	} {
		_, err := admin.CreateTopic(ctx, wanted.partitions, t.replication, wanted.configs, wanted.topic)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return &kafkaError{fmt.Sprintf("make topic %s", wanted.topic), err}
		}
	}
	details, err := admin.ListTopics(ctx, t.events, t.positions)
	if err != nil {
		return &kafkaError{"describe topics", err}
	}
	if err := details.Error(); err != nil {
		return &kafkaError{"describe topics", err}
	}
	t.partitions = int32(len(details[t.events].Partitions))
	if count := len(details[t.positions].Partitions); count != 1 {
		return fmt.Errorf("topic %s has %d partitions: a topic of positions has 1; name another with --positions",
			t.positions, count)
	}
	configs, err := admin.DescribeTopicConfigs(ctx, t.positions)
	if err != nil {
		return &kafkaError{fmt.Sprintf("describe topic %s", t.positions), err}
	}
	for _, of := range configs {
		for _, config := range of.Configs {
			if config.Key == "cleanup.policy" && config.MaybeValue() != compact {
				return fmt.Errorf("topic %s has cleanup.policy=%s, which forgets positions: set it to compact",
					t.positions, config.MaybeValue())
			}
		}
	}
	return nil
}

// writerKey is where it stands who writes under a name.
func (t *topics) writerKey() string { return t.name + "/writer" }

// committed reads the positions topic to its end, committed records alone: the position of this name,
// and who wrote under it last.
func (t *topics) committed(ctx context.Context, brokers []string) (stored *tieline.Position, by string, err error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ClientID("tieline-kafka"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.positions: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Where a transaction ended counts as an offset: the last one is reached.
		kgo.KeepControlRecords(),
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return nil, "", fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, t.positions)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, "", &kafkaError{fmt.Sprintf("find the end of topic %s", t.positions), err}
	}
	end, _ := ends.Lookup(t.positions, 0)
	for read := int64(0); read < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, "", &kafkaError{fmt.Sprintf("read topic %s", t.positions), err}
		}
		for _, record := range fetches.Records() {
			read = record.Offset + 1
			if record.Attrs.IsControl() || string(record.Key) != t.name && string(record.Key) != t.writerKey() {
				continue
			}
			if string(record.Key) == t.writerKey() {
				by = string(record.Value)
				continue
			}
			at, err := tieline.ParsePosition(string(record.Value))
			if err != nil {
				return nil, "", fmt.Errorf("offset %d of topic %s: %w", record.Offset, t.positions, err)
			}
			stored = &at
		}
	}
	return stored, by, nil
}

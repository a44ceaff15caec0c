package msvm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// StatisticsMethod calls GetReplicationStatisticsEx of a host. The zero value can be used. It is safe for concurrent
// use.
type StatisticsMethod struct{ needsText atomic.Bool }

// Get calls the method for relationship r. If the host refuses the call of [GetReplicationStatistics] as an invalid
// parameter, Get repeats it with the host's own text of the relationship. If the host accepts that, all later calls
// have the host's own text, for which they call Texts of the reader.
func (m *StatisticsMethod) Get(
	ctx context.Context, reader wmiquery.Reader, service ReplicationService, k Key, r ReplicationRelationship,
) (wmiquery.Reply, error) {
	ctx = wmiquery.WithStartedOnce(ctx)
	if !m.needsText.Load() {
		call, err := GetReplicationStatistics(service, k, r)
		if err != nil {
			return wmiquery.Reply{}, err
		}
		reply, err := reader.Get(ctx, call)
		if err != nil || reply.Code != wmiquery.CodeInvalidParam {
			return reply, err
		}
	}
	text, err := relationshipText(ctx, reader, r.InstanceID)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	reply, err := reader.Get(ctx, statisticsCall(service, k, text))
	if err == nil && reply.Err() == nil {
		m.needsText.Store(true)
	}
	return reply, err
}

// NeedsText reports whether the host accepts only its own text of a relationship.
func (m *StatisticsMethod) NeedsText() bool { return m.needsText.Load() }

// RelationshipTexts is a Reader whose Texts reads the host once. It is for Texts of the relationships only, and for
// calls of [StatisticsMethod.Get] for many relationships.
type RelationshipTexts struct {
	wmiquery.Reader
	once  sync.Once
	texts []wmiquery.Embedded
	err   error
}

// Texts implements [wmiquery.Reader].
func (r *RelationshipTexts) Texts(ctx context.Context, class wmiquery.Class) ([]wmiquery.Embedded, error) {
	r.once.Do(func() { r.texts, r.err = r.Reader.Texts(ctx, class) })
	return r.texts, r.err
}

// relationshipText returns the host's own text of the relationship with an InstanceID.
func relationshipText(ctx context.Context, reader wmiquery.Reader, instanceID string) (wmiquery.Embedded, error) {
	class := ReplicationRelationship{}.WMIClass()
	texts, err := reader.Texts(ctx, class)
	if err != nil {
		return "", fmt.Errorf("text of the relationship: %w", err)
	}
	for _, text := range texts {
		var row struct{ InstanceID string }
		if _, err := cimxml.Unmarshal(string(text), &row); err == nil && row.InstanceID == instanceID {
			return text, nil
		}
	}
	return "", fmt.Errorf("text of the relationship: %w", wmiquery.ErrNotFound)
}

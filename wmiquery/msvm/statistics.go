package msvm

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// ReplicationStatistics is Msvm_ReplicationStatistics: what happened to one
// relationship in the monitoring window that is running. It is no stored
// object: only GetReplicationStatisticsEx gives it, a query for it gives nothing.
//
// Counts and sums fall to 0 when the window ends and when anybody resets them.
type ReplicationStatistics struct {
	StartStatisticTime *time.Time // start of the window
	// EndStatisticTime is when gathering stopped by the reference; while the
	// window runs it is about now.
	EndStatisticTime                          *time.Time
	ReplicationSuccessCount                   *uint32 // cycles
	ReplicationMissCount                      *uint32 // cycles
	ReplicationSize                           *uint64 // bytes, sum over the window
	MaxReplicationSize                        *uint64 // bytes, largest cycle
	ReplicationLatency                        *uint32 // seconds, sum over the window
	MaxReplicationLatency                     *uint32 // seconds, slowest cycle
	NetworkFailureCount                       *uint32
	ReplicationFailureCount                   *uint32
	ApplicationConsistentSnapshotFailureCount *uint32
	// PendingReplicationSize is bytes tracked and not yet sent, on the sending side.
	PendingReplicationSize *uint64
	ReplicationHealth      *uint32    // numbers of ReplicationHealth
	LastTestFailoverTime   *time.Time // never: 1601
}

// WMIClass is Msvm_ReplicationStatistics.
func (ReplicationStatistics) WMIClass() wmiquery.Class { return class(ClassReplicationStatistics) }

// What a host may answer instead of what it was asked for.
var (
	// ErrNoStatistics: the method completed and its array was null or empty.
	ErrNoStatistics = errors.New("the host gave no statistics")
	// ErrJobStarted: the method started a job, which has nowhere to leave the
	// answer. The reference allows it; Microsoft's own client ignores it.
	ErrJobStarted = errors.New("the host started a job instead of giving an answer")
)

// Out parameters of GetReplicationStatisticsEx and of GetSystemCertificates.
const (
	outStatistics   = "ReplicationStatistics"
	outIssues       = "ReplicationHealthIssues"
	outCertificates = "EncodedCertificates"
)

// GetReplicationStatistics asks service for the statistics of relationship r.
// Microsoft's own client sends the whole relationship, so this does too; that
// the key alone would do is not proven.
func GetReplicationStatistics(service ReplicationService, k Key, r ReplicationRelationship) (wmiquery.Call, error) {
	text, err := cimxml.Marshal(r.WMIClass().Name, r)
	if err != nil {
		return wmiquery.Call{}, err
	}
	return wmiquery.Call{
		Namespace: wmiquery.Virtualization,
		Object:    service.Ref(),
		Method:    MethodGetReplicationStatisticsEx,
		In: []wmiquery.Param{
			{Name: "ComputerSystem", Value: VMRef(k.VM)},
			{Name: "ReplicationRelationship", Value: wmiquery.Embedded(text)},
		},
	}, nil
}

// Statistics reads the answer to GetReplicationStatistics: the statistics and
// the health issues, of which there may be none. Its errors are a refusal
// (*wmiquery.CodeError), ErrJobStarted, ErrNoStatistics, and text that cannot be
// read.
func Statistics(reply wmiquery.Reply) (ReplicationStatistics, []Error, error) {
	var stats ReplicationStatistics
	if err := reply.Err(); err != nil {
		return stats, nil, err
	}
	if reply.Code == wmiquery.CodeJobStarted {
		return stats, nil, ErrJobStarted
	}
	texts := embedded(reply.Out[outStatistics])
	if len(texts) == 0 {
		return stats, nil, ErrNoStatistics
	}
	if err := unmarshal(texts[0], &stats); err != nil {
		return stats, nil, fmt.Errorf("%s: %w", outStatistics, err)
	}
	var issues []Error
	for _, text := range embedded(reply.Out[outIssues]) {
		var e Error
		if err := unmarshal(text, &e); err != nil {
			return stats, nil, fmt.Errorf("%s: %w", outIssues, err)
		}
		issues = append(issues, e)
	}
	return stats, issues, nil
}

// embedded is an out parameter that is an array of embedded instances, without
// the empty strings that Hyper-V may put among them.
func embedded(v any) []string {
	all, _ := v.([]string)
	var texts []string
	for _, s := range all {
		if s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

func unmarshal[T wmiquery.Instance](text string, dst *T) error {
	class, err := cimxml.Unmarshal(text, dst)
	if err != nil {
		return err
	}
	if want := (*dst).WMIClass().Name; !strings.EqualFold(class, want) {
		return fmt.Errorf("an instance of %q where one of %s belongs", class, want)
	}
	return nil
}

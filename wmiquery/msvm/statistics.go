package msvm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// ReplicationStatistics is Msvm_ReplicationStatistics: the statistics of a relationship in the current monitoring
// window. Only GetReplicationStatisticsEx returns instances. A query returns none.
//
// Counts and sums start at 0 in each window, and when somebody resets the statistics.
type ReplicationStatistics struct {
	StartStatisticTime *time.Time // start of the window
	// EndStatisticTime is documented as the end of the collection. During the window it is approximately the present.
	EndStatisticTime                          *time.Time
	ReplicationSuccessCount                   *uint32 // replication cycles
	ReplicationMissCount                      *uint32 // replication cycles
	ReplicationSize                           *uint64 // bytes, total of the window
	MaxReplicationSize                        *uint64 // bytes, of the largest cycle
	ReplicationLatency                        *uint32 // seconds, total of the window
	MaxReplicationLatency                     *uint32 // seconds, of the slowest cycle
	NetworkFailureCount                       *uint32
	ReplicationFailureCount                   *uint32
	ApplicationConsistentSnapshotFailureCount *uint32
	// PendingReplicationSize is the number of bytes that were changed and have not been sent, on the sending side.
	PendingReplicationSize *uint64
	ReplicationHealth      *uint32    // see the type ReplicationHealth
	LastTestFailoverTime   *time.Time // see Known
}

// WMIClass returns Msvm_ReplicationStatistics.
func (ReplicationStatistics) WMIClass() wmiquery.Class { return class(ClassReplicationStatistics) }

// Errors of replies without the requested data.
var (
	// ErrNoStatistics means that the method has completed and the array of statistics is null or empty.
	ErrNoStatistics = errors.New("the host returned no statistics")
	// ErrJobStarted means that the method has started a job. A job cannot return out parameters. The reference allows
	// such a reply; Microsoft's own client ignores it.
	ErrJobStarted = errors.New("the host started a job instead of returning data")
)

// Out parameters of GetReplicationStatisticsEx and GetSystemCertificates.
const (
	outStatistics   = "ReplicationStatistics"
	outIssues       = "ReplicationHealthIssues"
	outCertificates = "EncodedCertificates"
)

// GetReplicationStatistics returns the call of GetReplicationStatisticsEx for relationship r. The call has the
// properties of r, not all that the host has. Whether they are sufficient is not known: Microsoft's own client sends
// all.
func GetReplicationStatistics(service ReplicationService, k Key, r ReplicationRelationship) (wmiquery.Call, error) {
	text, err := cimxml.Marshal(r.WMIClass().Name, r)
	if err != nil {
		return wmiquery.Call{}, err
	}
	return statisticsCall(service, k, wmiquery.Embedded(text)), nil
}

// statisticsCall returns the call of GetReplicationStatisticsEx with the text of a relationship.
func statisticsCall(service ReplicationService, k Key, text wmiquery.Embedded) wmiquery.Call {
	return wmiquery.Call{
		Namespace: wmiquery.Virtualization,
		Object:    service.Ref(),
		Method:    MethodGetReplicationStatisticsEx,
		In: []wmiquery.Param{
			{Name: "ComputerSystem", Value: VMRef(k.VM)},
			{Name: "ReplicationRelationship", Value: text},
		},
	}
}

// Statistics returns the statistics and the health issues in the reply to GetReplicationStatistics. There may be no
// health issues. It fails with a *wmiquery.CodeError, with ErrJobStarted or ErrNoStatistics. If some values are
// invalid, it returns all others and a *wmiquery.InvalidValuesError. An embedded instance that cannot be read is left
// out; statistics that cannot be read have null in all fields.
func Statistics(reply wmiquery.Reply) (ReplicationStatistics, []Error, error) {
	var stats ReplicationStatistics
	if err := reply.Err(); err != nil {
		return stats, nil, err
	}
	if reply.Code == wmiquery.CodeJobStarted {
		return stats, nil, ErrJobStarted
	}
	texts := embedded(reply.Out[outStatistics])
	if len(texts) == 0 && !slices.ContainsFunc(reply.Invalid, isStatistics) {
		return stats, nil, ErrNoStatistics
	}
	invalid := slices.Clone(reply.Invalid)
	all, invalid := unmarshalAll[ReplicationStatistics](outStatistics, texts[:min(1, len(texts))], invalid)
	if len(all) > 0 {
		stats = all[0]
	}
	issues, invalid := unmarshalAll[Error](outIssues, embedded(reply.Out[outIssues]), invalid)
	return stats, issues, wmiquery.NewInvalidValuesError(invalid)
}

// isStatistics reports whether v is the out parameter with the statistics.
func isStatistics(v wmiquery.InvalidValue) bool { return v.Property == outStatistics }

// embedded returns the elements of an out parameter that is an array of embedded instances. It leaves out empty
// strings, which Hyper-V may return as elements.
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

// unmarshalAll reads embedded instances of T's class from an out parameter. It leaves out those that cannot be read,
// and appends these and invalid values to invalid.
func unmarshalAll[T wmiquery.Instance](
	parameter string, texts []string, invalid []wmiquery.InvalidValue,
) ([]T, []wmiquery.InvalidValue) {
	want := (*new(T)).WMIClass().Name
	var all []T
	for _, text := range texts {
		var instance T
		class, err := cimxml.Unmarshal(text, &instance)
		if class != "" && !strings.EqualFold(class, want) {
			err = fmt.Errorf("found an instance of %.60q, want one of %s", class, want)
		}
		var ok bool
		if invalid, ok = wmiquery.AppendInvalid(invalid, want, parameter, len(all), &instance, err); ok {
			all = append(all, instance)
		}
	}
	return all, invalid
}

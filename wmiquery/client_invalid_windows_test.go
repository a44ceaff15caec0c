package wmiquery_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// replySession is a session whose calls return a reply.
type replySession struct {
	wmiquery.Session
	out map[string]any
}

func (s replySession) Call(wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{Out: s.out}, nil
}

// An out parameter whose value has another type is null. The reply has the others, and describes this one.
func TestCOMReplyWithInvalidOutParameter(t *testing.T) {
	host := &fakewmi.Host{}
	com, direct := openSessions(t, host)
	call := statisticsCall(t, com)
	good, err := direct.Call(call)
	if err != nil {
		t.Fatal(err)
	}
	open := host.Open
	host.Open = func() (wmiquery.Session, error) {
		s, err := open()
		return replySession{s, map[string]any{
			"ReplicationStatistics": good.Out["ReplicationStatistics"], "ReplicationHealthIssues": true,
		}}, err
	}
	session, err := wmiquery.OpenCOM()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	reply, err := session.Call(call)
	if err != nil || len(reply.Invalid) != 1 || reply.Out["ReplicationHealthIssues"] != nil {
		t.Fatalf("got reply %+v, error %v", reply, err)
	}
	v := reply.Invalid[0]
	if v.Class != msvm.ClassReplicationService || v.Instance != msvm.MethodGetReplicationStatisticsEx ||
		v.Property != "ReplicationHealthIssues" || !strings.Contains(v.Err.Error(), "bool") {
		t.Errorf("got invalid value %+v", v)
	}
	stats, _, err := msvm.Statistics(reply)
	if invalid, ok := wmiquery.InvalidValues(err); !ok || len(invalid) != 1 || stats.StartStatisticTime == nil {
		t.Errorf("got statistics %+v, error %v", stats, err)
	}
}

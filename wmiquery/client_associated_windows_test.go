package wmiquery_test

import (
	"errors"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The query is the WQL statement that Microsoft's sample for failover settings results in. The path is as the host
// returns it in an association, without the host and the namespace.
// Source: MicrosoftDocs/win32, WmiSdk, associators-of-statement.md.
func TestCOMAssociatedQuery(t *testing.T) {
	var queries []string
	com, _ := openSessions(t, &fakewmi.Host{
		MissingProperties: map[string]bool{"DNSServers": true},
		Before: func(operation, subject string) error {
			if operation == "query" {
				queries = append(queries, subject)
			}
			return nil
		},
	})
	component := all[msvm.EthernetPortFailoverSettingDataComponent](t, com)[0]
	class := wmiquery.Class{Namespace: `root\virtualization\v2`, Name: "Msvm_EthernetPortFailoverSettingDataComponent"}
	var rows []msvm.FailoverNetworkAdapterSettingData
	if err := com.Associated(&rows, component.GroupComponent, class); err != nil || len(rows) != 1 {
		t.Fatalf("got %d rows, error %v", len(rows), err)
	}
	if rows[0].ProtocolIFType == nil || rows[0].DNSServers != nil {
		t.Errorf("got %+v, want all properties but the missing one", rows[0])
	}
	const start = `ASSOCIATORS OF {Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:`
	const end = `} WHERE AssocClass = Msvm_EthernetPortFailoverSettingDataComponent ` +
		`ResultClass = Msvm_FailoverNetworkAdapterSettingData`
	if q := queries[1]; len(queries) != 2 || !strings.HasPrefix(q, start) || !strings.HasSuffix(q, end) ||
		strings.Count(q, `\\`) != 1 {
		t.Errorf("got queries %q", queries)
	}
}

// WQL has no escape for a brace, so that a path with a brace could end early and change the query. It is not sent.
func TestCOMAssociatedRejectsBraces(t *testing.T) {
	sent := false
	com, _ := openSessions(t, &fakewmi.Host{Before: func(operation, _ string) error {
		sent = sent || operation == "query"
		return nil
	}})
	for _, path := range []wmiquery.Ref{`C.K="a}"`, `C.K="{a"`, `C.K="a"} WHERE ResultClass = X {`} {
		var rows []msvm.FailoverNetworkAdapterSettingData
		err := com.Associated(&rows, path, msvm.EthernetPortFailoverSettingDataComponent{}.WMIClass())
		if !errors.Is(err, wmiquery.ErrUnsupported) || !strings.Contains(err.Error(), "brace") || sent {
			t.Errorf("%s: got error %v, query sent: %v", path, err, sent)
		}
	}
}

// If the enumeration ends early, Associated returns an error and no rows.
func TestCOMAssociatedFailsIfEnumerationEndsEarly(t *testing.T) {
	fails := false
	com, _ := openSessions(t, &fakewmi.Host{Before: func(operation, _ string) error {
		if operation == "next" && fails {
			return &fakewmi.Exception{SCode: 0x80041001, Description: "Generic failure"}
		}
		return nil
	}})
	component := all[msvm.EthernetPortFailoverSettingDataComponent](t, com)[0]
	fails = true
	var rows []msvm.FailoverNetworkAdapterSettingData
	err := com.Associated(&rows, component.GroupComponent, msvm.EthernetPortFailoverSettingDataComponent{}.WMIClass())
	if !errors.Is(err, wmiquery.ErrUnavailable) || len(rows) > 0 {
		t.Errorf("got %d rows, error %v", len(rows), err)
	}
}

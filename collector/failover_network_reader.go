package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// operationAssociatorsOf is the name of a query for the failover settings of an adapter in metrics and in the log. It
// is that of the method of SWbemServices that makes such a query.
const operationAssociatorsOf = "AssociatorsOf"

// adapterReader reads the failover settings of adapters that the object path does not assign settings to, with one
// query for each adapter.
type adapterReader struct {
	view     *view
	vms      vmsByID
	adapters []wmiquery.Ref

	// configurations has the configurations by the path of the adapter in lower case, without those that are not
	// available.
	configurations map[wmiquery.Ref]string
	invalid        []wmiquery.InvalidValue // of configurationProperties
}

// newAdapterReader returns a reader, and removes the state of the queries for other adapters.
func newAdapterReader(
	v *view, settings []msvm.FailoverNetworkAdapterSettingData,
	components []msvm.EthernetPortFailoverSettingDataComponent, vms vmsByID,
) *adapterReader {
	r := &adapterReader{
		view: v, vms: vms, adapters: msvm.AdaptersToQuery(settings, components, vms.has),
		configurations: map[wmiquery.Ref]string{},
	}
	keys := make(map[string]bool, len(r.adapters))
	for _, adapter := range r.adapters {
		keys[adapterKey(adapter)] = true
	}
	v.prune(func(key string) bool { return strings.HasPrefix(key, operationAssociatorsOf) && !keys[key] })
	return r
}

// adapterKey returns the key of the query for the settings of an adapter.
func adapterKey(adapter wmiquery.Ref) string {
	return operationAssociatorsOf + " " + string(lowerRef(adapter))
}

// readAll reads the settings of all adapters. All queries are started at once, see statisticsReader.readAll. If the
// host does not respond to the query for all settings, it will not respond to these either, and together they could
// take all workers: then readAll uses the last responses.
func (r *adapterReader) readAll(ctx context.Context) error {
	read := func(q query) (response, error) { return r.view.get(ctx, q) }
	if r.view.isOverdue(msvm.FailoverNetworkAdapterSettingData{}.WMIClass().Name) {
		read = r.view.last
	} else {
		for _, adapter := range r.adapters {
			r.view.join(r.query(adapter))
		}
	}
	errs := make([]error, len(r.adapters))
	for i, adapter := range r.adapters {
		response, err := read(r.query(adapter))
		if errs[i] = err; err == nil {
			r.configurations[lowerRef(adapter)] = r.configuration(response)
		}
	}
	return newErrorList("failover settings", "network adapters", errs, func(i int) string {
		id := msvm.VMOf(r.adapters[i])
		return fmt.Sprintf("%.100s (%s)", displayName(r.vms.name(id), id), id)
	})
}

// query returns the query for the settings of an adapter.
func (r *adapterReader) query(adapter wmiquery.Ref) query {
	run := func(ctx context.Context) (any, error) {
		return wmiquery.AllAssociated[msvm.FailoverNetworkAdapterSettingData](
			ctx, r.view.reader, adapter, msvm.EthernetPortFailoverSettingDataComponent{}.WMIClass())
	}
	return query{key: adapterKey(adapter), operation: operationAssociatorsOf, run: run, rare: true}
}

// configuration returns the configuration of an adapter. The host returns the settings of the adapter once for each
// association. The configuration is unknown if there are none, if configurations differ, or if a value is invalid.
func (r *adapterReader) configuration(response response) string {
	isUnknown := false
	for _, i := range response.invalid {
		if i.Row < 0 || slices.Contains(configurationProperties, i.Property) {
			isUnknown = true
			r.invalid = append(r.invalid, i)
		}
	}
	var all []string
	for _, s := range response.value.([]msvm.FailoverNetworkAdapterSettingData) {
		all = append(all, failoverConfiguration(s))
	}
	if all = slices.Compact(all); isUnknown || len(all) != 1 {
		return "unknown"
	}
	return all[0]
}

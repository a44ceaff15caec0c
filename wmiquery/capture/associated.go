package capture

import (
	"context"
	"reflect"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/replay"
)

// failoverNetworks reads the failover settings of the adapters for which a scrape does, too.
func (r *recorder) failoverNetworks(ctx context.Context) ([]replay.RecordedAssociators, error) {
	adapters := msvm.AdaptersToQuery(r.failoverSettings, r.failoverComponents, func(id string) bool { return r.vms[id] })
	r.total += len(adapters)
	association := msvm.EthernetPortFailoverSettingDataComponent{}.WMIClass()
	var all []replay.RecordedAssociators
	for _, adapter := range adapters {
		a := replay.RecordedAssociators{Of: adapter, Association: association.Name}
		var rows []msvm.FailoverNetworkAdapterSettingData
		var err error
		a.Duration, a.Err, err = r.timed(ctx, msvm.ClassFailoverNetworkAdapterSettingData,
			func(ctx context.Context) (err error) {
				rows, err = wmiquery.AllAssociated[msvm.FailoverNetworkAdapterSettingData](ctx, r.Reader, adapter, association)
				return err
			})
		if err != nil {
			return nil, err
		}
		r.report(msvm.ClassFailoverNetworkAdapterSettingData+" of "+string(adapter), a.Err)
		if _, ok := wmiquery.InvalidValues(a.Err); ok {
			a.Instances, err = instances(msvm.ClassFailoverNetworkAdapterSettingData, reflect.ValueOf(rows), a.Err)
			if err != nil {
				return nil, err
			}
			a.Err = nil
		}
		all = append(all, a)
	}
	return all, nil
}

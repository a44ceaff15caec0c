package doctor

import (
	"context"
	"fmt"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// maxAdapters is the maximum number of adapters whose failover settings are queried.
const maxAdapters = 2

// failoverNetworks describes the failover settings of network adapters.
type failoverNetworks struct {
	adapters []wmiquery.Ref // those whose settings a scrape queries
	queried  []associatedSettings
}

// associatedSettings is a query for the settings of an adapter.
type associatedSettings struct {
	result
	settings int // number of instances
}

// readFailoverNetworks queries the settings of the first adapters for which a scrape does, too.
func (h *host) readFailoverNetworks(ctx context.Context) error {
	vms := map[string]bool{}
	for _, vm := range rowsOf[msvm.ComputerSystem](h) {
		vms[strings.ToUpper(vm.Name)] = vm.IsVM()
	}
	n := &h.failoverNetworks
	n.adapters = msvm.AdaptersToQuery(rowsOf[msvm.FailoverNetworkAdapterSettingData](h),
		rowsOf[msvm.EthernetPortFailoverSettingDataComponent](h), func(id string) bool { return vms[id] })
	for _, adapter := range n.adapters[:min(maxAdapters, len(n.adapters))] {
		h.total++
		var q associatedSettings
		var err error
		q.result, err = h.timed(ctx, "settings of an adapter", func(ctx context.Context) error {
			settings, err := wmiquery.AllAssociated[msvm.FailoverNetworkAdapterSettingData](
				ctx, h.Reader, adapter, msvm.EthernetPortFailoverSettingDataComponent{}.WMIClass())
			q.settings = len(settings)
			return err
		})
		if err != nil {
			return err
		}
		if _, ok := wmiquery.InvalidValues(q.err); ok {
			q.err = nil
		}
		n.queried = append(n.queried, q)
	}
	return nil
}

// describeQueries describes the queries for adapters.
func (h *host) describeQueries() string {
	n := h.failoverNetworks
	var all []string
	for _, q := range n.queried {
		text := plural(q.settings, "instance")
		if q.err != nil {
			text = h.describe(q.err)
		}
		all = append(all, fmt.Sprintf("%s after %v", text, rounded(q.took)))
	}
	return fmt.Sprintf("%s without a path to settings; the association has for the first of them: %s",
		plural(len(n.adapters), "adapter"), list(all))
}

func checkFailoverNetworks(h *host) Row {
	components := tableOf[msvm.EthernetPortFailoverSettingDataComponent](h)
	n := h.failoverNetworks
	if err := unread(tableOf[msvm.FailoverNetworkAdapterSettingData](h), components); err != nil {
		return seen(NotChecked, "a class cannot be read: %s", h.describe(err))
	}
	if components.count == 0 {
		return seen(NotChecked, "no associations")
	}
	if len(n.adapters) == 0 {
		return seen(OK, "%s, none needs a query", plural(components.count, "association"))
	}
	for _, q := range n.queried {
		if q.err != nil {
			return seen(Failed, "%s", h.describeQueries()).advise(adviceFor(q.err))
		}
		if q.settings == 0 {
			return seen(Warning, "%s", h.describeQueries()).
				advise("The configuration of such an adapter is unknown: report it to the project with this list")
		}
	}
	return seen(OK, "%s", h.describeQueries())
}

func answerFailoverNetworks(h *host) Row {
	settings := tableOf[msvm.FailoverNetworkAdapterSettingData](h)
	components := rowsOf[msvm.EthernetPortFailoverSettingDataComponent](h)
	if err := unread(settings, tableOf[msvm.EthernetPortFailoverSettingDataComponent](h)); err != nil {
		return seen(NotChecked, "a class cannot be read: %s", h.describe(err))
	}
	if settings.count == 0 && len(components) == 0 {
		return seen(NotChecked, "no failover settings")
	}
	nulls := 0
	for _, s := range rowsOf[msvm.FailoverNetworkAdapterSettingData](h) {
		if s.Ref() == "" {
			nulls++
		}
	}
	text := fmt.Sprintf("InstanceID is null in %d of %s", nulls, plural(settings.count, "instance"))
	if len(h.failoverNetworks.queried) > 0 {
		text += "; " + h.describeQueries()
	}
	if len(components) > 0 {
		text += fmt.Sprintf("; the first association has the paths %s and %s",
			h.path(string(components[0].GroupComponent)), h.path(string(components[0].PartComponent)))
	}
	return seen(Answered, "%s", text)
}

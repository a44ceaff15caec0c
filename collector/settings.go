package collector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	relationshipInfo = gauge("relationship_info",
		"Servers, port, authentication and provider of the relationship, and mode of the VM; replica_port is the TCP port "+
			"of the replica server; always 1, absent if the VMs cannot be read.",
		perRelationship("mode", "primary_server", "replica_server",
			"primary_connection_point", "replica_connection_point", "replica_port", "authentication", "provider")...)
	interval = gauge("interval_seconds",
		"Configured time between two replication cycles.", perRelationship()...)
	rpoObjective = gauge("rpo_objective_seconds",
		"Recovery point objective, the maximum acceptable lag: set with --rpo.objective, else twice the interval.",
		perRelationship()...)
	rpoObjectiveSet = gauge("rpo_objective_set",
		"1 if hyperv_replica_rpo_objective_seconds was set with --rpo.objective, 0 if it is the default.",
		perRelationship()...)
	consistentInterval = gauge("application_consistent_interval_seconds",
		"Configured time between two application-consistent recovery points; absent if they are disabled.",
		perRelationship()...)
	recoveryPointsConfigured = gauge("recovery_points_configured",
		"Number of recovery points to keep in addition to the latest state.", perRelationship()...)
	compressionEnabled = gauge("compression_enabled",
		"1 if replication traffic is compressed, 0 if not.", perRelationship()...)
	autoResynchronizeEnabled = gauge("auto_resynchronize_enabled",
		"1 if a required resynchronization starts automatically within its window, 0 if not.", perRelationship()...)
	proxyBypassEnabled = gauge("proxy_bypass_enabled",
		"1 if replication bypasses the proxy server, 0 if not.", perRelationship()...)
	kvpReplicationEnabled = gauge("kvp_replication_enabled",
		"1 if the key-value pairs exchanged with the guest are replicated, 0 if not.", perRelationship()...)
	autoResynchronizeStart = gauge("auto_resynchronize_window_start_seconds",
		"Start of the window for automatic resynchronization, in seconds after midnight in the host's local time.",
		perRelationship()...)
	autoResynchronizeEnd = gauge("auto_resynchronize_window_end_seconds",
		"End of the window for automatic resynchronization, in seconds after midnight in the host's local time; on the "+
			"next day if it is before the start.",
		perRelationship()...)
	includedDisks = gauge("included_disks",
		"Number of virtual disks that are replicated.", perRelationship()...)
)

// settingsCollector exposes the settings of each relationship that replicates. If
// the modes of the VMs cannot be read, the label mode is empty.
func settingsCollector(objectives func() []Objective) Collector {
	return Collector{
		Name:    "settings",
		Help:    "Settings of each relationship: servers, interval, objective, recovery points, resynchronization window.",
		Default: true,
		Reads:   instancesOf(msvm.ReplicationRelationship{}, msvm.ReplicationSettingData{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{
			relationshipInfo, interval, rpoObjective, rpoObjectiveSet, consistentInterval, recoveryPointsConfigured,
			compressionEnabled, autoResynchronizeEnabled, proxyBypassEnabled, kvpReplicationEnabled, autoResynchronizeStart,
			autoResynchronizeEnd, includedDisks,
		},
		collect: func(ctx context.Context, v *view, out *output) error {
			relationships, relationshipErr := readRelationships(ctx, v)
			settings, settingsErr := read[msvm.ReplicationSettingData](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			current := replicating(relationships.rows)
			errs := []error{relationshipErr, relationships.invalid, settingsErr, vmErr, checkSettings(v, current)}
			missing := maps.Clone(current)
			var rules []Objective
			if objectives != nil {
				rules = objectives()
			}
			for _, row := range settings.rows {
				key, err := msvm.ParseKey(row.InstanceID)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				if r, ok := missing[key]; ok {
					delete(missing, key)
					if vmErr == nil { // without the mode, it would be another series
						out.add(relationshipInfo, 1, r.labels, infoLabels(row, vms[key.VM])...)
					}
					collectSettings(row, r, rules, out)
				}
			}
			if settingsErr == nil {
				errs = append(errs, missingSettings(missing))
			}
			return errors.Join(errs...)
		},
	}
}

// checkSettings returns an error if the host has returned invalid values that the
// collector would have shown. The relationships are those that replicate.
func checkSettings(v *view, relationships map[msvm.Key]relationship) error {
	return errors.Join(
		checkShown(v, isReplicating, "InstanceID", "ElementName", "ReplicationState"),
		checkShown(v, vmIn(replicatingVMs(relationships)), "Name", "ReplicationMode"),
		checkShown(v, func(s msvm.ReplicationSettingData) bool {
			key, err := msvm.ParseKey(s.InstanceID)
			_, ok := relationships[key]
			return err != nil || ok
		}, "InstanceID", "AuthenticationType", "CompressionEnabled", "BypassProxyServer",
			"RecoveryConnectionPoint", "RecoveryHostSystem", "PrimaryConnectionPoint", "PrimaryHostSystem",
			"RecoveryServerPortNumber", "ReplicateHostKvpItems",
			"ApplicationConsistentSnapshotInterval", "RecoveryHistory", "IncludedDisks", "AutoResynchronizeEnabled",
			"AutoResynchronizeIntervalStart", "AutoResynchronizeIntervalEnd", "ReplicationProvider",
			"ReplicationInterval"),
	)
}

// missingSettings returns an error if there are relationships without settings.
// They have no objective, so no alert would fire if they miss it.
func missingSettings(relationships map[msvm.Key]relationship) error {
	if len(relationships) == 0 {
		return nil
	}
	var ids []string
	for k := range relationships {
		ids = append(ids, k.InstanceID())
	}
	slices.Sort(ids)
	return fmt.Errorf("settings of %d replicating relationships, such as %s: not found", len(ids), ids[0])
}

// infoLabels returns the labels of relationship_info besides those of the relationship.
func infoLabels(s msvm.ReplicationSettingData, vm vm) labels {
	var authentication, mode, port string
	if s.AuthenticationType != nil {
		authentication = s.AuthenticationType.String()
	}
	if m, ok := vm.Mode(); ok {
		mode = m.String()
	}
	if n := s.RecoveryServerPortNumber; n != nil && *n > 0 {
		port = strconv.Itoa(int(*n))
	}
	return labels{
		label("mode", mode),
		label("primary_server", s.PrimaryServer()),
		label("replica_server", msvm.StringOrEmpty(s.RecoveryHostSystem)),
		label("primary_connection_point", msvm.StringOrEmpty(s.PrimaryConnectionPoint)),
		label("replica_connection_point", msvm.StringOrEmpty(s.RecoveryConnectionPoint)),
		label("replica_port", port),
		label("authentication", authentication),
		label("provider", s.ProviderID()),
	}
}

func collectSettings(s msvm.ReplicationSettingData, r relationship, objectives []Objective, out *output) {
	l := r.labels
	every, known := s.Interval()
	if known {
		out.add(interval, every.Seconds(), l)
	}
	if o, isSet := objectiveFor(objectives, msvm.StringOrEmpty(r.ElementName), r.key.VM, every); o > 0 {
		out.add(rpoObjective, o.Seconds(), l)
		out.addBool(rpoObjectiveSet, &isSet, l)
	}
	if h := s.ApplicationConsistentSnapshotInterval; h != nil && *h > 0 {
		out.add(consistentInterval, (time.Duration(*h) * time.Hour).Seconds(), l)
	}
	addNumber(out, recoveryPointsConfigured, s.RecoveryHistory, l)
	out.addBool(compressionEnabled, s.CompressionEnabled, l)
	out.addBool(autoResynchronizeEnabled, s.AutoResynchronizeEnabled, l)
	out.addBool(proxyBypassEnabled, s.BypassProxyServer, l)
	out.addBool(kvpReplicationEnabled, s.ReplicateHostKvpItems, l)
	addDuration(out, autoResynchronizeStart, s.AutoResynchronizeIntervalStart, l)
	addDuration(out, autoResynchronizeEnd, s.AutoResynchronizeIntervalEnd, l)
	if s.IncludedDisks != nil {
		out.add(includedDisks, float64(len(s.IncludedDisks)), l)
	}
}

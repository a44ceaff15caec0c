package collector

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	up = gauge("up",
		"1 if the replication service of Hyper-V responds and the relationships can be read, in this scrape or with a "+
			"response that is late and at most --scrape.max-age old; 0 if not: no permission, no Hyper-V role, service vmms "+
			"stopped, damaged WMI classes, or no response.")
	serviceStatus = gauge("service_status",
		"Status of the replication service (Msvm_ReplicationService.OperationalStatus): 1 for the current status, 0 for "+
			"the others; error means that a listener is not running.",
		"status")
	serverInfo = gauge("server_info",
		"Authentication and ports of the host as a replica server; always 1.", "authentication", "http_port", "https_port")
	serverEnabled = gauge("server_enabled",
		"1 if the host is enabled as a replica server, 0 if not.")
	monitoringInterval = gauge("monitoring_interval_seconds",
		"Length of a monitoring window; the statistics restart at 0 at its end.")
	monitoringStart = gauge("monitoring_start_seconds",
		"Start of the first monitoring window of the day, in seconds after midnight UTC.")
)

// statusValues are the documented statuses of the service and of a provider, and other.
var statusValues = newStateSet("status", []string{"ok", "error", "other"})

func statusName(n uint16) string {
	switch n {
	case msvm.StatusOK:
		return "ok"
	case msvm.StatusError:
		return "error"
	}
	return "other"
}

// serviceCollector exposes whether Hyper-V can be read at all, and the settings of
// the host as a replica server.
func serviceCollector() Collector {
	return Collector{
		Name:    "service",
		Help:    "Whether Hyper-V can be read, status of the replication service, and settings of the replica server.",
		Default: true,
		Reads: instancesOf(msvm.ReplicationService{}, msvm.ReplicationRelationship{},
			msvm.ReplicationServiceSettingData{}),
		Metrics: []*Metric{up, serviceStatus, serverInfo, serverEnabled, monitoringInterval, monitoringStart},
		collect: func(ctx context.Context, v *view, out *output) error {
			services, serviceErr := read[msvm.ReplicationService](ctx, v)
			_, relationshipErr := read[msvm.ReplicationRelationship](ctx, v)
			out.add(up, boolToFloat(isUp(v, serviceErr, relationshipErr)), nil)
			for _, s := range services.rows[:min(1, len(services.rows))] {
				if len(s.OperationalStatus) > 0 {
					out.addStates(serviceStatus, statusValues, statusName(s.OperationalStatus[0]), nil)
					warnStatus(out, s)
				}
			}
			settings, settingsErr := read[msvm.ReplicationServiceSettingData](ctx, v)
			for _, s := range settings.rows[:min(1, len(settings.rows))] {
				collectServer(s, out)
			}
			return errors.Join(serviceErr, relationshipErr, settingsErr,
				checkShown(v, every[msvm.ReplicationService], "OperationalStatus"),
				checkShown(v, every[msvm.ReplicationServiceSettingData], "AllowedAuthenticationType", "HttpPort",
					"HttpsPort", "RecoveryServerEnabled", "MonitoringInterval", "MonitoringStartTime"))
		},
	}
}

// isUp returns the value of up after the replication service and the relationships
// have been read with the results errs. If a response is late, the last one counts
// up to the maximum age of a response, but not if the connection is lost or the
// host hangs.
func isUp(v *view, errs ...error) bool { return errors.Join(errs...) == nil && !v.lost }

// warnStatus logs the description that Windows gives for a status that is not OK.
func warnStatus(out *output, s msvm.ReplicationService) {
	if status := s.OperationalStatus[0]; status != msvm.StatusOK {
		out.warn(fmt.Sprint("status ", status), "replication service status is not OK",
			"status", status, "description", fmt.Sprintf("%.1000s", fmt.Sprint(s.StatusDescriptions)))
	}
}

func collectServer(s msvm.ReplicationServiceSettingData, out *output) {
	if s.AllowedAuthenticationType != nil && s.HttpPort != nil && s.HttpsPort != nil {
		out.add(serverInfo, 1, newLabels(
			"authentication", s.AllowedAuthenticationType.String(),
			"http_port", strconv.Itoa(int(*s.HttpPort)),
			"https_port", strconv.Itoa(int(*s.HttpsPort))))
	}
	out.addBool(serverEnabled, s.RecoveryServerEnabled, nil)
	addNumber(out, monitoringInterval, s.MonitoringInterval, nil)
	addDuration(out, monitoringStart, s.MonitoringStartTime, nil)
}

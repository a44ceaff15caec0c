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
		"1 if Hyper-V's replication service could be read in this scrape, 0 if not: no rights, no Hyper-V, vmms stopped, or no answer in time.")
	serviceStatus = gauge("service_status",
		"Status of the replication service (Msvm_ReplicationService.OperationalStatus), error meaning that a listener does not run: 1 for the current one, 0 for the others.", "status")
	serverInfo = gauge("server_info",
		"How the host takes in replication as a replica server; always 1.", "authentication", "http_port", "https_port")
	serverEnabled = gauge("server_enabled",
		"1 if the host is enabled as a replica server.")
	monitoringInterval = gauge("monitoring_interval_seconds",
		"Length of a monitoring window, after which the statistics start anew.")
	monitoringStart = gauge("monitoring_start_seconds",
		"Start of a day's first monitoring window, seconds after midnight UTC.")
)

// statusValues has a name for each documented status of the service.
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

// serviceCollector tells whether Hyper-V can be read at all, and how the host is
// set up as a replica server.
func serviceCollector() Collector {
	return Collector{
		Name:    "service",
		Help:    "Whether Hyper-V can be read, status of the replication service, settings of the replica server.",
		Default: true,
		Reads:   rowsOf(msvm.ReplicationService{}, msvm.ReplicationServiceSettingData{}),
		Metrics: []*Metric{up, serviceStatus, serverInfo, serverEnabled, monitoringInterval, monitoringStart},
		collect: func(ctx context.Context, v *view, out *output) error {
			services, svcErr := read[msvm.ReplicationService](ctx, v)
			out.add(up, boolean(svcErr == nil && len(v.late) == 0), nil)
			for _, s := range services.rows[:min(1, len(services.rows))] {
				if len(s.OperationalStatus) > 0 {
					out.states(serviceStatus, statusValues, statusName(s.OperationalStatus[0]), nil)
					noteStatus(out, s)
				}
			}
			settings, setErr := read[msvm.ReplicationServiceSettingData](ctx, v)
			for _, s := range settings.rows[:min(1, len(settings.rows))] {
				collectServer(s, out)
			}
			return errors.Join(svcErr, setErr)
		},
	}
}

// noteStatus passes on Windows' own words for a status that is not OK.
func noteStatus(out *output, s msvm.ReplicationService) {
	if status := s.OperationalStatus[0]; status != msvm.StatusOK {
		out.note(fmt.Sprint("status ", status), "the replication service is not well",
			"status", status, "description", fmt.Sprint(s.StatusDescriptions))
	}
}

func collectServer(s msvm.ReplicationServiceSettingData, out *output) {
	if s.AllowedAuthenticationType != nil && s.HttpPort != nil && s.HttpsPort != nil {
		out.add(serverInfo, 1, newLabels(
			"authentication", s.AllowedAuthenticationType.String(),
			"http_port", strconv.Itoa(int(*s.HttpPort)),
			"https_port", strconv.Itoa(int(*s.HttpsPort))))
	}
	out.flag(serverEnabled, s.RecoveryServerEnabled, nil)
	addNumber(out, monitoringInterval, s.MonitoringInterval, nil)
	addDuration(out, monitoringStart, s.MonitoringStartTime, nil)
}

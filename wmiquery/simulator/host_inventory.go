package simulator

import (
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// applyDefaults sets the configuration that the hosts have at the start.
func (h *host) applyDefaults(w *World) {
	h.settings.LaterBuildSetting = new("of the host <" + h.name + ">")
	h.settings.ReplicationServiceSettingData = msvm.ReplicationServiceSettingData{
		InstanceID:                "Microsoft:" + h.name + `\ReplicationService`, // the format is not documented
		RecoveryServerEnabled:     new(true),
		AllowedAuthenticationType: new(msvm.AuthenticationBoth),
		CertificateThumbPrint:     new(w.certificates.current.thumbprint),
		HttpPort:                  new(uint16(kerberosPort)),
		HttpsPort:                 new(uint16(certificatePort)),
		MonitoringInterval:        new(uint32(w.cfg.MonitoringInterval / time.Second)),
		MonitoringStartTime:       new(*w.cfg.MonitoringStart),
	}
	allow := func(server, folder, group string) {
		h.authorizations = append(h.authorizations, msvm.ReplicationAuthorizationSettingData{
			AllowedPrimaryHostSystem: &server, ReplicaStorageLocation: &folder, TrustGroup: &group,
		})
	}
	if h.name == hostNames[0] {
		allow(hostNames[1]+domain, `D:\Replica\HV02`, "Production")
		allow("*.branch"+domain, `E:\Replica\Branches`, "Branches")
		return
	}
	allow("*", `D:\Replica`, "DEFAULT")
}

// configureFailoverNetwork configures the adapters of a replica. The four variants are what Microsoft's
// client writes for static addresses, for DHCP and for no configuration.
func (h *host) configureFailoverNetwork(vm *hostVM) {
	static := msvm.FailoverNetworkAdapterSettingData{
		ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(false),
		IPAddresses:     []string{fmt.Sprintf("10.20.%d.%d", vm.logical.index/250%250, 4+vm.logical.index%250)},
		Subnets:         []string{"255.255.0.0"},
		DefaultGateways: []string{"10.20.0.1"},
		DNSServers:      []string{"10.20.0.2", "10.20.0.3"},
	}
	automatic := msvm.FailoverNetworkAdapterSettingData{ProtocolIFType: new(uint16(4096)), DHCPEnabled: new(true)}
	none := msvm.FailoverNetworkAdapterSettingData{ProtocolIFType: new(uint16(0)), DHCPEnabled: new(true)}
	h.failoverNetworks[vm.id] = [][]msvm.FailoverNetworkAdapterSettingData{
		{static}, {automatic}, {static, none}, {none},
	}[vm.logical.index%4]
}

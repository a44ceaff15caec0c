package capture

import (
	"fmt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/replay"
)

// rule replaces a value of a string property.
type rule = func(r *replacer, value string) string

// The rules.
var (
	fixed      rule = func(_ *replacer, s string) string { return s } // a constant of Hyper-V
	id         rule = (*replacer).id                                  // a key or an object path
	system     rule = (*replacer).system                              // the GUID of a VM, or the name of this host
	machine    rule = (*replacer).machine                             // the name of a VM or a checkpoint
	counter    rule = (*replacer).counter                             // an instance of a performance counter
	host       rule = (*replacer).host                                // a name or an address of a host, or a wildcard
	group      rule = (*replacer).group
	folder     rule = (*replacer).folder
	thumbprint rule = (*replacer).thumbprint
	address    rule = (*replacer).address
	message    rule = (*replacer).message  // may have any of the above
	embedded   rule = (*replacer).embedded // an instance as CIM-XML
)

// parameters is the class of out parameters.
const parameters = "__PARAMETERS"

// rules has the rule of each property that is a string or a reference, by class. A property without a rule is an error.
var rules = map[string]map[string]rule{
	msvm.ClassComputerSystem:          {"Name": system, "ElementName": machine},
	msvm.ClassReplicationRelationship: {"InstanceID": id, "ElementName": machine},
	msvm.ClassReplicationSettingData: {
		"InstanceID": id, "ElementName": machine, "CertificateThumbPrint": thumbprint,
		"RootCertificateThumbPrint": thumbprint, "RecoveryConnectionPoint": host, "RecoveryHostSystem": host,
		"PrimaryConnectionPoint": host, "PrimaryHostSystem": host, "IncludedDisks": id, "ReplicationProvider": id,
	},
	msvm.ClassReplicationService: {
		"Name": fixed, "CreationClassName": fixed, "SystemName": system, "SystemCreationClassName": fixed,
		"StatusDescriptions": message,
	},
	msvm.ClassReplicationServiceSettingData: {"InstanceID": id, "CertificateThumbPrint": thumbprint},
	msvm.ClassReplicationAuthorizationSettingData: {
		"AllowedPrimaryHostSystem": host, "ReplicaStorageLocation": folder, "TrustGroup": group,
	},
	"Msvm_ReplicationProvider":           {"Name": id, "ElementName": message},
	"Msvm_SystemReplicationRelationship": {"Antecedent": id, "Dependent": id},
	"Msvm_ReplicaSystemDependency":       {"Antecedent": id, "Dependent": id},
	msvm.ClassFailoverNetworkAdapterSettingData: {
		"InstanceID": id, "IPAddresses": address, "Subnets": fixed, "DefaultGateways": address, "DNSServers": address,
	},
	"Msvm_EthernetPortFailoverSettingDataComponent": {"GroupComponent": id, "PartComponent": id},
	msvm.ClassShutdownComponent: {
		"CreationClassName": fixed, "DeviceID": id, "SystemCreationClassName": fixed, "SystemName": system,
	},
	msvm.ClassConcreteJob: {
		"InstanceID": id, "ErrorDescription": message, "ErrorSummaryDescription": message,
	},
	"Msvm_AffectedJobElement": {"AffectedElement": id, "AffectingElement": id},
	msvm.ClassVirtualSystemSettingData: {
		"InstanceID": id, "ElementName": machine, "VirtualSystemIdentifier": id, "VirtualSystemType": fixed,
	},
	"Msvm_SnapshotOfVirtualSystem":                         {"Antecedent": id, "Dependent": id},
	"Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM": {"Name": counter},

	parameters: {"Job": id, "ReplicationStatistics": embedded, "ReplicationHealthIssues": embedded},
}

// recording returns a recording with names replaced.
func (r *replacer) recording(recorded replay.Recording) (replay.Recording, error) {
	// A message may have any name of any class. The first pass learns the names and leaves messages out.
	if _, err := r.pass(recorded); err != nil {
		return recorded, err
	}
	r.known = r.knownNames()
	return r.pass(recorded)
}

func (r *replacer) pass(recorded replay.Recording) (replay.Recording, error) {
	var err error
	instance := func(i cimxml.Instance) cimxml.Instance {
		replaced, instanceErr := r.instance(i)
		if instanceErr != nil {
			err = instanceErr
		}
		return replaced
	}
	all := func(recorded []cimxml.Instance) []cimxml.Instance {
		instances := make([]cimxml.Instance, len(recorded))
		for i := range instances {
			instances[i] = instance(recorded[i])
		}
		return instances
	}
	replaced := recorded
	replaced.Classes, replaced.Methods, replaced.Associators = nil, nil, nil
	for _, c := range recorded.Classes {
		c.Instances, c.Err = all(c.Instances), r.failure(c.Err)
		replaced.Classes = append(replaced.Classes, c)
	}
	for _, m := range recorded.Methods {
		calls := m.Calls
		m.Calls = nil
		for _, c := range calls {
			c.InstanceID, c.Out, c.Err = r.id(c.InstanceID), instance(c.Out), r.failure(c.Err)
			certificates := make([]replay.RecordedCertificate, len(c.Certificates))
			for i, certificate := range c.Certificates {
				certificate.Thumbprint = r.thumbprint(certificate.Thumbprint)
				certificates[i] = certificate
			}
			c.Certificates = certificates
			m.Calls = append(m.Calls, c)
		}
		replaced.Methods = append(replaced.Methods, m)
	}
	for _, a := range recorded.Associators {
		a.Of, a.Instances, a.Err = wmiquery.Ref(r.id(string(a.Of))), all(a.Instances), r.failure(a.Err)
		replaced.Associators = append(replaced.Associators, a)
	}
	return replaced, err
}

// instance returns an instance with names replaced.
func (r *replacer) instance(i cimxml.Instance) (cimxml.Instance, error) {
	properties := make([]cimxml.Property, len(i.Properties))
	for n, p := range i.Properties {
		replace := (*replacer).content // an invalid value can be any text
		if p.Type == "string" || p.Type == "reference" {
			if replace = rules[i.Class][p.Name]; replace == nil {
				return cimxml.Instance{}, fmt.Errorf("property %s of %s has no rule for names", p.Name, i.Class)
			}
		}
		values := make([]string, len(p.Values))
		for v := range values {
			values[v] = replace(r, p.Values[v])
		}
		p.Values = values
		properties[n] = p
	}
	return cimxml.Instance{Class: i.Class, Properties: properties}, nil
}

// failure returns a failure of the host with names in its text replaced.
func (r *replacer) failure(err error) error {
	if err == nil {
		return nil
	}
	e := wmiquery.ToHRESULTError(err)
	return wmiquery.NewHRESULTError(e.Code, r.message(e.Text))
}

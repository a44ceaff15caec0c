package simulator

import "hyperv_replica_exporter/wmiquery/msvm"

// laterBuild has what the settings of a simulated host have in addition to the structs of package msvm, as on a later
// build of Windows. A method that changes settings takes it from the text of its parameter, so a client that sends only
// the properties that it knows loses it.
type laterBuild struct {
	LaterBuildSetting *string
}

// laterBuild returns the properties of a later build in an embedded instance.
func (a arguments) laterBuild(name string) laterBuild {
	var l laterBuild
	a.unmarshal(name, &l)
	return l
}

// linkSettings are the settings of a link.
type linkSettings struct {
	msvm.ReplicationSettingData
	laterBuild
}

// serverSettings are the settings of a host as a replica server.
type serverSettings struct {
	msvm.ReplicationServiceSettingData
	laterBuild
}

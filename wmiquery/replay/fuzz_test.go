package replay

import (
	"maps"
	"reflect"
	"testing"
	"testing/fstest"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// No content of a file may cause a panic, because captures come from other people.
func FuzzCapture(f *testing.F) {
	seed := sample(f)
	for name, file := range seed {
		f.Add(name, string(file.Data))
	}
	small := fstest.MapFS{} // the files that a call needs; reading all files each time is slow
	for _, name := range []string{
		msvm.ClassReplicationService, msvm.ClassReplicationRelationship, msvm.MethodGetReplicationStatisticsEx,
	} {
		small[fileName(name)] = seed[fileName(name)]
	}
	small[fileName(manifestName)] = &fstest.MapFile{Data: []byte(`<CAPTURE FORMAT="1" TIME="20261122214210.500000-000" />`)}
	f.Fuzz(func(_ *testing.T, name, text string) {
		if seed[name] == nil {
			return
		}
		capture := maps.Clone(small)
		capture[name] = &fstest.MapFile{Data: []byte(text)}
		h, err := Open(capture, nil)
		if err != nil {
			return
		}
		s, err := h.Open()
		if err != nil {
			return
		}
		for _, class := range msvm.Classes() {
			_ = s.Read(reflect.New(reflect.SliceOf(reflect.TypeOf(class))).Interface())
		}
		var services []msvm.ReplicationService
		var relationships []msvm.ReplicationRelationship
		if s.Read(&services) != nil || s.Read(&relationships) != nil {
			return
		}
		for _, service := range services {
			for _, call := range calls(service, relationships) {
				if reply, err := s.Call(call); err == nil {
					_, _, _ = msvm.Statistics(reply)
					_, _ = msvm.Certificates(reply)
				}
			}
		}
	})
}

// calls returns all calls that the exporter may make.
func calls(service msvm.ReplicationService, relationships []msvm.ReplicationRelationship) []wmiquery.Call {
	all := []wmiquery.Call{msvm.GetSystemCertificates(service)}
	for _, r := range relationships {
		if key, err := msvm.ParseKey(r.InstanceID); err == nil {
			if call, err := msvm.GetReplicationStatistics(service, key, r); err == nil {
				all = append(all, call)
			}
		}
	}
	return all
}

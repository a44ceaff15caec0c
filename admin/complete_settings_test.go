package admin

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A change of settings keeps the properties that this program does not know, such as those of a later build of Windows.
func TestChangesKeepUnknownSettings(t *testing.T) {
	env := newTestEnv(t)
	env.changeAllSettings("HV01")
}

// changeAllSettings changes the settings of a relationship and of the host, and checks that nothing else has changed in
// their texts.
func (env *testEnv) changeAllSettings(host string) {
	env.Helper()
	vm := env.vms[vmReplicating]
	for _, tt := range []struct {
		method, given  string // the given property
		value          any
		parameters     object
		class          wmiquery.Class
		instance       string // what the text of the instance contains
		property, kept string // the property as the text has it, and what the host keeps
	}{
		{
			"ModifyReplicationSettings", "ReplicationSettingData",
			object{"AutoResynchronizeIntervalStart": "1h30m"},
			object{"ComputerSystem": vm},
			msvm.ReplicationSettingData{}.WMIClass(), `<VALUE>Microsoft:` + vm + `\HVR\0</VALUE>`,
			`<PROPERTY NAME="AutoResynchronizeIntervalStart" TYPE="datetime"><VALUE>00000000013000.000000:000</VALUE></PROPERTY>`,
			`<PROPERTY NAME="LaterBuildSetting" TYPE="string"><VALUE>of the VM &lt;` + vm + `&gt;</VALUE></PROPERTY>`,
		},
		{
			"ModifyServiceSettings", "SettingData",
			object{"MonitoringInterval": 7200},
			object{},
			msvm.ReplicationServiceSettingData{}.WMIClass(), `<INSTANCE CLASSNAME="Msvm_ReplicationServiceSettingData">`,
			`<PROPERTY NAME="MonitoringInterval" TYPE="uint32"><VALUE>7200</VALUE></PROPERTY>`,
			`<PROPERTY NAME="LaterBuildSetting" TYPE="string"><VALUE>of the host &lt;` + host + `&gt;</VALUE></PROPERTY>`,
		},
	} {
		before := env.settingsText(host, tt.class, tt.instance)
		tt.parameters[tt.given] = tt.value
		env.waitForJob(tt.method, host, env.postMethod(host, "omar", tt.method, object{"parameters": tt.parameters}), "succeeded")
		after := env.settingsText(host, tt.class, tt.instance)
		start, _, _ := strings.Cut(tt.property, "<VALUE>")
		head, tail, found := strings.Cut(before, start)
		_, tail, ended := strings.Cut(tail, "</PROPERTY>")
		if want := head + tt.property + tail; !found || !ended || after != want || !strings.Contains(after, tt.kept) {
			env.Errorf("%s: the settings are\n%s\nwant\n%s\nwith %s", tt.method, after, want, tt.kept)
		}
	}
}

// settingsText returns the text of the only instance of a class that contains part.
func (env *testEnv) settingsText(host string, class wmiquery.Class, part string) string {
	env.Helper()
	texts, err := env.hosts[host].pool.Texts(env.Context(), class)
	if err != nil {
		env.Fatal(err)
	}
	var found []string
	for _, text := range texts {
		if strings.Contains(string(text), part) {
			found = append(found, string(text))
		}
	}
	if len(found) != 1 {
		env.Fatalf("%d instances of %s have %s, want 1", len(found), class.Name, part)
	}
	return found[0]
}

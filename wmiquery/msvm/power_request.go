package msvm

// powerMethods start and stop VMs. PowerRequests has the conditions for each requested state.
var powerMethods = []Method{
	{
		Class: ClassShutdownComponent, Name: MethodInitiateShutdown,
		In: []Parameter{{"Force", TypeBoolean, "", false}, {"Reason", TypeString, "", false}},
		Summary: "asks the guest operating system to shut down; with Force, also if programs have unsaved data; " +
			"the VM is off when it has done so",
	},
	{
		Class: ClassComputerSystem, Name: MethodRequestStateChange,
		In: []Parameter{requested, timeout}, Out: []Parameter{job},
		Summary: "requests a power state of the VM: 2 starts it, 3 turns it off",
	},
}

// PowerRequest is a request for a power state with RequestStateChange of Msvm_ComputerSystem.
type PowerRequest struct {
	State   EnabledState
	Summary string // what the request does, a phrase without a subject
	// Power are the power states in which the host accepts the request. That it starts a saved VM is documented; that it
	// turns off one that hangs while it starts or stops is inferred from Stop-VM -TurnOff.
	Power []PowerState
	// Destroys is what is lost for good, "" for nothing.
	Destroys string
}

// FindPowerRequest returns the request for a power state. It returns false for the states that this program does not
// request: saving, pausing and resetting a VM are not needed for a failover.
func FindPowerRequest(state EnabledState) (PowerRequest, bool) {
	for _, r := range PowerRequests() {
		if r.State == state {
			return r, true
		}
	}
	return PowerRequest{}, false
}

// PowerRequests returns a request for each power state that is needed for a failover.
func PowerRequests() []PowerRequest {
	return []PowerRequest{
		{
			State: EnabledOn, Summary: "starts the VM", Power: []PowerState{PowerOff, PowerSaved},
		},
		{
			State: EnabledOff, Summary: "turns the VM off at once, without the guest operating system",
			Power:    []PowerState{PowerOn, PowerPaused, PowerSaved, PowerOther},
			Destroys: "what the guest operating system and its programs have not written to the disks",
		},
	}
}

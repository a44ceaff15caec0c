package msvm

// EnabledState is Msvm_ComputerSystem.EnabledState: the power state of a VM. See [ComputerSystem.Power].
type EnabledState uint16

// The power states of a VM. The reference documents 0 to 10 as values of EnabledState, with 32768 and 32769 for paused
// and saved VMs in texts. It documents the numbers from 32773 on as values of the parameter RequestedState, most of
// them as the equivalent of an EnabledState. A VM is in a critical state if its storage is not accessible.
const (
	EnabledUnknown     EnabledState = 0
	EnabledOther       EnabledState = 1
	EnabledOn          EnabledState = 2
	EnabledOff         EnabledState = 3
	ShuttingDown       EnabledState = 4
	NotApplicable      EnabledState = 5
	EnabledSaved       EnabledState = 6 // documented as "enabled but offline": the memory is in a file
	InTest             EnabledState = 7
	Deferred           EnabledState = 8
	EnabledPaused      EnabledState = 9 // documented as "quiesce"
	Starting           EnabledState = 10
	Resetting          EnabledState = 11
	PausedV1           EnabledState = 32768
	SavedV1            EnabledState = 32769 // documented as "suspended"
	StartingV1         EnabledState = 32770
	Snapshotting       EnabledState = 32771
	Saving             EnabledState = 32773
	Stopping           EnabledState = 32774
	Pausing            EnabledState = 32776
	Resuming           EnabledState = 32777
	FastSaved          EnabledState = 32779
	FastSaving         EnabledState = 32780
	RunningCritical    EnabledState = 32781
	OffCritical        EnabledState = 32782
	StoppingCritical   EnabledState = 32783
	SavedCritical      EnabledState = 32784
	PausedCritical     EnabledState = 32785
	StartingCritical   EnabledState = 32786
	ResetCritical      EnabledState = 32787
	SavingCritical     EnabledState = 32788
	PausingCritical    EnabledState = 32789
	ResumingCritical   EnabledState = 32790
	FastSavedCritical  EnabledState = 32791
	FastSavingCritical EnabledState = 32792
)

// PowerState summarizes EnabledState.
type PowerState string

// The power states. A saved VM is not off: it continues where it was saved. PowerOther stands for a VM that is changing
// its state, or that CIM describes in a way that Hyper-V is not known to use.
const (
	PowerOn      PowerState = "on"
	PowerOff     PowerState = "off"
	PowerSaved   PowerState = "saved"
	PowerPaused  PowerState = "paused"
	PowerOther   PowerState = "other"
	PowerUnknown PowerState = "unknown" // null, EnabledUnknown, NotApplicable, or a number that is not documented
)

// Power returns the power state of the VM.
func (c ComputerSystem) Power() PowerState {
	if c.EnabledState == nil {
		return PowerUnknown
	}
	switch *c.EnabledState {
	case EnabledOn, RunningCritical:
		return PowerOn
	case EnabledOff, OffCritical:
		return PowerOff
	case EnabledSaved, SavedV1, FastSaved, SavedCritical, FastSavedCritical:
		return PowerSaved
	case EnabledPaused, PausedV1, PausedCritical:
		return PowerPaused
	case EnabledOther, ShuttingDown, InTest, Deferred, Starting, Resetting, StartingV1, Snapshotting, Saving, Stopping,
		Pausing, Resuming, FastSaving, StoppingCritical, StartingCritical, ResetCritical, SavingCritical, PausingCritical,
		ResumingCritical, FastSavingCritical:
		return PowerOther
	}
	return PowerUnknown
}

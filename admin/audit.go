package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// auditLog is a file to which lines of JSON are appended, and nothing else.
type auditLog struct {
	path    string
	written func(line []byte) // is told each line once it is in the file

	mu   sync.Mutex
	file *os.File
	torn bool     // the last line may lack its end
	owed [][]byte // lines about what has been done that could not be written
}

// auditEvent is what a line is about.
type auditEvent string

// The events.
const (
	auditIntent  auditEvent = "intent"  // written and synced before the call
	auditOutcome auditEvent = "outcome" // of the call
	auditJob     auditEvent = "job"     // a job has ended
	auditRefused auditEvent = "refused"
	auditDryRun  auditEvent = "dry_run"
	auditReload  auditEvent = "reload"
	// Maintenance is announced or ended; the host is not called.
	auditMaintenance auditEvent = "maintenance"
	// The records of earlier actions were damaged and are lost.
	auditDamage auditEvent = "damage"
)

// auditLine is a line. It holds no secret: no password, token or key.
type auditLine struct {
	Time   time.Time  `json:"time"`
	Event  auditEvent `json:"event"`
	ID     string     `json:"id"` // joins the lines of one action
	User   string     `json:"user"`
	Remote string     `json:"remote,omitempty"`

	Action       string         `json:"action"`
	Method       string         `json:"method,omitempty"`
	VMID         string         `json:"vm_id,omitempty"`
	VM           string         `json:"vm,omitempty"`
	Relationship string         `json:"relationship,omitempty"`
	Parameters   map[string]any `json:"parameters,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	Seen         *seen          `json:"seen,omitempty"`
	Accepted     *accepts       `json:"accepted,omitempty"`
	TestResult   string         `json:"test_result,omitempty"`

	Status   int      `json:"status,omitempty"` // of HTTP
	Type     string   `json:"type,omitempty"`   // of the problem
	Code     *uint32  `json:"code,omitempty"`   // of the method
	Job      string   `json:"job,omitempty"`
	State    string   `json:"state,omitempty"` // of the job
	Error    string   `json:"error,omitempty"`
	Duration *float64 `json:"duration_seconds,omitempty"`
}

// accepts is what somebody has expected, and accepted.
type accepts struct {
	State          string   `json:"expected_state,omitempty"`
	Mode           string   `json:"expected_mode,omitempty"`
	MaxLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	UnknownLoss    bool     `json:"unknown_loss,omitempty"`
	Confirmed      bool     `json:"confirmed,omitempty"` // the second step
}

// openAudit opens the log, which must be there to do anything.
func openAudit(path string, written func(line []byte)) (*auditLog, error) {
	a := &auditLog{path: path, written: written}
	return a, a.reopen()
}

// reopen opens the log anew: somebody may have moved the old one away.
func (a *auditLog) reopen() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open()
}

// open opens the log; a.mu is held.
func (a *auditLog) open() error {
	f, err := openAppending(a.path)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	torn, err := endsTorn(f)
	if err != nil {
		f.Close() //nolint:errcheck // the other error counts
		return fmt.Errorf("audit log: %w", err)
	}
	if a.file != nil {
		a.file.Close() //nolint:errcheck // every line was checked
	}
	a.file, a.torn = f, torn
	return nil
}

// endsTorn tells whether the last line of a file lacks its end: the machine may
// have stopped in the middle of it.
func endsTorn(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// gone tells whether the file is not where it was: moved away, or deleted. What is
// written to it then nobody finds. a.mu is held.
func (a *auditLog) gone() bool {
	mine, err := a.file.Stat()
	if err != nil { // writing will say the same
		return false
	}
	there, err := os.Stat(a.path)
	return err != nil || !os.SameFile(mine, there)
}

// write appends a line. With an error nothing must be done that the line is
// about. Sync makes sure that it outlives the machine.
func (a *auditLog) write(l auditLine, sync bool) error {
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.settle(); err != nil {
		return err
	}
	return a.append(line, sync)
}

// note appends a line about what has been done already. With an error it is kept, and
// written as soon as that is possible, before any other.
func (a *auditLog) note(l auditLine) error {
	line, err := json.Marshal(l)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.settle()
	if err == nil {
		err = a.append(line, true)
	}
	if err != nil {
		a.owed = append(a.owed, line)
	}
	return err
}

// settleOwed writes the lines that could not be written.
func (a *auditLog) settleOwed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settle()
}

// settle does it; a.mu is held. They are few: what they are about was in the log before
// it was done, and nothing is begun while the log cannot be written.
func (a *auditLog) settle() error {
	for len(a.owed) > 0 {
		if err := a.append(a.owed[0], true); err != nil {
			return err
		}
		a.owed = a.owed[1:]
	}
	return nil
}

// append does it; a.mu is held.
func (a *auditLog) append(line []byte, sync bool) error {
	if a.gone() {
		if err := a.open(); err != nil {
			return err
		}
	}
	whole := append(bytes.Clone(line), '\n')
	if a.torn {
		whole = append([]byte{'\n'}, whole...)
	}
	n, err := a.file.Write(whole)
	if n > 0 || err == nil {
		a.torn = err != nil
	}
	if err == nil {
		if sync {
			err = a.file.Sync()
		}
		a.written(line)
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

func (a *auditLog) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file.Close()
}

package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
)

// maxReadBytes is how much of the end of the log Unfinished reads. A call of the host that was cut off was among the
// last things that the program did.
const maxReadBytes = 32 << 20

// Unfinished returns the intents at the end of the log that have no outcome, in the order of the log. The program ended
// during their calls.
func (l *Log) Unfinished() ([]Record, error) {
	type call struct{ id, action string } // a job and its cancellation have the same ID
	var intents []Record
	left := int64(maxReadBytes)
	var texts [][]byte // the latest first
	for _, file := range slices.Backward(l.Files()) {
		text, err := readEnd(file, left)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		texts = append(texts, text)
		if left -= int64(len(text)); left <= 0 {
			break
		}
	}
	for _, text := range slices.Backward(texts) {
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte(`"event":"intent"`)) && !bytes.Contains(line, []byte(`"event":"outcome"`)) {
				continue
			}
			var r Record
			if json.Unmarshal(line, &r) != nil { // cut off
				continue
			}
			of := call{r.ID, r.Action}
			switch r.Event {
			case Intent:
				intents = append(intents, r)
			case Outcome:
				if i := slices.IndexFunc(intents, func(r Record) bool { return call{r.ID, r.Action} == of }); i >= 0 {
					intents = slices.Delete(intents, i, i+1)
				}
			}
		}
	}
	return intents, nil
}

// readEnd returns up to limit bytes of the end of a file, from the start of a line.
func readEnd(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	start := max(info.Size()-limit, 0)
	r := bufio.NewReader(io.NewSectionReader(f, start, limit))
	if start > 0 {
		if _, err := r.ReadBytes('\n'); err != nil {
			return nil, nil //nolint:nilerr // it has no whole line
		}
	}
	return io.ReadAll(r)
}

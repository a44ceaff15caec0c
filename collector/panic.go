package collector

import (
	"errors"
	"runtime/debug"

	"hyperv_replica_exporter/wmiquery"
)

// recoverPanic calls f and returns a panic as a wmiquery.PanicError.
func recoverPanic[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &wmiquery.PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	return f()
}

// isPanic reports whether err was caused by a panic.
func isPanic(err error) bool {
	_, ok := errors.AsType[*wmiquery.PanicError](err)
	return ok
}

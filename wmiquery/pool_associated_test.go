package wmiquery_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Associated passes the object and the association to the session, and returns the rows or the error.
func TestPoolAssociated(t *testing.T) {
	var next error
	p := newPoolOfSize(t, 1, 1, fakeSession{
		associated: func(dst *[]row, of wmiquery.Ref, association wmiquery.Class) error {
			*dst = []row{{Name: string(of) + " " + association.Name}}
			return next
		},
	})
	association := wmiquery.Class{Name: "Test_Association"}
	for _, tt := range []struct {
		next error
		rows int
	}{
		{nil, 1},
		{&wmiquery.InvalidValuesError{Values: []wmiquery.InvalidValue{{Property: "Name"}}}, 1},
		{wmiquery.ErrNotFound, 0},
	} {
		next = tt.next
		rows, err := wmiquery.AllAssociated[row](t.Context(), p, `Test_Row.Name="a"`, association)
		if !errors.Is(err, tt.next) || len(rows) != tt.rows ||
			tt.rows > 0 && rows[0].Name != `Test_Row.Name="a" Test_Association` {
			t.Errorf("got rows %v, error %v; want %d rows, %v", rows, err, tt.rows, tt.next)
		}
	}
	if err := p.Associated(t.Context(), &[]string{}, "x", association); err == nil {
		t.Error("a slice of strings was filled")
	}
}

// Queries for what is associated that hang do not keep classes from being read, and reads that hang do not keep such
// queries from being answered.
func TestHangingAssociatedDoesNotBlockReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangAssociated, hangRead chan struct{}
		wait := func(hang chan struct{}) {
			if hang != nil {
				<-hang
			}
		}
		p := newPoolOfSize(t, 2, 3, fakeSession{
			read:       func(*[]row) error { wait(hangRead); return nil },
			associated: func(*[]row, wmiquery.Ref, wmiquery.Class) error { wait(hangAssociated); return nil },
		})
		read := func(ctx context.Context) error { return p.Read(ctx, &[]row{}) }
		associated := func(ctx context.Context) error {
			return p.Associated(ctx, &[]row{}, "x", wmiquery.Class{Name: "Test_Association"})
		}
		for _, tt := range []struct {
			hang                *chan struct{}
			hanging, answered   func(context.Context) error
			hangingOp, answerOp string
		}{
			{&hangAssociated, associated, read, "query", "read"},
			{&hangRead, read, associated, "read", "query"},
		} {
			*tt.hang = make(chan struct{})
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
				if err := tt.hanging(ctx); err == nil {
					t.Errorf("hanging %s: no error", tt.hangingOp)
				}
				cancel()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := tt.answered(ctx); err != nil {
				t.Errorf("%s beside a hanging %s: %v", tt.answerOp, tt.hangingOp, err)
			}
			cancel()
			close(*tt.hang)
			synctest.Wait()
		}
	})
}

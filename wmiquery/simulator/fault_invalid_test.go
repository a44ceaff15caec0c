package simulator_test

import (
	"errors"
	"reflect"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// checkInvalidValues checks the fault invalid-value: in every second row, all properties that are not text are invalid.
func checkInvalidValues(p faultTest) {
	for _, class := range msvm.Classes() {
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
		invalid := p.invalidValues(p.Read(rows.Interface()))
		n, want := rows.Elem().Len(), 0
		for i := range n {
			for j := range rows.Elem().Index(i).NumField() {
				f := rows.Elem().Index(i).Field(j)
				isText := f.Kind() == reflect.String || f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String
				if isText || (n-i)%2 == 0 {
					continue
				}
				if want++; !f.IsNil() {
					p.Errorf("%s row %d of %d: property %d is not null", class.WMIClass().Name, i, n, j)
				}
			}
		}
		if len(invalid) != want {
			p.Errorf("%s: got %d invalid values, want %d", class.WMIClass().Name, len(invalid), want)
		}
	}
	stats, _, err := msvm.Statistics(call(p.T, p, p.calls[0]))
	if invalid := p.invalidValues(err); len(invalid) < 14 || stats != (msvm.ReplicationStatistics{}) {
		p.Errorf("got statistics %+v with %d invalid values, want all 14 properties invalid", stats, len(invalid))
	}
}

// checkInvalidTimes checks the fault invalid-value of one property.
func checkInvalidTimes(p faultTest) {
	var rows []msvm.ReplicationRelationship
	invalid := p.invalidValues(p.Read(&rows))
	if len(invalid) != (len(rows)+1)/2 || len(invalid) == 0 {
		p.Errorf("got %d invalid values in %d rows", len(invalid), len(rows))
	}
	for _, v := range invalid {
		r := rows[v.Row]
		if v.Class != "Msvm_ReplicationRelationship" || v.Instance != r.InstanceID || v.Property != "LastReplicationTime" ||
			v.Text != "00000000000000.000000+000" || v.Err == nil || r.LastReplicationTime != nil || r.LastApplyTime == nil {
			p.Errorf("got invalid value %+v in row %+v", v, r)
		}
	}
	p.wantError(nil, p.readServices(), p.firstCall())
}

// checkEmptyNames checks the fault invalid-value of a property that is text.
func checkEmptyNames(p faultTest) {
	rows := read[msvm.ComputerSystem](p.T, p)
	for i, r := range rows {
		if want := (len(rows)-i)%2 == 1; (r.Name == "") != want || r.ElementName == nil {
			p.Errorf("row %d of %d is %+v", i, len(rows), r)
		}
	}
}

func (p faultTest) invalidValues(err error) []wmiquery.InvalidValue {
	p.Helper()
	invalid, ok := errors.AsType[*wmiquery.InvalidValuesError](err)
	if !ok {
		if err != nil {
			p.Errorf("got error %v", err)
		}
		return nil
	}
	return invalid.Values
}

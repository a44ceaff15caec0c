package wmiquery

import "testing"

// Sources: wbemdisp.h (pages WbemCimtypeEnum and WbemObjectTextFormatEnum of Microsoft's WMI documentation), wbemcli.h
// (page "WMI Error Constants") and winerror.h.
func TestCOMConstantsAreAsDocumented(t *testing.T) {
	for name, c := range map[string]struct{ got, want uint32 }{
		"wbemCimtypeString":            {cimString, 8},
		"wbemCimtypeBoolean":           {cimBoolean, 11},
		"wbemCimtypeObject":            {cimObject, 13},
		"wbemCimtypeUint32":            {cimUint32, 19},
		"wbemCimtypeSint64":            {cimSint64, 20},
		"wbemCimtypeUint64":            {cimUint64, 21},
		"wbemCimtypeDatetime":          {cimDatetime, 101},
		"wbemCimtypeReference":         {cimReference, 102},
		"wbemObjectTextFormatCIMDTD20": {textFormatCIM, 1},
		"WBEM_E_INVALID_QUERY":         {wbemInvalidQuery, 0x80041017},
		"DISP_E_EXCEPTION":             {dispException, 0x80020009},
		"S_FALSE":                      {sFalse, 1},
	} {
		if c.got != c.want {
			t.Errorf("%s is 0x%X, want 0x%X", name, c.got, c.want)
		}
	}
}

//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// dashboard is one of Grafana, as far as these tests look at it.
type dashboard struct {
	UID, Title, Description string
	Editable                bool
	SchemaVersion           int
	Tags                    []string
	Links                   []struct {
		Type        string
		Tags        []string
		IncludeVars bool
		KeepTime    bool
	}
	Panels      []panel
	Templating  struct{ List []variable }
	Annotations struct {
		List []struct {
			Name, Expr string
			BuiltIn    int
			Datasource reference
		}
	}
}

type reference struct{ Type, UID string }

type variable struct {
	Name, Type, Label, AllValue, Regex, Definition string
	Query                                          json.RawMessage
	Datasource                                     reference
	Refresh                                        int
	IncludeAll, Multi                              bool
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               reference
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	FieldConfig              struct {
		Defaults  field
		Overrides []struct {
			Matcher    struct{ ID, Options string }
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
	Transformations []struct {
		ID      string
		Options struct {
			ExcludeByName map[string]bool
			RenameByName  map[string]string
		}
	}
}

type field struct {
	Unit, NoValue string
	Thresholds    thresholds
	Links         []link
}

type thresholds struct {
	Steps []struct {
		Color string
		Value *float64
	}
}

type link struct{ Title, URL string }

type target struct {
	RefID, Expr, Format, LegendFormat string
	Instant, Range                    bool
	Datasource                        reference
}

var dashboardFiles = "*.json"

// readDashboards gives the dashboards by the name of their file.
func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	out := map[string]dashboard{}
	for _, file := range promtest.Glob(t, dashboardFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[filepath.Base(file)] = d
	}
	return out
}

// queried are the panels that ask for something: all but rows.
func (d dashboard) queried() []panel {
	return slices.DeleteFunc(slices.Clone(d.Panels), func(p panel) bool { return p.Type == "row" })
}

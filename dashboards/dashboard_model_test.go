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

const dashboardFiles = "*.json"

// dashboard has the fields of a Grafana dashboard that these tests use.
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
			Name, Expr      string
			BuiltIn         int
			UseValueForTime bool
			Datasource      datasource
		}
	}
}

// readDashboards returns the dashboards, keyed by the names of their files.
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

// dataPanels returns the panels that have queries, which are all panels except rows.
func (d dashboard) dataPanels() []panel {
	return slices.DeleteFunc(slices.Clone(d.Panels), func(p panel) bool { return p.Type == "row" })
}

// datasource is a reference to a data source.
type datasource struct{ Type, UID string }

type variable struct {
	Name, Type, Label, AllValue, Regex, Definition string
	Query                                          json.RawMessage
	Datasource                                     datasource
	Refresh                                        int
	IncludeAll, Multi                              bool
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	FieldConfig              struct {
		Defaults  fieldDefaults
		Overrides []struct {
			Matcher    struct{ ID, Options string }
			Properties []property
		}
	}
	Options struct {
		EnablePagination bool
		Footer           struct{ EnablePagination bool }
		ValueMode        string
	}
	Transformations []struct {
		ID      string
		Options struct {
			ExcludeByName map[string]bool
			RenameByName  map[string]string
		}
	}
}

// overrides returns the values that the overrides of a panel have for a property.
func (p panel) overrides(id string) []json.RawMessage {
	var values []json.RawMessage
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == id {
				values = append(values, property.Value)
			}
		}
	}
	return values
}

type fieldDefaults struct {
	Unit, NoValue string
	Decimals      *int
	Max           *float64
	Thresholds    thresholds
	Mappings      []valueMapping
	Links         []link
	Custom        struct {
		ScaleDistribution struct{ Type string }
	}
}

type property struct {
	ID    string
	Value json.RawMessage
}

type thresholds struct {
	Steps []struct {
		Color string
		Value *float64
	}
}

// valueMapping maps values to texts and colors. Its options depend on its type.
type valueMapping struct {
	Type    string
	Options json.RawMessage
}

type link struct{ Title, URL string }

// target is a query of a panel.
type target struct {
	RefID, Expr, Format, LegendFormat string
	Instant, Range                    bool
	Datasource                        datasource
}

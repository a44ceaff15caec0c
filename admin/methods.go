package admin

import (
	"net/http"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

type methodList struct {
	Methods []methodView `json:"methods"`
}

// methodView is a method as the API shows it.
type methodView struct {
	Name       string          `json:"name"`
	Class      string          `json:"class"`
	Does       string          `json:"does"`
	Destroys   string          `json:"destroys,omitempty"`
	Reads      bool            `json:"reads"`
	Parameters []parameterView `json:"parameters"`
	Returns    []parameterView `json:"returns"`
	Modes      []string        `json:"modes,omitempty"`
	States     []string        `json:"states,omitempty"`
	Off        bool            `json:"needs_vm_off,omitempty"`
	Instead    string          `json:"instead,omitempty"` // method that replaced it
}

type parameterView struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Class    string `json:"class,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// listMethods handles GET /api/v1/methods.
func (s *Server) listMethods(*http.Request) (problem.Response, *problem.Problem) {
	var all []methodView
	for _, m := range msvm.Methods() {
		view := methodView{
			Name: m.Name, Class: m.Class, Does: m.Summary, Destroys: m.Destroys, Reads: m.Reads,
			Off: m.RequiresOff, Instead: m.ReplacedBy, Parameters: parameterViews(m.In), Returns: parameterViews(m.Out),
		}
		for _, mode := range m.Modes {
			view.Modes = append(view.Modes, mode.String())
		}
		for _, state := range m.States {
			view.States = append(view.States, state.String())
		}
		all = append(all, view)
	}
	return problem.JSON(http.StatusOK, methodList{all}), nil
}

// parameterViews returns parameters as the API shows them.
func parameterViews(parameters []msvm.Parameter) []parameterView {
	all := []parameterView{}
	for _, p := range parameters {
		all = append(all, parameterView{p.Name, string(p.Type), p.Class, p.Optional})
	}
	return all
}

package admin

import (
	"net/http"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// methodModel is a method as the API shows it.
type methodModel struct {
	Name       string           `json:"name"`
	Class      string           `json:"class"`
	Does       string           `json:"does"`
	Destroys   string           `json:"destroys,omitempty"`
	Reads      bool             `json:"reads"`
	Parameters []parameterModel `json:"parameters"`
	Modes      []string         `json:"modes,omitempty"`
	States     []string         `json:"states,omitempty"`
	Off        bool             `json:"needs_vm_off,omitempty"`
	Instead    string           `json:"instead,omitempty"`
}

type parameterModel struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Class    string `json:"class,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// listMethods is GET /api/v1/methods: the table.
func (s *Server) listMethods(*http.Request) (answer, *problem) {
	var all []methodModel
	for _, m := range msvm.Methods() {
		model := methodModel{
			Name: m.Name, Class: m.Class, Does: m.Summary, Destroys: m.Destroys, Reads: m.Reads,
			Modes: names(m.Modes), States: names(m.States), Off: m.RequiresOff, Instead: m.ReplacedBy, Parameters: []parameterModel{},
		}
		for _, p := range m.In {
			model.Parameters = append(model.Parameters, parameterModel{p.Name, string(p.Type), strings.TrimSpace(p.Class), p.Optional})
		}
		all = append(all, model)
	}
	return jsonAnswer(http.StatusOK, methodList{all}), nil
}

package authz

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v2"
)

// policyFile is the YAML of a policy.
type policyFile struct {
	// ReadOnly denies every action of every caller, except a reload of the policy. It is the emergency stop.
	ReadOnly bool       `yaml:"read_only"`
	Rules    []ruleFile `yaml:"rules"`
}

// ruleFile is the YAML of a rule.
type ruleFile struct {
	// Users are names in basic_auth_users of the web config.
	Users []string `yaml:"users"`
	// Subjects are subjects of client certificates in the form of RFC 4514, such as CN=ops,O=Contoso.
	Subjects         []string `yaml:"subjects"`
	AlternativeNames `yaml:",inline"`
	Role             string `yaml:"role"`
	// VMs is allVMs, noVMs, or a regular expression that must match the whole GUID or name of the VM. A caller who can
	// rename a VM can choose the rules for it by name, but cannot change a GUID.
	VMs string `yaml:"vms"`
	// Host includes requests that are about the host and not about a VM.
	Host bool `yaml:"host"`
	// Methods are names of methods or actions. Without Methods the rule is for everything that the role allows.
	Methods []string `yaml:"methods"`
	// Destructive allows requests that destroy something. The role alone does not.
	Destructive bool `yaml:"destructive"`
}

// Values of vms that are not regular expressions.
const (
	allVMs = "all"
	noVMs  = "none"
)

// endMarker ends a policy. It is YAML's mark for the end of a document.
const endMarker = "..."

// ReadPolicy reads a policy file. Without a file it returns the policy that makes every caller a viewer. The names in
// methods must be known.
func ReadPolicy(file string, known func(name string) bool) (*Policy, error) {
	if file == "" {
		return noPolicy(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(text, known)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p.file = file
	return p, nil
}

// parsePolicy reads a policy. A part of a policy is not a policy: see checkComplete.
func parsePolicy(text []byte, known func(name string) bool) (*Policy, error) {
	f, err := decodePolicy(text)
	if err != nil {
		return nil, err
	}
	p := &Policy{readOnly: f.ReadOnly}
	var errs []error
	for i, r := range f.Rules {
		parsed, err := r.parse(known)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
		p.rules = append(p.rules, parsed)
	}
	return p, errors.Join(errs...)
}

// decodePolicy decodes exactly one YAML document, in which every key is known, occurs once, and has a value.
func decodePolicy(text []byte) (f policyFile, err error) {
	if err := checkComplete(text); err != nil {
		return f, err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.SetStrict(true)
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return f, errors.New("has more than one YAML document, or text after the document")
	}
	var generic any
	if err := yaml.Unmarshal(text, &generic); err != nil {
		return f, err
	}
	return f, checkValues(generic)
}

// checkComplete returns an error for a policy without its last line. A policy that is cut off at any byte has no such
// line, so a file that is being written, or that does not fit on the disk, does not take effect.
func checkComplete(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not valid UTF-8; save the file as UTF-8")
	}
	lines := bytes.Split(bytes.TrimRight(text, " \t\r\n"), []byte("\n"))
	if string(lines[len(lines)-1]) != endMarker {
		return fmt.Errorf("the last line is not %q, so a part of the file may be missing; "+
			"add it as the last line if the file is complete", endMarker)
	}
	return nil
}

// checkValues returns an error for a key or an element of a list that has no value.
func checkValues(value any) error {
	switch v := value.(type) {
	case map[any]any:
		for _, key := range slices.SortedFunc(maps.Keys(v), func(a, b any) int {
			return bytes.Compare(fmt.Append(nil, a), fmt.Append(nil, b))
		}) {
			if v[key] == nil {
				return fmt.Errorf("%v: has no value", key)
			}
			if err := checkValues(v[key]); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if element == nil {
				return errors.New("an element of a list has no value")
			}
			if err := checkValues(element); err != nil {
				return err
			}
		}
	}
	return nil
}

// parse checks a rule. The names in methods must be known.
func (f ruleFile) parse(known func(name string) bool) (r rule, err error) {
	r = rule{
		users: f.Users, subjects: f.Subjects, names: f.AlternativeNames, methods: f.Methods, vmsText: f.VMs,
		host: f.Host, destructive: f.Destructive,
	}
	if r.role, err = ParseRole(f.Role); err != nil {
		return r, err
	}
	if err := f.checkCallers(); err != nil {
		return r, err
	}
	if err := f.checkMethods(known); err != nil {
		return r, err
	}
	r.vms, err = f.parseVMs()
	return r, err
}

// parseVMs returns the expression that matches the VMs of a rule.
func (f ruleFile) parseVMs() (*regexp.Regexp, error) {
	switch f.VMs {
	case "":
		return nil, fmt.Errorf("vms: missing; write \"vms: %s\" for all VMs, or a regular expression for their names or "+
			"GUIDs; \"host: true\" includes the host", allVMs)
	case allVMs:
		return regexp.MustCompile(`(?s).*`), nil
	case noVMs:
		if !f.Host {
			return nil, fmt.Errorf("vms: %s is only for a rule with host: true", noVMs)
		}
		return regexp.MustCompile(`[^\s\S]`), nil
	}
	r, err := compileAnchored(f.VMs)
	if err != nil {
		return nil, fmt.Errorf("vms: %w", err)
	}
	return r, nil
}

// compileAnchored compiles an expression that matches only a whole text, regardless of case.
func compileAnchored(expr string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(expr); err != nil { // an expression such as "a)|(b" would end the group below
		return nil, err
	}
	return regexp.Compile(`\A(?i:` + expr + `)\z`)
}

// callers returns the names of the callers that a rule is for, by kind.
func (f ruleFile) callers() []nameList {
	return slices.Concat([]nameList{{"users", "user", f.Users}, {"subjects", "subject", f.Subjects}}, f.lists())
}

func (f ruleFile) checkCallers() error {
	found := false
	for _, list := range f.callers() {
		for i, name := range list.names {
			found = true
			switch {
			case name == "":
				return fmt.Errorf("%s: a name is empty", list.field)
			case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
				return fmt.Errorf("%s: %q has a character that cannot be seen", list.field, name)
			case slices.Contains(list.names[:i], name):
				return fmt.Errorf("%s: %q is given twice", list.field, name)
			}
		}
	}
	if !found {
		return errors.New("neither users nor subjects, dns_names, uris, emails or upns")
	}
	for _, subject := range f.Subjects {
		if err := checkSubject(subject); err != nil {
			return fmt.Errorf("subjects: %w", err)
		}
	}
	return nil
}

func (f ruleFile) checkMethods(known func(name string) bool) error {
	if f.Methods != nil && len(f.Methods) == 0 {
		return errors.New("methods is empty; leave it out to allow everything that the role allows")
	}
	for _, name := range f.Methods {
		if !known(name) {
			return fmt.Errorf("methods: %q is not a method or action", name)
		}
	}
	return nil
}

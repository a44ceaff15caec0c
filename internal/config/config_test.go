package config

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/alecthomas/kingpin/v2"
	"github.com/alecthomas/units"
)

// values has the values of some flags of all types.
type values struct {
	addresses           []string
	perf, statistics    bool
	text                bool
	timeout             time.Duration
	workers             int
	seed                uint64
	rate                float64
	size                units.Base2Bytes
	level, path, source string
}

func newApp(v *values) *kingpin.Application {
	app := kingpin.New("test", "").Version("1")
	app.Flag("config.file", "").String()
	app.Flag("source", "").Default("auto").StringVar(&v.source)
	app.Flag("web.listen-address", "").Default(":1").StringsVar(&v.addresses)
	app.Flag("web.config.file", "").StringVar(&v.path)
	app.Flag("collector.perf", "").Default("false").BoolVar(&v.perf)
	app.Flag("collector.statistics", "").Default("true").BoolVar(&v.statistics)
	app.Flag("collector.statistics.text", "").Default("true").BoolVar(&v.text)
	app.Flag("scrape.timeout", "").Default("10s").DurationVar(&v.timeout)
	app.Flag("wmi.workers", "").Default("4").IntVar(&v.workers)
	app.Flag("simulator.seed", "").Default("1").Uint64Var(&v.seed)
	app.Flag("admin.rate", "").Default("10").Float64Var(&v.rate)
	app.Flag("admin.size", "").Default("64MB").BytesVar(&v.size)
	app.Flag("log.level", "").Default("info").EnumVar(&v.level, "debug", "info")
	return app
}

// parse parses a file and then a command line.
func parse(t *testing.T, text string, args ...string) (values, error) {
	t.Helper()
	f, err := Parse("config.yml", []byte(text), newApp(&values{}))
	if err != nil {
		return values{}, err
	}
	var v values
	app := newApp(&v)
	f.Apply(app)
	if _, err := app.Parse(args); err != nil {
		t.Fatal(err)
	}
	return v, nil
}

func utf16Text(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune("\uFEFF" + text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// The values of the file are those of the flags, and the command line wins.
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		args       []string
		want       string // of the values, see below
	}{
		{"nothing", "", nil, "[:1] false true 10s 4 info "},
		{"comments", "# nothing\n", nil, "[:1] false true 10s 4 info "},
		{"null", "---\n", nil, "[:1] false true 10s 4 info "},
		{"nested", "collector: {perf: true}\nscrape:\n  timeout: 5s\nwmi:\n  workers: 2\n", nil, "[:1] true true 5s 2 info "},
		{"dots", "scrape.timeout: 5s\nweb.config.file: a\n", nil, "[:1] false true 5s 4 info a"},
		{"both", "collector:\n  statistics: true\n  statistics.text: false\n", nil, "[:1] false false 10s 4 info "},
		{"list", "web: {listen-address: [':2', ':3']}\n", nil, "[:2 :3] false true 10s 4 info "},
		{"list of one", "web: {listen-address: ':2'}\n", nil, "[:2] false true 10s 4 info "},
		{"empty list", "web: {listen-address: []}\n", nil, "[:1] false true 10s 4 info "},
		{"empty section", "web:\n  # listen-address: a\nlog:\n  level: debug\n", nil, "[:1] false true 10s 4 debug "},
		{"empty text", "web.config.file: ''", nil, "[:1] false true 10s 4 info "},
		{"byte order mark", "\xEF\xBB\xBFlog: {level: debug}\n", nil, "[:1] false true 10s 4 debug "},
		{"CRLF", "log:\r\n  level: debug\r\nwmi:\r\n  workers: 2\r\n", nil, "[:1] false true 10s 2 debug "},
		{"UTF-16LE", utf16Text(binary.LittleEndian, "web.config.file: 'ü😀'\r\n"), nil, "[:1] false true 10s 4 info ü😀"},
		{"UTF-16BE", utf16Text(binary.BigEndian, "web.config.file: 'ü😀'\r\n"), nil, "[:1] false true 10s 4 info ü😀"},
		{"path", `web: {config.file: 'C:\new\temp'}`, nil, `[:1] false true 10s 4 info C:\new\temp`},
		{"path without quotes", `web.config.file: C:\new\temp`, nil, `[:1] false true 10s 4 info C:\new\temp`},
		{"command line", "scrape: {timeout: 5s}\nwmi: {workers: 2}", []string{"--scrape.timeout=1s"}, "[:1] false true 1s 2 info "},
		{"command line, list", "web: {listen-address: [':2', ':3']}", []string{"--web.listen-address=:4"}, "[:4] false true 10s 4 info "},
		{"command line, no", "collector: {perf: true}", []string{"--no-collector.perf"}, "[:1] false true 10s 4 info "},
	} {
		v, err := parse(t, tt.text, tt.args...)
		got := strings.Join([]string{
			"[" + strings.Join(v.addresses, " ") + "]", yesNo(v.perf), yesNo(v.text), v.timeout.String(),
			string(rune('0' + v.workers)), v.level, v.path,
		}, " ")
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// A mistake is described with its line and with what to do.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "log:\n  leveel: info", `line 2: "log.leveel": unknown key; the nearest one is log.level`},
		{"underscore", "web:\n  listen_address: a", `line 2: "web.listen_address": unknown key; the nearest one is web.listen-address`},
		{"unknown section", "collectors:\n  perf: true", `line 1: "collectors": unknown key; the nearest one is collector`},
		{"without section", "timeout: 5s", `line 1: "timeout": unknown key; the nearest one is scrape.timeout`},
		{"nothing like it", "zzzzzz: 1", `line 1: "zzzzzz": unknown key; the keys are the names of the flags, see --help`},
		{"help", "help: true", `line 1: "help": unknown key`},
		{"file of the file", "config.file: a", `line 1: "config.file": unknown key`},
		{"bool", "collector: {perf: yes}", `line 1: collector.perf: "yes" must be true or false`},
		{"duration", "scrape:\n  timeout: 5", `line 2: scrape.timeout: "5" must be a duration such as 500ms, 30s or 5m`},
		{"int", "wmi: {workers: many}", `line 1: wmi.workers: "many" must be a whole number`},
		{"uint", "simulator: {seed: -1}", `line 1: simulator.seed: "-1" must be a whole number, zero or more`},
		{"float", "admin: {rate: fast}", `line 1: admin.rate: "fast" must be a number`},
		{"bytes", "admin: {size: big}", `line 1: admin.size: "big" must be a size such as 64MB`},
		{"enum", "log: {level: loud}", `line 1: log.level: enum value must be one of debug,info, got 'loud'`},
		{"two mistakes", "log: {level: loud}\nwmi: {workers: x}", `got 'loud'; line 2: wmi.workers: "x" must be`},
		{"list for one value", "log: {level: [info]}", `line 1: log.level: must be one value, not a list`},
		{"list in a list", "web.listen-address: [[a]]", `line 1: web.listen-address: must be a value, without keys or a list in it`},
		{"keys for a value", "log: {level: {a: b}}", `line 1: log.level: must be a value, without keys or a list in it`},
		{"no value", "log:\n  level:\n", `line 2: log.level: has no value; write one`},
		{"value for a section", "log: info", `line 1: log: is a section with keys of its own, such as log.level`},
		{"list for a section", "log: [a]", `line 1: log: is a section with keys of its own, such as log.level`},
		{"duplicate", "log: {level: info}\nwmi: {}\nlog.level: debug", `line 3: log.level: is also on line 1; remove one of them`},
		{"duplicate in a section", "log:\n  level: info\n  level: info\n", `line 3: log.level: is also on line 2`},
		{"list at the top", "- a", `line 1: must be keys with values`},
		{"text at the top", "hello", `line 1: must be keys with values`},
		{"tab", "log:\n\tlevel: info", `line 2: begins with a tab; indent with spaces`},
		{"indentation", "log:\n  level: info\n wmi:\n  workers: 2", `line 3: not valid YAML; check the indentation`},
		{"colon", "web.config.file: a: b", `line 1: not valid YAML; check the indentation; write a value that has a colon`},
		{"escape", `web.config.file: "C:\Windows"`, `line 1: not valid YAML; write paths of Windows in single quotes`},
		{"escape that is valid", `web.config.file: "C:\new"`, `line 1: web.config.file: "C:\new" has a control character; write paths`},
		{"paragraph separator", `web.config.file: "C:\Program"`, `has a control character; write paths`},
		{"reference", "wmi: &a {workers: 2}\nlog: *a", `line 2: log: references (* and <<) are not supported; write the value`},
		{"reference to a value", "log.level: &a info\nweb.listen-address: [*a]", `line 2: web.listen-address: references`},
		{"merge", "wmi: &a {workers: 2}\nlog: {<<: *a}", `line 2: log.<<: references`},
		{"unknown reference", "log: {level: *a}", `write a value that begins with * or & in single quotes`},
		{"star", "web.listen-address: *:80", `write a value that begins with * or & in single quotes`},
		{"two documents", "wmi: {}\n---\nlog: {}", `a second document; remove the line ---`},
		{"code page", "# a\nsource: \xFC", `line 2: not UTF-8; save the file as UTF-8`},
		{"UTF-16 without a mark", "l\x00o\x00g\x00", `the file is not text; save it as UTF-8`},
		{"half a character", "\xFF\xFEl\x00o", `ends in half a character`},
	} {
		if _, err := parse(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) ||
			!strings.HasPrefix(err.Error(), "config.yml: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got\n%v\nwant\n%s", tt.name, err, tt.want)
		}
	}
}

// An error about a flag whose value is in the file has the line.
func TestLocate(t *testing.T) {
	f, err := Parse("config.yml", []byte("log:\n  level: info\n"), newApp(&values{}))
	if err != nil {
		t.Fatal(err)
	}
	for message, want := range map[string]string{
		"--log.level must be":    "config.yml: line 2: --log.level must be",
		"--log.level=a is":       "config.yml: line 2: --log.level=a is",
		"--log.level: is":        "config.yml: line 2: --log.level: is",
		"--wmi.workers must be":  "--wmi.workers must be",
		"policy: does not exist": "policy: does not exist",
	} {
		if got := f.Locate(errorText(message)).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }

// The loader does not crash, and what it accepts are values that the flags accept.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "log: {level: info}", "a: &a [*a]", "\xFF\xFEa\x00", "web:\n\tlisten-address: x", "? a\n: b", "<<: {a: b}", "--- |\n a",
		"!!binary a: b", "%YAML 9\n---\n", "log.level: !!null info", "wmi: &x {workers: 2}\nlog: *x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("config.yml", text, newApp(&values{}))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		app := newApp(&values{})
		file.Apply(app)
		if _, err := app.Parse(nil); err != nil {
			t.Errorf("the flags do not accept %v: %v", slices.Sorted(maps.Keys(file.settings)), err)
		}
	})
}

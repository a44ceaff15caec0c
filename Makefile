# `make run` and `make test` are the targets to start with. Targets install what they need.

NAME     := hyperv_replica_exporter
VERSION  := $(shell cat VERSION)
REVISION := $(shell git rev-parse HEAD 2>/dev/null)
BRANCH   := $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null)
# The time of the commit, and no user name, make builds reproducible.
DATE     := $(shell TZ=UTC git log -1 --date=format-local:%Y%m%d-%H:%M:%S --format=%cd 2>/dev/null)
USER_AT  := make@$(NAME)

# A test checks that .promu.yml agrees with these.
PLATFORMS := windows/amd64 windows/arm64 linux/amd64 linux/arm64
V         := github.com/prometheus/common/version
LDFLAGS   := -X $(V).Version=$(VERSION) -X $(V).Revision=$(REVISION) -X $(V).Branch=$(BRANCH) -X $(V).BuildUser=$(USER_AT) -X $(V).BuildDate=$(DATE)
GO_BUILD  := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"

TOOLS := $(CURDIR)/.tools
LINT  := $(TOOLS)/golangci-lint
WINE_EXEC := $(CURDIR)/scripts/winexec.sh
# The packages whose tests run under Wine.
WINE_PACKAGES := ./admin/... ./collector/... ./wmiquery/... ./internal/...
# The packages whose tests need the programs of Prometheus.
PROMETHEUS_PACKAGES := ./dashboards ./docs ./internal/exporter

.PHONY: all build run test lint race wine prometheus pictures images kubernetes bench bench-rules fuzz release clean setup

all: build

build:
	$(GO_BUILD) -o $(NAME)$(shell go env GOEXE) .

run: build
	./$(NAME)$(shell go env GOEXE)

test: lint race wine prometheus pictures
	@echo "all tests passed"

# The linters include go vet.
lint: $(LINT)
	$(LINT) run --build-tags prometheus,wine,pictures ./...
	GOOS=windows $(LINT) run ./...

race:
	scripts/setup.sh runbooks
	go test -race -timeout 20m ./...

# Runs the Windows code under Wine, against a COM provider of this project.
wine:
	scripts/setup.sh wine
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go test -timeout 20m -exec $(WINE_EXEC) $(WINE_PACKAGES)
	go test -count=1 -tags wine ./internal/wine

# A real Prometheus scrapes the exporter, and a real Alertmanager routes its alerts; promtool and amtool check the rules
# and the examples. One package at a time: they measure how alerts proceed in real time.
prometheus:
	scripts/setup.sh prometheus alertmanager parsers
	TOOLS=$(TOOLS) go test -p 1 -count=1 -timeout 20m -tags prometheus $(PROMETHEUS_PACKAGES)

# Grafana's own panels draw the dashboards in a browser, with data of simulated hosts from a real Prometheus.
PICTURE_TESTS ?= TestPictures
pictures:
	scripts/setup.sh prometheus pictures
	npm --prefix dashboards/pictures run --silent build
	TOOLS=$(TOOLS) go test -count=1 -tags prometheus,pictures -run '$(PICTURE_TESTS)' ./dashboards

# Updates the pictures in the documents.
images:
	scripts/setup.sh pngquant
	mkdir -p docs/images
	PICTURES=$(CURDIR)/docs/images $(MAKE) pictures PICTURE_TESTS='TestPicturesShowAllPanels'
	rm docs/images/dashboard-*-light.png
	pngquant --speed 1 --strip --force --ext .png 128 docs/images/dashboard-*.png

# Updates the objects for Kubernetes that are made from the rules.
kubernetes:
	go test -count=1 -tags prometheus -run TestPrometheusRulesEqualRuleFiles ./dashboards -update

# The CPU time of a scrape, next to that of other ways to serve the same series. All numbers of VMs but 10,000 together
# take about two minutes.
bench: BENCH_VMS ?= 20 100 1000 10000
bench: BENCH_ROUNDS ?= 9
bench:
	go run ./internal/bench -vms "$(BENCH_VMS)" -rounds $(BENCH_ROUNDS)

# How long Prometheus takes to evaluate the rules during an outage of all VMs.
bench-rules: BENCH_VMS ?= 1000
bench-rules:
	scripts/setup.sh prometheus
	TOOLS=$(TOOLS) go test -run '^$$' -bench BenchmarkRules -benchtime 1x -timeout 1h -tags prometheus ./dashboards -vms $(BENCH_VMS)

FUZZTIME ?= 30s
fuzz:
	@for f in $$(grep -roE '^func Fuzz[A-Za-z]+' --include=*_test.go . | sed 's/:func /:/'); do \
		go test -run '^$$' -fuzz "^$${f##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$(dirname $$f) || exit 1; done

release: $(PLATFORMS:%=release/%)
	cd dist && sha256sum *.tar.gz > sha256sums.txt

release/%:
	GOOS=$(word 1,$(subst /, ,$*)) GOARCH=$(word 2,$(subst /, ,$*)) $(GO_BUILD) \
		-o dist/$(NAME)-$(VERSION).$(subst /,-,$*)/$(NAME)$(if $(findstring windows,$*),.exe) .
	cp LICENSE README.md CHANGELOG.md dist/$(NAME)-$(VERSION).$(subst /,-,$*)/
	tar -C dist -czf dist/$(NAME)-$(VERSION).$(subst /,-,$*).tar.gz $(NAME)-$(VERSION).$(subst /,-,$*)

setup: $(LINT)
	scripts/setup.sh wine prometheus alertmanager pictures

$(LINT):
	scripts/setup.sh lint

clean:
	rm -rf dist $(NAME) $(NAME).exe

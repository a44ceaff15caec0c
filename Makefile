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
LDFLAGS   := -s -w -X $(V).Version=$(VERSION) -X $(V).Revision=$(REVISION) -X $(V).Branch=$(BRANCH) -X $(V).BuildUser=$(USER_AT) -X $(V).BuildDate=$(DATE)
GO_BUILD  := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"

TOOLS := $(CURDIR)/.tools
LINT  := $(TOOLS)/golangci-lint
WINE_EXEC := $(CURDIR)/scripts/winexec.sh
# The packages whose tests run under Wine.
WINE_PACKAGES := ./admin/... ./collector/... ./wmiquery/... ./internal/...
# The packages whose tests need the programs of Prometheus.
PROMETHEUS_PACKAGES := ./dashboards ./docs ./internal/exporter

.PHONY: all build run test lint race wine prometheus pictures images packages ansible kubernetes bench bench-rules abuse fuzz release clean setup

all: build

build:
	$(GO_BUILD) -o $(NAME)$(shell go env GOEXE) .

run: build
	./$(NAME)$(shell go env GOEXE)

test: lint race wine prometheus pictures packages
	@echo "all tests passed"

# The linters include go vet.
lint: $(LINT) $(TOOLS)/actionlint
	$(LINT) run --build-tags prometheus,wine,pictures,release ./...
	GOOS=windows $(LINT) run ./...
	$(TOOLS)/actionlint .github/workflows/*.yml

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

# Grafana's own panels draw the dashboards in a browser, with data of simulated hosts from a real Prometheus. The pages
# of the exporter are opened in the same browser.
PICTURE_TESTS ?= TestPictures|TestPages
pictures:
	scripts/setup.sh prometheus pictures
	npm --prefix dashboards/pictures run --silent build
	TOOLS=$(TOOLS) go test -count=1 -tags prometheus,pictures -run '$(PICTURE_TESTS)' ./dashboards ./internal/web

# Updates the pictures in the documents.
images:
	scripts/setup.sh pngquant
	mkdir -p docs/images
	PICTURES=$(CURDIR)/docs/images $(MAKE) pictures PICTURE_TESTS='TestPicturesShowAllPanels|TestPagesInABrowser'
	rm docs/images/dashboard-*-light.png
	cd docs/images && ls page-*.png | grep -vxE 'page-vms-light-1280.png|page-vm-dark-400.png' | xargs rm
	pngquant --speed 1 --strip --force --ext .png 128 docs/images/*.png

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

# What the exporter needs while clients misbehave. It takes a few minutes.
ABUSE_VMS ?= 1000
abuse: build
	go test -count=1 -v -timeout 30m ./internal/abuse -program $(CURDIR)/$(NAME) -vms $(ABUSE_VMS) -clients 40 \
		-probes 10 -interval 1s -max-rss 1000

FUZZTIME ?= 30s
fuzz:
	@for f in $$(grep -roE '^func Fuzz[A-Za-z]+' --include=*_test.go . | sed 's/:func /:/'); do \
		go test -run '^$$' -fuzz "^$${f##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$(dirname $$f) || exit 1; done

# The archives, the bills of materials of the programs and the checksums, in dist. SIGN_CERT and SIGN_KEY are the PEM
# files of a certificate and its key for signing code: with them, the programs for Windows are signed.
release: $(PLATFORMS:%=release/%)
	cd dist && sha256sum *.tar.gz *.zip *.cdx.json > sha256sums.txt

release/%:
	scripts/setup.sh release
	rm -rf dist/$(NAME)-$(VERSION).$(subst /,-,$*)
	GOOS=$(word 1,$(subst /, ,$*)) GOARCH=$(word 2,$(subst /, ,$*)) $(GO_BUILD) \
		-o dist/$(NAME)-$(VERSION).$(subst /,-,$*)/$(NAME)$(if $(findstring windows,$*),.exe) .
	scripts/package.sh dist/$(NAME)-$(VERSION).$(subst /,-,$*)

# The version and the icon of a program for Windows: go build adds the file.
$(filter release/windows/%,$(PLATFORMS:%=release/%)): release/windows/%: resource_windows_%.syso

resource_windows_%.syso: VERSION internal/release/winres.json internal/release/icon.png
	scripts/setup.sh release
	$(TOOLS)/go-winres make --in internal/release/winres.json --product-version $(VERSION) --file-version $(VERSION) \
		--arch $* --out resource

# Checks the Ansible role. Not part of test: Debian's ansible-lint brings all of Ansible.
ansible:
	scripts/setup.sh ansible
	cd deploy/ansible && ansible-lint --offline site.yml roles/hyperv_replica_exporter

# Builds the release twice and checks its files.
packages:
	scripts/setup.sh release
	go test -count=1 -tags release ./internal/release

setup: $(LINT)
	scripts/setup.sh wine prometheus alertmanager pictures release

$(LINT) $(TOOLS)/actionlint:
	scripts/setup.sh lint

clean:
	rm -rf dist $(NAME) $(NAME).exe *.syso

#!/usr/bin/env bash
# setup.sh TOOL...: installs tools that the tests need.
#   lint          golangci-lint, and actionlint for the workflows, built with go install
#   wine          Wine, which runs the Windows tests, from the Debian package
#   runbooks      curl, jq and openssl, which the documentation of the admin endpoint uses
#   prometheus    prometheus-3 and promtool-3, the current Prometheus, built with go install, which takes minutes; and
#                 prometheus-2 and promtool-2, the oldest supported one, from the Debian package, which is only
#                 unpacked: installing it would start a server
#   alertmanager  alertmanager and amtool, from the Debian package in the same way
#   parsers       the parsers of Prometheus' Python client, from the Debian package
#   pictures      Chromium, Node.js and npm from Debian packages, and the npm packages of dashboards/pictures
#   release       go-winres and cyclonedx-gomod, built with go install, and zip and osslsigncode from Debian packages
#   ansible       ansible-lint, from the Debian package
#   pngquant      reduces the size of the pictures in the documents
# Tools that are already installed are not changed. Programs that do not come from an installed package go to .tools/,
# npm packages to dashboards/pictures, and the templates that Debian's Alertmanager needs to /usr/share.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
mkdir -p "$tools"

LINT_VERSION=v2.15.0
ACTIONLINT_VERSION=v1.7.12
WINRES_VERSION=v0.3.3
CYCLONEDX_VERSION=v1.10.0
PROMETHEUS_VERSION=v0.316.0 # of the Go module: Prometheus 3.16
OLDEST_PROMETHEUS_VERSION=2.42

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_update() {
	[ -n "${apt_updated:-}" ] || as_root apt-get update -qq
	apt_updated=1
}

lint() {
	[ -x "$tools/golangci-lint" ] || GOBIN=$tools GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$LINT_VERSION"
	[ -x "$tools/actionlint" ] || GOBIN=$tools GOFLAGS= go install "github.com/rhysd/actionlint/cmd/actionlint@$ACTIONLINT_VERSION"
}

apt_install() {
	apt_update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

parsers() {
	/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || apt_install python3-prometheus-client
}

wine() {
	if [ -x /usr/lib/wine/wine64 ] || type -P wine64 wine >/dev/null; then return; fi
	apt_install wine64
}

runbooks() {
	if type -P curl >/dev/null && type -P jq >/dev/null && type -P openssl >/dev/null; then return; fi
	apt_install curl jq openssl
}

pictures() {
	type -P chromium >/dev/null || apt_install chromium
	if ! type -P node >/dev/null || ! type -P npm >/dev/null; then apt_install nodejs npm; fi
	local installed=dashboards/pictures/node_modules/.installed.json
	cmp -s dashboards/pictures/package-lock.json $installed && return
	npm --prefix dashboards/pictures ci --silent
	cp dashboards/pictures/package-lock.json $installed
}

release() {
	[ -x "$tools/go-winres" ] || GOBIN=$tools GOFLAGS= go install "github.com/tc-hib/go-winres@$WINRES_VERSION"
	[ -x "$tools/cyclonedx-gomod" ] ||
		GOBIN=$tools GOFLAGS= go install "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$CYCLONEDX_VERSION"
	if type -P zip >/dev/null && type -P osslsigncode >/dev/null; then return; fi
	apt_install zip osslsigncode
}

ansible() {
	type -P ansible-lint >/dev/null || apt_install ansible-lint
}

pngquant() {
	type -P pngquant >/dev/null || apt_install pngquant
}

# found NAME PROGRAM: reports whether .tools has NAME, after linking it to PROGRAM if that is installed.
found() {
	[ -x "$tools/$1" ] && return
	type -P "$2" >/dev/null && ln -sf "$(type -P "$2")" "$tools/$1"
}

# make_files: creates the temporary directory $files.
make_files() {
	[ -z "${files:-}" ] || return 0
	files=$(mktemp -d)
	trap 'rm -rf "$files"' EXIT
}

# unpack PACKAGE [VERSION]: unpacks a Debian package into $files without installing it. VERSION may be a prefix.
unpack() {
	apt_update
	make_files
	(cd "$files" && apt-get download -qq "$1${2:+=$2*}" && dpkg-deb -x "$1"_*.deb .)
}

# prometheus_programs MAJOR DIRECTORY: moves prometheus and promtool from DIRECTORY to .tools.
prometheus_programs() {
	mv "$2/prometheus" "$tools/prometheus-$1"
	mv "$2/promtool" "$tools/promtool-$1"
}

prometheus() {
	if ! [ -x "$tools/promtool-3" ]; then
		make_files
		# The tag leaves out service discovery in clouds, which is most of the program.
		GOBIN=$files GOFLAGS= go install -tags remove_all_sd,netgo \
			"github.com/prometheus/prometheus/cmd/"{prometheus,promtool}"@$PROMETHEUS_VERSION"
		prometheus_programs 3 "$files"
	fi
	if ! [ -x "$tools/promtool-2" ]; then
		unpack prometheus "$OLDEST_PROMETHEUS_VERSION"
		prometheus_programs 2 "$files/usr/bin"
	fi
}

alertmanager() {
	local share=/usr/share/prometheus/alertmanager # Debian's Alertmanager reads its templates here, others contain them
	if { found alertmanager alertmanager || found alertmanager prometheus-alertmanager; } && found amtool amtool &&
		{ [ -e $share ] || ! grep -q $share "$tools/alertmanager"; }; then return; fi
	unpack prometheus-alertmanager
	cp "$files/usr/bin/prometheus-alertmanager" "$tools/alertmanager"
	cp "$files/usr/bin/amtool" "$tools/"
	as_root mkdir -p $share
	as_root cp -r "$files$share/." $share
}

for tool in "$@"; do "$tool"; done
